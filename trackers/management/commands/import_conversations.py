"""Take calls and e-mails in: ``manage.py import_conversations FILE… --company SLUG``."""

from __future__ import annotations

import argparse
import json
import stat
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits import audit, origins, rating
from credits.amounts import grouped, text
from credits.audit import Action
from credits.companies import CompanyClosed
from credits.models import Company
from credits.progress import progress
from trackers import ingestion
from trackers.importers import formats
from trackers.importers.reading import Reader
from trackers.ingestion import Preview, Report
from trackers.models import ImportFormat

BAD_LINES_SHOWN_MAX = 50
ACCOUNTS = (
    "Accounts and deals (CSV) are imported by themselves, with manage.py import_accounts. Nothing "
    "was written."
)
AUTO = "auto"
FORMATS = {AUTO: None, "jsonl": ImportFormat.JSONL, "gong": ImportFormat.GONG}


class Command(BaseCommand):
    help = (
        "Imports calls and e-mails from JSON Lines files, or calls in the shape of Gong's API:\n"
        "the answers of /v2/calls/extensive and /v2/calls/transcript. Says first how many are\n"
        "new for published trackers and what scanning them will use, then proceeds. The same\n"
        "content again changes nothing. A bad line costs only itself.\n\n"
        "Exit code 0: every line was read. 1: some lines were left out; they are named.\n"
        "2: nothing was written.\n\n"
        "Examples:\n"
        "  manage.py import_conversations calls.jsonl --company acme\n"
        "  manage.py import_conversations calls.jsonl mails.jsonl --company acme --dry-run --json\n"
        "  manage.py import_conversations extensive.json transcript.json --company acme "
        "--format gong"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument("--company", required=True, metavar="SLUG")
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default=AUTO,
            help="what the files hold; told from their beginning unless given",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="check the files and say the price, then stop"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        company = _open_company(options["company"])
        files: list[Path] = options["files"]
        size = sum(_size(file) for file in files)
        now = timezone.now()
        with progress("Checking", total=size, unit="B") as bar:
            chosen = FORMATS[options["format"]] or _detected(files)
            reader = formats.reader_of(chosen, files, arrived_at=now, on_bytes=bar.update)
            preview = ingestion.preview(
                company=company, records=reader, now=now, rates=rating.rates_at(now)
            )
        if not reader.count:
            raise CommandError(_nothing_readable(reader), returncode=2)
        say = (lambda line: None) if options["json"] else self.stdout.write
        say(_preview_in_words(reader, preview))
        report = Report()
        if not options["dry_run"]:
            read = {"files": [file.name for file in files], "conversations": reader.count}
            planned = {"new_for_trackers": preview.conversations, "credits": preview.credits}
            _record(Action.IMPORT_STARTED, company, read | planned)
            report = _import(company, reader, now)
            _record(Action.IMPORTED, company, asdict(report))
            say(_report_in_words(report))
        for note in reader.notes:
            say(note)
        for bad_line in reader.bad_lines[:BAD_LINES_SHOWN_MAX]:
            say(f"Left out: {bad_line}.")
        if (hidden := len(reader.bad_lines) - BAD_LINES_SHOWN_MAX) > 0:
            say(f"Left out: {hidden:,} more lines.")
        if options["json"]:
            self.stdout.write(_as_json(reader, preview, report, dry_run=options["dry_run"]))
        if reader.bad_lines:
            raise SystemExit(1)


def _open_company(slug: str) -> Company:
    company = Company.objects.filter(slug=slug).first()
    if company is None:
        raise CommandError(f"There is no company “{slug}”.", returncode=2)
    if company.closed_at is not None:
        raise CommandError(f"{CompanyClosed(company)} Nothing was written.", returncode=2)
    return company


def _detected(files: list[Path]) -> ImportFormat:
    try:
        chosen = formats.detect(files)
    except formats.MixedFiles as refusal:
        raise CommandError(ACCOUNTS, returncode=2) from refusal
    if chosen == ImportFormat.DIRECTORY:
        raise CommandError(ACCOUNTS, returncode=2)
    return chosen


def _import(company: Company, reader: Reader, now: datetime) -> Report:
    """Take in what the reader reads; say how far it came when the company is closed meanwhile."""
    report = Report()
    with progress("Importing", total=reader.count, unit=" conversations") as bar:
        try:
            for running in ingestion.ingest(company=company, records=reader, now=now):
                bar.update(running.seen - report.seen)
                report = Report(**asdict(running))
        except CompanyClosed as refusal:
            raise CommandError(
                f"{refusal} It was closed while this ran: {report.seen:,} conversations were "
                "taken in, the rest was not.",
                returncode=1 if report.seen else 2,
            ) from refusal
    return report


def _record(action: Action, company: Company, figures: dict[str, object]) -> None:
    """Say in the audit trail that an import began, and what one that ended did.

    An import is many transactions; one that was killed has begun and never ended.
    """
    with origins.coming_from(origins.of_command("import_conversations")):
        audit.record(
            action=action,
            by=None,
            company=company,
            subject=audit.Subject("conversations", label="calls and e-mails"),
            after=figures,
        )


def _size(file: Path) -> int:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            # It is read twice: to say the price, then to import. Opening a pipe may never end.
            raise CommandError(
                f"{file} is a pipe or a device; save it as a file first. Nothing was written.",
                returncode=2,
            )
        with file.open("rb"):
            return found.st_size
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror}. Nothing was written.", returncode=2
        ) from error


def _nothing_readable(reader: Reader) -> str:
    first = f" The first: {reader.bad_lines[0]}." if reader.bad_lines else " It is empty."
    return f"No line could be read, so nothing was written.{first}"


def _preview_in_words(reader: Reader, preview: Preview) -> str:
    return (
        f"{reader.count:,} conversations read, {len(reader.bad_lines):,} lines left out.\n"
        f"{preview.conversations:,} are new for published trackers; scanning them will use "
        f"{grouped(preview.credits)} credits ({preview.scans:,} scans)."
    )


def _report_in_words(report: Report) -> str:
    return (
        f"Imported: {report.created:,} new, {report.revised:,} with changed text, "
        f"{report.updated:,} with changed details, {report.unchanged:,} unchanged. "
        f"{report.scans:,} scans queued."
    ) + (f" Erased earlier and not taken in: {report.erased:,}." if report.erased else "")


def _as_json(reader: Reader, preview: Preview, report: Report, *, dry_run: bool) -> str:
    left_out = [asdict(bad_line) for bad_line in reader.bad_lines]
    return json.dumps(
        {
            "dry_run": dry_run,
            "read": reader.count,
            "repeated": reader.repeats,
            "new_for_trackers": {
                "conversations": preview.conversations,
                "scans": preview.scans,
                "credits": text(preview.credits),
            },
            "imported": asdict(report),
            "notes": reader.notes,
            "left_out": left_out,
        }
    )
