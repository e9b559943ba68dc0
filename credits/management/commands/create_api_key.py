"""Make an API key: ``manage.py create_api_key``."""

from __future__ import annotations

import argparse
import json
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits import amounts, api_keys, audit, limits, origins
from credits.api_keys import KeyLimit
from credits.companies import CompanyClosed
from credits.models import AuditActor, Company, Integration, LimitWindow, Scope, User

REFUSALS = (
    api_keys.NotANetwork,
    api_keys.TooManyNetworks,
    api_keys.TooManyKeys,
    api_keys.UnknownScope,
    api_keys.ScopeNeedsPerson,
    api_keys.MakerRefused,
    limits.LimitRefused,
    limits.TooManyLimits,
    CompanyClosed,
)


class Command(BaseCommand):
    help = (
        "Makes an API key for a company and prints it. It is shown this once: only a digest is\n"
        "kept.\n\n"
        "Scopes:\n" + "\n".join(f"  {scope} {scope.label}" for scope in Scope) + "\n\n"
        "Exit code 0: made. 2: not made, with the reason.\n\n"
        "Examples:\n"
        "  manage.py create_api_key --company acme --name 'Nightly export' --scope usage:read\n"
        "  KEY=$(manage.py create_api_key --company acme --name laptop --scope balance:read)\n"
        "  manage.py create_api_key --company acme --name crm --scope balance:read \\\n"
        "    --scope ledger:read --expires-days 90 --network 203.0.113.0/24 --json\n"
        "  manage.py create_api_key --company acme --name asker --scope ask --limit 500"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--company", metavar="SLUG", required=True, help="whose key it is")
        parser.add_argument("--name", required=True, help="what uses it")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            metavar="SCOPE",
            help="what it may do; may be given several times",
        )
        parser.add_argument(
            "--expires-days",
            type=int,
            metavar="N",
            help="works for so many days; without it, until it is revoked",
        )
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            metavar="ADDRESS",
            help="address or network it may call from; may be given several times",
        )
        parser.add_argument(
            "--limit", metavar="N", help="credits it may use at most; without it, no limit"
        )
        parser.add_argument(
            "--limit-window",
            choices=LimitWindow.values,
            default=LimitWindow.MONTH,
            help="in which time, for --limit: a local day or month (MONTH)",
        )
        parser.add_argument("--integration", metavar="NAME", help="of which integration it is")
        parser.add_argument("--by", metavar="EMAIL", help="the tech admin in whose name it acts")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        now, company = timezone.now(), _company(options["company"])
        days = options["expires_days"]
        if days is not None and not 1 <= days <= api_keys.LIFE_DAYS_MAX:
            raise CommandError(
                f"A key works for 1 to {api_keys.LIFE_DAYS_MAX} days, not {days}.", returncode=2
            )
        if not 0 < len(options["name"]) <= 200:
            raise CommandError("A key's name has 1 to 200 characters.", returncode=2)
        limit = _limit(options["limit"], options["limit_window"])
        try:
            by = _person(options["by"])
            if by is not None:
                api_keys.refuse_maker(company=company, by=by)
            with origins.coming_from(origins.of_command("create_api_key")) as origin:
                made = api_keys.create(
                    company=company,
                    name=options["name"],
                    scopes=options["scope"],
                    by=by,
                    now=now,
                    integration=_integration(company, options["integration"]),
                    expires_at=None if days is None else now + timedelta(days=days),
                    networks=options["network"],
                    through=audit.Actor(AuditActor.SYSTEM, name=origin.who),
                    limit=limit,
                )
        except REFUSALS as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        if options["json"]:
            expires_at = made.key.expires_at
            self.stdout.write(
                json.dumps(
                    {
                        "id": str(made.key.pk),
                        "key": made.text,
                        "company": company.slug,
                        "name": made.key.name,
                        "scopes": made.key.scopes,
                        "networks": made.key.networks,
                        "expires_at": expires_at and expires_at.isoformat(),
                        "limit": limit and amounts.text(limit.credits),
                        "limit_window": limit and limit.window,
                    }
                )
            )
        else:
            self.stdout.write(made.text)


def _company(slug: str) -> Company:
    company = Company.objects.filter(slug=slug).first()
    if company is None:
        raise CommandError(f"There is no company “{slug}”.", returncode=2)
    return company


def _limit(text: str | None, window: str) -> KeyLimit | None:
    if text is None:
        return None
    try:
        return KeyLimit(amounts.exact(Decimal(text)), window)
    except (InvalidOperation, amounts.InexactAmount) as error:
        raise CommandError(
            f"--limit is a number with at most three decimal places, not “{text}”.", returncode=2
        ) from error


def _person(email: str | None) -> User | None:
    if email is None:
        return None
    person = User.objects.filter(email=email.lower()).first()
    if person is None:
        raise CommandError(f"There is nobody with the e-mail address “{email}”.", returncode=2)
    return person


def _integration(company: Company, name: str | None) -> Integration | None:
    if name is None:
        return None
    found = Integration.objects.filter(company=company, name=name).first()
    if found is None:
        raise CommandError(f"{company} has no integration “{name}”.", returncode=2)
    return found
