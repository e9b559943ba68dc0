"""The credit reports as files: the very bytes that the page “Download credit reports” gives."""

from __future__ import annotations

import errno
import io
from typing import Any, ClassVar

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework import serializers
from rest_framework.exceptions import NotAcceptable
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from credits import audit, exports
from credits.api import problems
from credits.api.answers import RETRY_SECONDS
from credits.api.fields import CodeField, DayField, FlagField
from credits.api.problems import Problem
from credits.api.reading import Parameters
from credits.api.views import ApiView
from credits.audit import Action, Actor
from credits.downloads import FileDownload
from credits.models import AuditActor, ExportFormat, Scope
from credits.reports import files
from credits.reports.balance import CreditBalanceReport
from credits.reports.base import CreditReport, DayRange
from credits.reports.files import CONTENT_TYPES
from credits.reports.registry import Choice
from credits.reports.usage import CreditUsageReport

FORMATS = {one.value.lower(): one for one in ExportFormat}
# Half a minute's writing at most; whoever asks waits for it on an open connection.
ROWS_MAX: dict[str, int] = {
    ExportFormat.CSV: 1_000_000,
    ExportFormat.JSON: 1_000_000,
    ExportFormat.XLSX: 100_000,
}
ROW_COUNT = "X-Report-Rows"
NO_CHOICE = (
    "A report is JSON, CSV or XLSX: accept application/json, text/csv or "
    f"{CONTENT_TYPES['xlsx']}, or leave the header Accept out and say “format”."
)


class CsvRenderer(BaseRenderer):
    """Lets a client accept CSV. The file is written by the report, not rendered."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return b""


class XlsxRenderer(CsvRenderer):
    """Lets a client accept a workbook."""

    media_type = CONTENT_TYPES["xlsx"]
    format = "xlsx"


class ReportParameters(Parameters):
    """Which local days, and how the file is written."""

    to = DayField(
        required=False, help_text="The last local day, itself included; without it, all there are."
    )
    format = CodeField(
        required=False,
        choices=[(name, name) for name in FORMATS],
        help_text="Instead of the header Accept; with neither, json.",
    )
    bom = FlagField(
        required=False,
        default=False,
        help_text="Begin a CSV with a byte-order mark, by which Excel reads accents rightly.",
    )

    def get_fields(self) -> dict[str, Any]:
        # “from” is a word of Python's own.
        first = DayField(
            required=False,
            help_text="The first day, local to your company's zone, such as 2026-11-01.",
        )
        return {"from": first, **super().get_fields()}


class UsageReportParameters(ReportParameters):
    """As those of every report, and what rows there are."""

    include_free_use = FlagField(
        required=False,
        default=False,
        help_text="Also previews, manual work and reused answers, which cost 0.",
    )
    daily = FlagField(required=False, default=False, help_text="One row per tracker and local day.")


class UsageReportRow(serializers.Serializer[Any]):
    """A row of the credit usage report."""

    def get_fields(self) -> dict[str, Any]:
        return cells_of(CreditUsageReport)


class BalanceReportRow(serializers.Serializer[Any]):
    """A row of the credit balance report."""

    def get_fields(self) -> dict[str, Any]:
        return cells_of(CreditBalanceReport)


def cells_of(report: type[CreditReport]) -> dict[str, Any]:
    """Return a report's cells by their headers: each a text, empty where there is nothing."""
    headers = [column.column_name for column in report.fields.values()]
    return {header: serializers.CharField(allow_blank=True) for header in headers}


def documented(
    row: type[serializers.Serializer[Any]],
    parameters: type[ReportParameters],
    *,
    operation_id: str,
    summary: str,
    example: dict[str, str],
) -> Any:
    """Describe an operation that answers a report, with one row of it in each form of text."""
    text = "\r\n".join(",".join(_quoted(cell) for cell in line) for line in _lines(example))
    return extend_schema(
        operation_id=operation_id,
        tags=["Reports"],
        summary=summary,
        parameters=[
            parameters,
            OpenApiParameter(
                ROW_COUNT,
                int,
                OpenApiParameter.HEADER,
                response=[200],
                description="How many rows.",
            ),
        ],
        responses={
            (200, "application/json"): OpenApiResponse(
                row(many=True),
                description="The report, an object for each row.",
                examples=[OpenApiExample("json", value=example, media_type="application/json")],
            ),
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR,
                examples=[OpenApiExample("csv", value=f"{text}\r\n", media_type="text/csv")],
            ),
            (200, CONTENT_TYPES["xlsx"]): OpenApiResponse(
                OpenApiTypes.BINARY,
                examples=[OpenApiExample("xlsx", value="PK…", media_type=CONTENT_TYPES["xlsx"])],
            ),
        },
    )


def _lines(example: dict[str, str]) -> tuple[list[str], list[str]]:
    return list(example), list(example.values())


def _quoted(cell: str) -> str:
    return f'"{cell}"' if "," in cell else cell


