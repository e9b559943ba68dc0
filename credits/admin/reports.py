"""The page “Download credit reports”, and the form of import-export's own export page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.generic import View
from unfold.contrib.import_export.forms import ExportForm
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldBooleanWidget

from credits import expirations, shown
from credits.admin import exporting
from credits.admin.days import DayField
from credits.current_company import scope_of
from credits.models import Company
from credits.reports import files
from credits.reports.base import DayRange
from credits.reports.usage import CreditUsageReport
from credits.roles import Act

CUSTOM = "custom"
PRESETS: dict[str, tuple[str, Callable[[date], DayRange]]] = {
    "this-month": ("This month", lambda today: DayRange(today.replace(day=1), today)),
    "last-month": ("Last month", lambda today: _month_before(today)),
    "last-90-days": ("Last 90 days", lambda today: DayRange(today - timedelta(days=90), today)),
    "all": ("All", lambda today: DayRange()),
}
FREE_USE = "Include free use (previews, manual work, reused answers)"


class StockExportForm(ExportForm):
    """import-export's form, with the one choice that the report has."""

    include_free_use = forms.BooleanField(
        label=FREE_USE, required=False, widget=UnfoldBooleanWidget
    )


class ReportForm(forms.Form):
    """Which report, over which local days, in which format."""

    report = forms.ChoiceField(
        choices=[(CreditUsageReport.slug, CreditUsageReport.title)],
        initial=CreditUsageReport.slug,
        widget=UnfoldAdminRadioSelectWidget,
    )
    days = forms.ChoiceField(
        label="Date range",
        choices=[*((code, label) for code, (label, _) in PRESETS.items()), (CUSTOM, "These days:")],
        initial="this-month",
        widget=UnfoldAdminRadioSelectWidget,
    )
    first = DayField(label="First day", required=False)
    last = DayField(label="Last day", required=False)
    format = forms.ChoiceField(
        choices=[("csv", "CSV")], initial="csv", widget=UnfoldAdminRadioSelectWidget
    )
    include_free_use = forms.BooleanField(
        label=FREE_USE, required=False, widget=UnfoldBooleanWidget
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        first, last = values.get("first"), values.get("last")
        is_custom = values.get("days") == CUSTOM
        if is_custom and not self.errors and not (first and last):
            raise forms.ValidationError(
                "The export was not made: choose a first and a last day, or another date range."
            )
        if is_custom and first and last and first > last:
            raise forms.ValidationError(
                f"The export was not made: the first day ({shown.day(first)}) is after the last "
                f"day ({shown.day(last)}). Swap them?"
            )
        return values

    def range(self, today: date) -> DayRange:
        if self.cleaned_data["days"] == CUSTOM:
            return DayRange(self.cleaned_data["first"], self.cleaned_data["last"])
        _, preset = PRESETS[self.cleaned_data["days"]]
        return preset(today)


class CreditReportsView(View):
    """Choose a report and a range, see what the file will hold, then download it.

    All by GET, so that a choice can be kept as a link.
    """

    site: AdminSite | None = None

    def get(self, request: HttpRequest) -> HttpResponseBase:
        scope = scope_of(request)
        if not scope.may(Act.EXPORT_REPORTS):
            raise PermissionDenied
        if scope.company is None:
            return self._page(request, {"needs_company": True})
        defaults = {name: field.initial for name, field in ReportForm.base_fields.items()}
        form = ReportForm(request.GET if "days" in request.GET else defaults)
        if not form.is_valid():
            return self._page(request, {"form": form})
        company = scope.company
        report = CreditUsageReport(
            company=company, has_free_use=form.cleaned_data["include_free_use"]
        )
        today = timezone.now().astimezone(ZoneInfo(company.time_zone)).date()
        days = form.range(today)
        if "export" in request.GET:
            details = {
                "days": in_words(days),
                "format": "CSV",
                "free_use": form.cleaned_data["include_free_use"],
            }
            exporting.record(request, name=report.slug, label=report.title, details=details)
            return FileResponse(
                files.as_csv(report, days),
                as_attachment=True,
                filename=_file_name(report, company, days),
                content_type="text/csv; charset=utf-8",
            )
        return self._page(request, {"form": form} | _preview(report, days))

    def _page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        assert self.site is not None
        request.current_app = self.site.name
        return TemplateResponse(
            request,
            "admin/credits/reports.html",
            self.site.each_context(request)
            | {
                "title": "Download credit reports",
                "zone": getattr(scope_of(request).company, "time_zone", ""),
            }
            | context,
        )


def _preview(report: CreditUsageReport, days: DayRange) -> dict[str, Any]:
    expirations.settle(company=report.company)
    totals = report.totals(days)
    return {
        "range_in_words": in_words(days),
        "totals": totals,
        "row_count": shown.count(totals.row_count, metric="report-rows"),
        "credits_used": shown.amount(totals.credits, metric="report-credits"),
    }


def in_words(days: DayRange) -> str:
    """Name a range of days, for a sentence that begins “No usage …”."""
    if days.first is None or days.last is None:
        return "at any time"
    return f"between {shown.day(days.first)} and {shown.day(days.last)}"


def _file_name(report: CreditUsageReport, company: Company, days: DayRange) -> str:
    span = "all" if days.first is None else f"{days.first}-to-{days.last}"
    return f"{report.slug}-{company.slug}-{span}.csv"


def _month_before(today: date) -> DayRange:
    last = today.replace(day=1) - timedelta(days=1)
    return DayRange(last.replace(day=1), last)
