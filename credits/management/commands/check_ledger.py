"""Check the books: ``manage.py check_ledger``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from credits import reconciliation
from credits.models import Company, LedgerEntry


class Command(BaseCommand):
    help = (
        "Re-checks every invariant of the ledger and names company, entry and invariant of each\n"
        "breach.\n\n"
        "Exit code 0: all is well. 1: something is broken. 2: there is no such company.\n\n"
        "Examples:\n"
        "  manage.py check_ledger\n"
        "  manage.py check_ledger --company acme --json"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--company", metavar="SLUG", help="check one company only")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--allow-test-clock",
            action="store_true",
            help="accept a clock that tests have replaced",
        )

    def handle(self, **options: Any) -> None:
        company_id = None
        if slug := options["company"]:
            company_id = Company.objects.filter(slug=slug).values_list("id", flat=True).first()
            if company_id is None:
                raise CommandError(f"There is no company “{slug}”.", returncode=2)
        breaches = reconciliation.check(company_id=company_id)
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
            report = {"entries": count, "breaches": [asdict(breach) for breach in breaches]}
            self.stdout.write(json.dumps(report))
        else:
            for breach in breaches:
                self.stdout.write(str(breach))
            verdict = f"{len(breaches)} breaches" if breaches else "every invariant holds"
            self.stdout.write(f"Checked {count:,} ledger entries: {verdict}.")
        if breaches:
            raise SystemExit(1)
