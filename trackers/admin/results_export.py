"""Results as a file: what the list shows, with the text that is quoted."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import xlsxwriter
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ExportMixin
from import_export.fields import Field
from import_export.formats.base_formats import CSV, JSON, Format
from import_export.resources import Resource
from unfold.contrib.import_export.forms import ExportForm

from credits import amounts
from credits.admin.downloads import AuditedExport
from credits.current_company import scope_of
from credits.models import Company
from credits.reports import files
from credits.reports.base import CHUNK_ROWS
from credits.reports.columns import Column, TextColumn, harmless
from credits.roles import Act
from trackers.admin import reading
from trackers.models import Scan, ScanState, Verdict

# Each row brings its quote with it; more are taken out in parts, by the days of the list.
ROWS_MAX = 20_000
QUOTE_CHARACTERS_MAX = 2000


class ResultsReport(Resource):
    """Results newest first, times in the company's zone."""

    title: ClassVar[str] = "Results"
    slug: ClassVar[str] = "results"

    conversation = TextColumn("Conversation")
    external_id = TextColumn("External id")
    kind = Column("Kind")
    started = Column("Started")
    account = TextColumn("Account")
    deal = TextColumn("Deal")
    team = TextColumn("Team")
    tracker = TextColumn("Tracker")
    version = Column("Version")
    result = Column("Result")
    confidence = Column("Confidence")
    answer = TextColumn("Answer")
    quote = TextColumn("Quote")
    speaker = TextColumn("Speaker")
    quote_time = Column("Quote time")
    credits = Column("Credits")
    action = Column("Action")
    finished = Column("Finished")
    judged = Column("Judged")

    class Meta:
        chunk_size = CHUNK_ROWS

    def __init__(self, *, company: Company) -> None:
        super().__init__()
        self.zone = ZoneInfo(company.time_zone)

    @classmethod
    def get_display_name(cls) -> str:
        return cls.title

    def get_user_visible_fields(self) -> list[Field]:
        return list(self.fields.values())

    def export_field(self, field: Field, instance: Any, **kwargs: Any) -> str:
        cell = str(super().export_field(field, instance, **kwargs))
        return harmless(cell) if isinstance(field, TextColumn) else cell

    def dehydrate_conversation(self, scan: Scan) -> str:
        return scan.conversation.title

    def dehydrate_external_id(self, scan: Scan) -> str:
        return scan.conversation.external_id

    def dehydrate_kind(self, scan: Scan) -> str:
        return scan.conversation.get_kind_display()

    def dehydrate_started(self, scan: Scan) -> str:
        return self._instant(scan.conversation.started_at)

    def dehydrate_account(self, scan: Scan) -> str:
        return str(scan.conversation.account or "")

    def dehydrate_deal(self, scan: Scan) -> str:
        return str(scan.conversation.deal or "")

    def dehydrate_team(self, scan: Scan) -> str:
        return str(scan.conversation.team or "")

    def dehydrate_tracker(self, scan: Scan) -> str:
        return scan.tracker.name

    def dehydrate_version(self, scan: Scan) -> int:
        return scan.version.number

    def dehydrate_result(self, scan: Scan) -> str:
        return scan.get_verdict_display() or scan.get_state_display()

    def dehydrate_confidence(self, scan: Scan) -> str:
        return scan.get_confidence_display()

    def dehydrate_answer(self, scan: Scan) -> str:
        return scan.answer

    def dehydrate_quote(self, scan: Scan) -> str:
        quote = _best(scan)
        text = quote and quote.utterance.text[quote.start : quote.end]
        return (text or "")[:QUOTE_CHARACTERS_MAX]

    def dehydrate_speaker(self, scan: Scan) -> str:
        quote = _best(scan)
        return str(quote.utterance.speaker) if quote else ""

    def dehydrate_quote_time(self, scan: Scan) -> str:
        quote = _best(scan)
        return reading.clock(quote.utterance.start_seconds) if quote else ""

    def dehydrate_credits(self, scan: Scan) -> str:
        is_paid = scan.state == ScanState.DONE and scan.price is not None
        return amounts.text(scan.price or Decimal(0)) if is_paid else ""

    def dehydrate_action(self, scan: Scan) -> str:
        return scan.get_action_display()

    def dehydrate_finished(self, scan: Scan) -> str:
        return self._instant(scan.finished_at)

    def dehydrate_judged(self, scan: Any) -> str:
        return judged_in_words(scan)

    def _instant(self, value: Any) -> str:
        return value.astimezone(self.zone).isoformat(timespec="seconds") if value else ""


class ResultsXLSX(Format):
    """A workbook in which text stays text, whatever it begins with, and credits are numbers."""

    def get_title(self) -> str:
        return "xlsx"

    def can_export(self) -> bool:
        return True

    def get_extension(self) -> str:
        return "xlsx"

    def get_content_type(self) -> str:
        return files.CONTENT_TYPES["xlsx"]

    def is_binary(self) -> bool:
        return True

    def export_data(self, dataset: Any, **kwargs: Any) -> bytes:
        file = io.BytesIO()
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        book = xlsxwriter.Workbook(file, options)
        sheet = book.add_worksheet(ResultsReport.title)
        sheet.freeze_panes(1, 0)
        numbers = {dataset.headers.index(name) for name in ("Credits", "Version")}
        for place, header in enumerate(dataset.headers):
            sheet.write_string(0, place, header, book.add_format({"bold": True}))
        for line, row in enumerate(dataset, start=1):
            for place, cell in enumerate(row):
                if cell and place in numbers:
                    sheet.write_number(line, place, Decimal(cell))
                elif cell:
                    sheet.write_string(line, place, cell)
        book.close()
        return file.getvalue()


class ResultsExportMixin(AuditedExport, ExportMixin):
    """The list's own export: its filters are the file's."""

    resource_classes: ClassVar = [ResultsReport]
    export_formats: ClassVar = [CSV, ResultsXLSX, JSON]
    export_form_class: Any = ExportForm
    to_encoding = "utf-8"

    def has_export_permission(self, request: HttpRequest) -> bool:
        # Times are those of one company's zone.
        scope = scope_of(request)
        return scope.company is not None and scope.may(Act.VIEW_RESULTS)

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"company": scope_of(request).company}

    def offer(self, request: HttpRequest) -> HttpResponse:
        """Offer the formats; refuse more rows than a file takes, before any is read."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        rows = self.get_export_queryset(request)
        if rows.order_by()[: ROWS_MAX + 1].count() > ROWS_MAX:
            messages.warning(
                request,
                f"A file takes at most {ROWS_MAX:,} results, and these are more. Filter the list, "
                "by days for example, and export again.",
            )
            query = f"?{request.GET.urlencode()}" if request.GET else ""
            return HttpResponseRedirect(f"{reverse('admin:trackers_scan_changelist')}{query}")
        return super().offer(request)

    def get_export_filename(self, request: HttpRequest, queryset: Any, file_format: Any) -> str:
        company = scope_of(request).company
        assert company is not None  # has_export_permission
        return f"results-{company.slug}.{file_format.get_extension()}"


def judged_in_words(scan: Any) -> str:
    """Say what a person said of a result; empty where nobody did."""
    if scan.is_right is None or scan.state != ScanState.DONE:
        return ""
    if scan.verdict == Verdict.UNSURE:
        return "It is there" if scan.is_right else "It is not there"
    return "Confirmed" if scan.is_right else "Rejected"


def _best(scan: Scan) -> Any:
    """Return the quote that the list shows: none of what only came nearest."""
    return None if scan.verdict == Verdict.NO else next(iter(scan.quotes.all()), None)
