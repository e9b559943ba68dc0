"""List, set and end limits of spending: ``manage.py limits list|set|end``."""

from __future__ import annotations

import argparse
import json
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from credits import amounts, audit, limit_subjects, limits, origins
from credits.amounts import ZERO
from credits.companies import CompanyClosed
from credits.limits import Standing, Subject
from credits.models import (
    AuditActor,
    Company,
    LimitSubject,
    LimitWindow,
    SpendingLimit,
)

REFUSALS = (
    limits.LimitRefused,
    limits.TooManyLimits,
    limits.AlreadyEnded,
    limit_subjects.UnknownSubject,
    CompanyClosed,
)


class Command(BaseCommand):
    help = (
        "Lists a company's limits with what is used of each, sets one, or ends one.\n\n"
        "  list  the limits in force\n"
        "  set   let a subject use so many credits in each day or month of the company's zone;\n"
        "        a subject that has a limit of the window gets the new number\n"
        "  end   end the limit of that id\n\n"
        "Of what, with --of: COMPANY; FEATURE, TRACKER, INTEGRATION or API_KEY with --ref, which\n"
        "is TRACKER, ASK or BRIEF for a feature, else an id or a name.\n\n"
        "Exit code 0: done, or counted with --dry-run. 2: not done, with the reason.\n\n"
        "Examples:\n"
        "  manage.py limits list --company acme --json\n"
        "  manage.py limits set --company acme --of COMPANY --window MONTH --credits 5000\n"
        "  manage.py limits set --company acme --of API_KEY --ref 'Nightly export' \\\n"
        "    --window DAY --credits 200 --dry-run\n"
        "  manage.py limits end --company acme --id 01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b19"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("act", choices=["list", "set", "end"])
        parser.add_argument("--company", metavar="SLUG", required=True, help="whose limits")
        parser.add_argument(
            "--of", choices=LimitSubject.values, help="set: what the limit is about"
        )
        parser.add_argument("--ref", default="", help="set: which of them, by id or name")
        parser.add_argument("--window", choices=LimitWindow.values, help="set: how long it counts")
        parser.add_argument("--credits", metavar="N", help="set: what may be used in a window")
        parser.add_argument(
            "--only-tell", action="store_true", help="set: refuse nothing, and only tell"
        )
        parser.add_argument("--id", metavar="ID", help="end: which limit")
        parser.add_argument("--dry-run", action="store_true", help="say it, and change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        company = Company.objects.filter(slug=options["company"]).first()
        if company is None:
            raise CommandError(f"There is no company “{options['company']}”.", returncode=2)
        acts = {"list": self._list, "set": self._set, "end": self._end}
        try:
            with origins.coming_from(origins.of_command("limits")) as origin:
                by = audit.Actor(AuditActor.SYSTEM, name=origin.who)
                acts[options["act"]](company, options, by)
        except REFUSALS as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal

    def _list(self, company: Company, options: dict[str, Any], by: audit.Actor) -> None:
        found = limits.standing(company=company)
        if options["json"]:
            self.stdout.write(json.dumps({"limits": [_figures(one) for one in found]}))
            return
        for one in found:
            self.stdout.write(f"{one.limit.pk}  {_in_words(one)}")
        if not found:
            self.stdout.write("No limit is in force.")

    def _set(self, company: Company, options: dict[str, Any], by: audit.Actor) -> None:
        if not (options["of"] and options["window"] and options["credits"]):
            raise CommandError("set needs --of, --window and --credits.", returncode=2)
        allowed = _amount(options["credits"])
        subject = limit_subjects.find(company=company, kind=options["of"], ref=options["ref"])
        if options["dry_run"]:
            self._foretell(company, subject, options["window"], allowed, options)
            return
        made = limits.set(
            company=company,
            subject=subject,
            window=options["window"],
            credits=allowed,
            is_hard=not options["only_tell"],
            by=None,
            through=by,
        )
        (one,) = limits.standing(company=company, limits=SpendingLimit.objects.filter(pk=made.pk))
        said = json.dumps(_figures(one)) if options["json"] else f"Set: {_in_words(one)}"
        self.stdout.write(said)

    def _foretell(
        self,
        company: Company,
        subject: Subject,
        window: str,
        allowed: Decimal,
        options: dict[str, Any],
    ) -> None:
        used = limits.used_so_far(company=company, subject=subject, window=window)
        before = limits.set_before(company=company, subject=subject, window=window)
        figures = {
            "dry_run": True,
            "name": subject.name,
            "window": window,
            "credits_before": before and amounts.text(before.credits),
            "credits": amounts.text(allowed),
            "used": amounts.text(used),
            "left": amounts.text(max(allowed - used, ZERO)),
        }
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        self.stdout.write(
            f"{subject.name}: {figures['used']} used of {figures['credits']} this "
            f"{window.lower()}, {figures['left']} left. Nothing was changed: this was a dry run."
        )

    def _end(self, company: Company, options: dict[str, Any], by: audit.Actor) -> None:
        limit = _limit(company, options["id"])
        if options["dry_run"]:
            if limit.ended_at is not None:
                raise limits.AlreadyEnded(limits.AlreadyEnded.__doc__)
            said = f"It would end: {limits.in_words(limit)}. Nothing was changed."
        else:
            limit = limits.end(limit=limit, by=None, through=by)
            said = f"Ended: {limits.in_words(limit)}."
        if options["json"]:
            ended_at = limit.ended_at and limit.ended_at.isoformat()
            said = json.dumps(
                {"dry_run": options["dry_run"], "id": str(limit.pk), "ended_at": ended_at}
            )
        self.stdout.write(said)


def _limit(company: Company, text: str | None) -> SpendingLimit:
    found = {str(limit.pk): limit for limit in SpendingLimit.objects.filter(company=company)}
    if text not in found:
        raise CommandError(
            f"{company} has no limit “{text or ''}”; “limits list” prints their ids.", returncode=2
        )
    return found[text]


def _amount(text: str) -> Decimal:
    try:
        return amounts.exact(Decimal(text))
    except (InvalidOperation, amounts.InexactAmount) as error:
        raise CommandError(
            f"--credits is a number with at most three decimal places, not “{text}”.", returncode=2
        ) from error


def _in_words(one: Standing) -> str:
    limit = one.limit
    manner = "" if limit.is_hard else ", only tells"
    return (
        f"{limits.in_words(limit)}: {amounts.text(one.used)} used, {amounts.text(one.left)} left"
        f" until {one.ends_at.isoformat(timespec='seconds')}{manner}"
    )


def _figures(one: Standing) -> dict[str, Any]:
    limit = one.limit
    return {
        "id": str(limit.pk),
        "subject": limit.subject,
        "name": limit.name,
        "window": limit.window,
        "credits": amounts.text(limit.credits),
        "is_hard": limit.is_hard,
        "used": amounts.text(one.used),
        "left": amounts.text(one.left),
        "window_starts_at": one.starts_at.isoformat(),
        "window_ends_at": one.ends_at.isoformat(),
    }