class ReportView(ApiView):
    """Answers a report of the key's company as a file; this uses no credits."""

    report: ClassVar[type[CreditReport]]
    parameters = ReportParameters
    raises = (problems.INVALID_PARAMETER,)
    renderer_classes = (JSONRenderer, CsvRenderer, XlsxRenderer)

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        try:
            return super().perform_content_negotiation(request, force)
        except NotAcceptable as error:
            raise Problem(problems.NOT_ACCEPTABLE, NO_CHOICE) from error

    def answer(self) -> HttpResponseBase:
        """Return the file, of one state of the ledger, written before any of it is sent."""
        choice = self._choice()
        report = self.report(
            company=self.company, has_free_use=choice.has_free_use, is_daily=choice.is_daily
        )
        _refuse_long(report, choice)
        try:
            file, written = files.as_file(
                report, choice.days, file_format=choice.file_format, has_bom=choice.has_bom
            )
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Problem(
                problems.UNAVAILABLE,
                f"The report was not made: {exports.DISK_FULL}",
                headers={"Retry-After": str(RETRY_SECONDS)},
            ) from error
        if self.request.method != "HEAD":
            self._record(choice)
        name = choice.file_name(self.company, written.extension)
        headers = {
            "Content-Type": CONTENT_TYPES[written.extension],
            "Content-Disposition": content_disposition_header(True, name) or "",
            ROW_COUNT: str(written.row_count),
        }
        if file.seek(0, io.SEEK_END) > files.SPOOL_BYTES_MAX:
            file.seek(0)
            return FileDownload(file, headers=headers)
        with file:  # It never was anywhere but in memory.
            file.seek(0)
            return HttpResponse(file.read(), headers=headers)

    def _choice(self) -> Choice:
        values = self.values
        first, last = values.get("from"), values.get("to")
        if first and last and first > last:
            raise _refused("to", f"The last day, {last}, is before the first, {first}. Swap them.")
        name = values.get("format") or self.request.accepted_renderer.format
        file_format = FORMATS[name]
        if values["bom"] and file_format != ExportFormat.CSV:
            raise _refused("bom", "Only a CSV begins with a byte-order mark; leave it out.")
        return Choice(
            report=self.report.slug,
            days=DayRange(first, last),
            file_format=file_format,
            has_free_use=values.get("include_free_use", False),
            is_daily=values.get("daily", False),
            has_bom=values["bom"],
        )

    def _record(self, choice: Choice) -> None:
        audit.record(
            action=Action.EXPORTED,
            by=Actor(AuditActor.API_KEY, self.key.pk, self.key.name),
            company=self.company,
            subject=audit.Subject("report", self.report.slug, self.report.title),
            after=choice.facts,
        )


def _refuse_long(report: CreditReport, choice: Choice) -> None:
    """Refuse what would take longer than a client waits.

    :raises Problem: it has more rows than one answer may.
    """
    report.before_export(None)
    found, row_count_max = report.totals(choice.days).row_count, ROWS_MAX[choice.file_format]
    if found > row_count_max:
        raise _refused(
            "from",
            f"These days have {found:,} rows, and one answer has at most {row_count_max:,} in this "
            "format. Ask for fewer days at a time.",
        )


def _refused(name: str, detail: str) -> Problem:
    return Problem(
        problems.INVALID_PARAMETER,
        f"{name}: {detail}",
        errors=[{"name": name, "detail": detail}],
    )


class UsageReportView(ReportView):
    """The credit usage report."""

    scopes: ClassVar = {"GET": Scope.USAGE_READ}
    parameters = UsageReportParameters
    report = CreditUsageReport

    @documented(
        UsageReportRow,
        UsageReportParameters,
        operation_id="read_credit_usage_report",
        summary="Download the credit usage report",
        example={
            "Usage time": "2026-11-21T23:10:05+01:00",
            "Feature type": "AI Tracker",
            "Feature name": "Pricing objection",
            "Usage action": "Continuous",
            "Integration": "",
            "User ID": "",
            "Credits used": "12.4",
            "Usage breakdown": "Calls: 10, Emails: 24, Web searches: 0",
            "# of requests": "",
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """One row per usage event, in ledger order; JSON, CSV or XLSX, in the company's zone.

        The same file as the page “Download credit reports” gives; it uses no credits.
        """
        return self.answer()


class BalanceReportView(ReportView):
    """The credit balance report."""

    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    report = CreditBalanceReport

    @documented(
        BalanceReportRow,
        ReportParameters,
        operation_id="read_credit_balance_report",
        summary="Download the credit balance report",
        example={
            "Action date": "2026-11-21",
            "Action": "Consuming credits",
            "Method": "Used",
            "# of credits": "12.4",
            "Total credits before": "8423.8",
            "Total credits after": "8411.4",
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """One row per ledger entry, as a statement of account; JSON, CSV or XLSX.

        The same file as the page “Download credit reports” gives; it uses no credits.
        """
        return self.answer()
