"""Imports by upload: kept for an hour, shown in numbers, and taken in when they are confirmed.

Nothing of an upload is among the conversations before that. Its files are removed when it is
imported, when it expires, and with any erasure of the company's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.db import DatabaseError, transaction
from django.db.models import Q

from credits import audit, rating
from credits.amounts import ZERO
from credits.audit import Action
from credits.models import Company, User
from trackers import directory_imports, erased_ids, ingestion
from trackers.importers import directory, formats
from trackers.importers.reading import BadLine, MemoryFile, Reader
from trackers.importers.records import ConversationRecord
from trackers.ingestion import Report
from trackers.models import Conversation, ImportFile, ImportFormat, ImportUpload

KEPT = timedelta(hours=1)
# Whoever confirmed an import and died is not waited for longer.
RUNNING_MAX = timedelta(minutes=15)
FILES_MAX = 10
FILE_NAME_LENGTH_MAX = 255


class NothingUploaded(Exception):
    """There is nothing in these files; choose a file with at least one line."""


class TooManyFiles(Exception):
    """Choose at most 10 files at once."""


class UploadTooLarge(Exception):
    """The files are larger than one upload may be."""

    def __init__(self) -> None:
        super().__init__(
            f"The files are larger than {settings.IMPORT_MEGABYTES:,} MB together, which is the "
            "most for one upload. Split them, or ask whoever runs the server to import them."
        )


class UploadGone(Exception):
    """These files are not kept any more; upload them again."""


class AlreadyImported(Exception):
    """This was imported already, or is being imported just now."""


class Quota(FileUploadHandler):
    """Stores no more of a file than an upload may have: the rest is read and thrown away."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        return raw_data if start <= bytes_max() else None

    def file_complete(self, file_size: int) -> None:
        return None


@dataclass(slots=True)
class UploadPreview:
    """What an upload holds and would do, in conversations, or in accounts and deals.

    ``new`` are new for published trackers; ``history`` waits for a backfill.
    """

    readable: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repeats: int = 0
    report: Report = field(default_factory=Report)
    directory: directory_imports.DirectoryReport | None = None
    new: int = 0
    scans: int = 0
    credits: Decimal = ZERO

    @property
    def history(self) -> int:
        return self.report.created - self.new


def bytes_max() -> int:
    return int(settings.IMPORT_MEGABYTES) * 1024 * 1024


def keep(
    *,
    company: Company,
    files: Iterable[MemoryFile],
    import_format: str,
    by: User,
    now: datetime,
) -> ImportUpload:
    """Keep files for an hour; nothing is imported. An empty format is told from the files.

    :raises NothingUploaded: there is no file, or one is empty.
    :raises TooManyFiles: there are more than 10.
    :raises UploadTooLarge: they have more bytes than one upload may.
    :raises TooManyRows: they have more rows.
    :raises MixedFiles: no format was chosen, and some hold accounts, others calls.
    """
    given = list(files)
    if not given or not all(file.content.strip() for file in given):
        raise NothingUploaded(NothingUploaded.__doc__)
    if len(given) > FILES_MAX:
        raise TooManyFiles(TooManyFiles.__doc__)
    byte_count = sum(len(file.content) for file in given)
    if byte_count > bytes_max():
        raise UploadTooLarge
    chosen = import_format or formats.detect(given)
    # Read to the end once, for the limit of rows.
    for _ in _reader(chosen, given, now):
        pass
    with transaction.atomic():
        upload = ImportUpload.objects.create(
            company=company,
            import_format=chosen,
            byte_count=byte_count,
            uploaded_at=now,
            uploaded_by=by,
            expires_at=now + KEPT,
        )
        ImportFile.objects.bulk_create(
            ImportFile(
                company=company,
                upload=upload,
                position=position,
                name=_safe_name(file.name),
                content=file.content,
            )
            for position, file in enumerate(given)
        )
        audit.record(action=Action.ADDED, by=by, company=company, subject=upload)
    return upload


def look(*, upload: ImportUpload, now: datetime) -> UploadPreview:
    """Say what an upload holds and would do; nothing is changed.

    :raises UploadGone: its files are not kept any more.
    """
    files = _files(upload, now)
    reader = _reader(upload.import_format, files, now)
    found = UploadPreview()
    if isinstance(reader, directory.Reader):
        found.directory = directory_imports.preview(company=upload.company, rows=reader, now=now)
        found.readable, found.bad_lines = reader.count, reader.bad_lines
        return found
    found.report = compare(upload.company, reader)
    planned = ingestion.preview(
        company=upload.company, records=reader, now=now, rates=rating.rates_at(now)
    )
    found.new, found.scans, found.credits = planned.conversations, planned.scans, planned.credits
    found.readable, found.bad_lines = reader.count, reader.bad_lines
    found.notes, found.repeats = reader.notes, reader.repeats
    return found


