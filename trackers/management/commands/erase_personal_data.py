"""Erase what people said and wrote: ``manage.py erase_personal_data --company SLUG …``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits import origins, removal
from credits.models import Company, User
from credits.progress import progress
from trackers import erasure, erasure_requests
from trackers.erasure_requests import Counts, NothingToErase, Request


class Command(BaseCommand):
    help = (
        "Erases conversations with everything that was said, or removes a person who signs in.\n"
        "What a conversation cost stays, so that ledger and reports do not change. It cannot be\n"
        "undone, and an erased conversation is not imported again.\n\n"
        "  --external-id ID  one conversation\n"
        "  --email ADDRESS   every conversation somebody with the address took part in or owned\n"
        "  --person ADDRESS  a person who signs in: deactivated, and called “Removed person”;\n"
        "                    without --company; their conversations stay, without their name\n"
        "  --retention       what is older than the company keeps conversations\n\n"
        "Exit code 0: done, or counted with --dry-run. 2: there is nothing of this, or the\n"
        "command was not understood; nothing was changed.\n\n"
        "Examples:\n"
        "  manage.py erase_personal_data --company acme --external-id call-4711 --dry-run\n"
        "  manage.py erase_personal_data --company acme --email carl@globex.example\n"
        "  manage.py erase_personal_data --person rita@acme.example\n\n"
        "Backups made before still hold what is erased; see docs/privacy.md."
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--company", metavar="SLUG")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--external-id", metavar="ID")
        what.add_argument("--email", metavar="ADDRESS")
        what.add_argument("--person", metavar="ADDRESS")
        what.add_argument("--retention", action="store_true")
        parser.add_argument(
            "--mentions",
            action="store_true",
            help="with --email: conversations whose text holds the address go, too",
        )
        parser.add_argument("--reason", default="", help="kept in the audit trail; name nobody")
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        if options["mentions"] and not options["email"]:
            raise CommandError("--mentions goes with --email.", returncode=2)
        with origins.coming_from(origins.of_command("erase_personal_data")):
            mentions, counts = 0, Counts()
            if options["person"]:
                figures = _remove(options)
            else:
                request = _request(options)
                mentions = 0 if options["mentions"] else request.mention_count
                counts = _erase(request, options)
                figures = counts.figures
        self._say(figures, mentions, counts, options)

    def _say(
        self,
        figures: dict[str, int],
        mentions: int,
        counts: Counts,
        options: dict[str, Any],
    ) -> None:
        if options["json"]:
            said = {
                "dry_run": options["dry_run"],
                "counts": figures,
                "mentions": mentions,
                "trackers": list(dict.fromkeys((*counts.tracker_names, *counts.quoting_names))),
            }
            self.stdout.write(json.dumps(said))
            return
        for name, count in figures.items():
            self.stdout.write(f"{count:>10,}  {name}")
        if mentions:
            self.stdout.write(
                f"{mentions:,} more conversations mention the address in what was said. "
                "Add --mentions to erase them, too."
            )
        for sentence in counts.changed_trackers(is_planned=options["dry_run"]):
            self.stdout.write(sentence)
        done = "Nothing was changed: this was a dry run." if options["dry_run"] else "Erased."
        self.stdout.write(done)


def _request(options: dict[str, Any]) -> Request:
    company = Company.objects.filter(slug=options["company"] or "").first()
    if company is None:
        given = options["company"]
        said = f"There is no company “{given}”." if given else "Name the company with --company."
        raise CommandError(f"{said} Nothing was changed.", returncode=2)
    try:
        if options["external_id"]:
            return erasure_requests.by_external_id(
                company=company, external_id=options["external_id"]
            )
        if options["email"]:
            return erasure_requests.by_email(
                company=company, email=options["email"], with_mentions=options["mentions"]
            )
    except NothingToErase as refusal:
        raise CommandError(str(refusal), returncode=2) from refusal
    found = erasure_requests.by_retention(company=company, now=timezone.now())
    return found or Request(company, "what is too old", ())


def _erase(request: Request, options: dict[str, Any]) -> Counts:
    if options["dry_run"]:
        return erasure_requests.count(request)
    total = len(request.conversation_ids)
    with progress("Erasing", total=total, unit=" conversations") as bar:
        return erasure.erase(
            request=request,
            by=None,
            reason=options["reason"],
            now=timezone.now(),
            on_done=bar.update,
        )


def _remove(options: dict[str, Any]) -> dict[str, int]:
    if options["company"]:
        raise CommandError(
            "A person signs in to all their companies; leave --company out.", returncode=2
        )
    person = User.objects.filter(email=options["person"].strip().lower()).first()
    if person is None:
        raise CommandError("Nobody signs in with this address. Nothing was changed.", returncode=2)
    if options["dry_run"]:
        return removal.facts(user=person)
    return removal.remove(user=person, by=None, reason=options["reason"], now=timezone.now())
