"""Take accounts and deals in: ``manage.py import_accounts FILE… --company SLUG``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits import audit, origins
from credits.audit import Action
from credits.companies import CompanyClosed
from credits.models import Company
from trackers import directory_imports
from trackers.directory_imports import DirectoryReport
from trackers.importers import directory

BAD_LINES_SHOWN_MAX = 50


class Command(BaseCommand):
    help = (
        "Imports accounts and deals from CSV with the columns Account, Account type, Account id,\n"
        "Deal, Stage and Deal id, in any order; ids are the CRM's. An empty cell changes\n"
        "nothing. What conversations have stored stays: filters read what was true when they\n"
        "arrived.\n\n"
        "Exit code 0: every line was read. 1: some lines were left out; they are named.\n"
        "2: nothing was written.\n\n"
        "Example:\n"
        "  manage.py import_accounts crm.csv --company acme --dry-run"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument("--company", required=True, metavar="SLUG")
        parser.add_argument("--dry-run", action="store_true", help="say what would be changed")

    def handle(self, **options: Any) -> None:
        company = Company.objects.filter(slug=options["company"]).first()
        if company is None:
            raise CommandError(f"There is no company “{options['company']}”.", returncode=2)
        reader = directory.Reader([*options["files"]])
        act = directory_imports.preview if options["dry_run"] else directory_imports.take_in
        try:
            report = act(company=company, rows=reader, now=timezone.now())
        except OSError as error:
            raise CommandError(
                f"{error.filename} cannot be read: {error.strerror}. Nothing was written.",
                returncode=2,
            ) from error
        except CompanyClosed as refusal:
            raise CommandError(f"{refusal} Nothing was written.", returncode=2) from refusal
        if not reader.count:
            first = f" The first: {reader.bad_lines[0]}." if reader.bad_lines else ""
            raise CommandError(
                f"No line could be read, so nothing was written.{first}", returncode=2
            )
        if not options["dry_run"]:
            _record(company, report)
        self.stdout.write(_in_words(report, is_dry=options["dry_run"]))
        for bad_line in reader.bad_lines[:BAD_LINES_SHOWN_MAX]:
            self.stdout.write(f"Left out: {bad_line}.")
        if (hidden := len(reader.bad_lines) - BAD_LINES_SHOWN_MAX) > 0:
            self.stdout.write(f"Left out: {hidden:,} more lines.")
        if reader.bad_lines:
            raise SystemExit(1)


def _record(company: Company, report: DirectoryReport) -> None:
    with origins.coming_from(origins.of_command("import_accounts")):
        audit.record(
            action=Action.IMPORTED,
            by=None,
            company=company,
            subject=audit.Subject("accounts", label="accounts and deals"),
            after=asdict(report),
        )


def _in_words(report: DirectoryReport, *, is_dry: bool) -> str:
    verb = "Would be imported" if is_dry else "Imported"
    return (
        f"{verb}: {report.accounts_created:,} new accounts, {report.accounts_changed:,} with "
        f"another type, {report.deals_created:,} new deals, {report.deals_changed:,} in another "
        f"stage, {report.unchanged:,} unchanged."
    )
