"""Check the books: ``manage.py check_ledger``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from credits import heads, reconciliation
from credits.models import Company, LedgerEntry

SESSIONS, SESSIONS_MAX = 2, 32


class Command(BaseCommand):
    help = (
        "Re-checks every invariant of the ledger and names company, entry and invariant of each\n"
        "breach; where one rule finds more than 100, how many more of which company.\n\n"
        "Exit code 0: all is well. 1: something is broken. 2: no such company or file.\n\n"
        "Examples:\n"
        "  manage.py check_ledger\n"
        "  manage.py check_ledger --company acme --json\n"
        "  manage.py check_ledger --heads heads.txt\n"
        "  manage.py check_ledger --sessions 4"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--company", metavar="SLUG", help="check one company only")
        parser.add_argument(
            "--heads", metavar="FILE", help="check that what “ledger_heads” printed still stands"
        )
        parser.add_argument(
            "--sessions",
            type=_sessions,
            metavar="N",
            default=SESSIONS,
            help=f"let so many sessions share the work, as many as the database's server has"
            f" processors to spare (default {SESSIONS})",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--allow-test-clock",
            action="store_true",
            help="accept a clock that tests have replaced",
        )

    def handle(self, **options: Any) -> None:
        slugs: dict[int | None, str] = {one.pk: one.slug for one in Company.objects.all()}
        company_id = _id_of(options["company"], slugs) if options["company"] else None
        kept = _kept(options["heads"]) if options["heads"] else []
        breaches = reconciliation.check(company_id=company_id, sessions=options["sessions"])
        breaches += heads.breaches(kept, company_id=company_id)
        if not options["allow_test_clock"] and not reconciliation.is_real_clock():
            breaches.append(
                reconciliation.Breach(
                    "CLOCK", None, "function ledger_clock", "is not the database's own clock"
                )
            )
        entries = LedgerEntry.objects.all()
        if company_id is not None:
            entries = entries.filter(company_id=company_id)
        count = entries.count()
        if options["json"]:
            rows = [
                {"company": slugs.get(breach.company_id)} | asdict(breach) for breach in breaches
            ]
            self.stdout.write(json.dumps({"entries": count, "breaches": rows}))
        else:
            for breach in breaches:
                self.stdout.write(_line(breach, slugs))
            total = sum(breach.count for breach in breaches)
            found = f"{total:,} {'breach' if total == 1 else 'breaches'}"
            verdict = found if breaches else "every invariant holds"
            self.stdout.write(f"Checked {count:,} ledger entries: {verdict}.")
        if breaches:
            raise SystemExit(1)


def _sessions(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= SESSIONS_MAX):
        raise argparse.ArgumentTypeError(f"“{text}” is not a number from 1 to {SESSIONS_MAX}")
    return int(text)


def _kept(path: str) -> list[heads.Head]:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return list(heads.read(file))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The file “{path}” cannot be read: {error}.", returncode=2) from error
    except heads.NotAHead as error:
        raise CommandError(str(error), returncode=2) from error


def _id_of(slug: str, slugs: dict[int | None, str]) -> int | None:
    for company_id, known in slugs.items():
        if known == slug:
            return company_id
    raise CommandError(f"There is no company “{slug}”.", returncode=2)


def _line(breach: reconciliation.Breach, slugs: dict[int | None, str]) -> str:
    """Name the company as people know it; a breach of the database itself has none."""
    if breach.company_id is None:
        where = "database"
    else:
        # A row may name a company that is not there: that, too, is found.
        where = f"company {slugs.get(breach.company_id, f'no. {breach.company_id}')}"
    return f"{breach.invariant} {where}, {breach.subject}: {breach.detail}"