def compare(company: Company, records: Iterable[ConversationRecord]) -> Report:
    """Count what of an import is not there yet, changed, the same, or erased."""
    report = Report()
    for by_id in ingestion.chunks(records):
        digests = erased_ids.digests(company, by_id)
        rows = Conversation.objects.filter(company=company, external_id__in=[*by_id, *digests])
        known = {
            row[0]: row for row in rows.values_list("external_id", "text_digest", "metadata_digest")
        }
        erased = {digests[digest] for digest in digests.keys() & known.keys()}
        report.erased += len(erased)
        for external_id, record in by_id.items():
            if external_id in erased:
                continue
            stored = known.get(external_id)
            if stored is None:
                report.created += 1
            elif bytes(stored[1]) != record.text_digest:
                report.revised += 1
            elif bytes(stored[2]) != record.metadata_digest:
                report.updated += 1
            else:
                report.unchanged += 1
    return report


def take_in(*, upload: ImportUpload, by: User, now: datetime) -> ImportUpload:
    """Import what was uploaded, remove its files, and return it with what was done.

    :raises UploadGone: its files are not kept any more; nothing was imported.
    :raises AlreadyImported: somebody did it before, or does so now.
    :raises CompanyClosed: nothing more is taken in from here on.
    """
    files = _claim(upload, now)
    try:
        _take_in(upload, files, by, now)
    except BaseException:
        # What came in stays, and comes in once however often it is confirmed. Where the database
        # does not answer either, the claim ends by time.
        with suppress(DatabaseError):
            ImportUpload.objects.filter(pk=upload.pk, confirmed_at=now).update(confirmed_at=None)
        raise
    upload.refresh_from_db()
    return upload


def clean_up(*, now: datetime) -> int:
    """Remove the files of uploads that have expired; return how many."""
    return ImportFile.objects.filter(upload__expires_at__lte=now).delete()[0]


def is_kept(upload: ImportUpload, now: datetime) -> bool:
    """Tell whether it can still be confirmed: expiry is a fact of time, not of a job."""
    return upload.finished_at is None and now < upload.expires_at and upload.files.exists()


def _take_in(upload: ImportUpload, files: list[MemoryFile], by: User, now: datetime) -> None:
    reader = _reader(upload.import_format, files, now)
    about = {"format": upload.get_import_format_display(), "files": len(files)}
    _record(Action.IMPORT_STARTED, upload, by, about)
    figures = (
        _take_in_directory(upload, reader, now)
        if isinstance(reader, directory.Reader)
        else _take_in_conversations(upload, reader, now)
    )
    with transaction.atomic():
        ImportUpload.objects.filter(pk=upload.pk).update(
            finished_at=now, left_out_count=len(reader.bad_lines), **figures
        )
        ImportFile.objects.filter(upload=upload).delete()
        _record(Action.IMPORTED, upload, by, figures)


def _take_in_conversations(upload: ImportUpload, reader: Reader, now: datetime) -> dict[str, int]:
    report = Report()
    for running in ingestion.ingest(company=upload.company, records=reader, now=now):
        report = running
    return {
        "created_count": report.created,
        "revised_count": report.revised,
        "updated_count": report.updated,
        "unchanged_count": report.unchanged,
        "erased_count": report.erased,
        "scan_count": report.scans,
    }


def _take_in_directory(
    upload: ImportUpload, reader: directory.Reader, now: datetime
) -> dict[str, int]:
    report = directory_imports.take_in(company=upload.company, rows=reader, now=now)
    return {
        "created_count": report.created,
        "updated_count": report.changed,
        "unchanged_count": report.unchanged,
    }


def _claim(upload: ImportUpload, now: datetime) -> list[MemoryFile]:
    """Return the files for the one who imports them; of two at once, one."""
    with transaction.atomic():
        files = _files(upload, now)
        free = Q(confirmed_at=None) | Q(confirmed_at__lt=now - RUNNING_MAX)
        claimed = ImportUpload.objects.filter(free, pk=upload.pk, finished_at=None)
        if not claimed.update(confirmed_at=now):
            raise AlreadyImported(AlreadyImported.__doc__)
    return files


def _files(upload: ImportUpload, now: datetime) -> list[MemoryFile]:
    if upload.finished_at is not None:
        raise AlreadyImported(AlreadyImported.__doc__)
    files = [
        MemoryFile(file.name, bytes(file.content))
        for file in ImportFile.objects.filter(upload=upload).order_by("position")
    ]
    if not files or now >= upload.expires_at:
        raise UploadGone(UploadGone.__doc__)
    return files


def _reader(
    import_format: str, files: list[MemoryFile], now: datetime
) -> Reader | directory.Reader:
    if import_format == ImportFormat.DIRECTORY:
        return directory.Reader([*files], rows_max=settings.IMPORT_ROWS)
    return formats.reader_of(import_format, files, arrived_at=now, rows_max=settings.IMPORT_ROWS)


def _record(action: Action, upload: ImportUpload, by: User, after: dict[str, Any]) -> None:
    audit.record(action=action, by=by, company=upload.company, subject=upload, after=after)


def _safe_name(name: str) -> str:
    """Return a file's name without what no name needs: it is shown beside what is wrong."""
    kept = "".join(letter for letter in name if letter.isprintable())
    return kept[-FILE_NAME_LENGTH_MAX:] or "file"
