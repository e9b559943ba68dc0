"""The page “Download credit reports”: report, days and format; what it will hold; the file."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.generic import View
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldBooleanWidget

from credits import exports, shown, snapshots
from credits.admin import downloads
from credits.admin.days import DayField
from credits.admin.exporting import DAILY, FREE_USE
from credits.current_company import scope_of
from credits.downloads import FileDownload
from credits.models import Company, ExportFormat
from credits.reports import control, files, registry
from credits.reports.base import DayRange, Totals
from credits.reports.control import Control
from credits.reports.files import CONTENT_TYPES
from credits.reports.registry import Choice
from credits.roles import Act

CUSTOM = "custom"
PRESETS: dict[str, tuple[str, Callable[[date], DayRange]]] = {
    "this-month": ("This month", lambda today: DayRange(today.replace(day=1), today)),
    "last-month": ("Last month", lambda today: _month_before(today)),
    "last-90-days": ("Last 90 days", lambda today: DayRange(today - timedelta(days=90), today)),
    "all": ("All", lambda today: DayRange()),
}
# What is written while the person waits; more is prepared in the background.
ROWS_AT_ONCE_MAX = 5000


class ReportForm(forms.Form):
    """Which report, over which local days, in which format."""

    report = forms.ChoiceField(
        choices=registry.choices, initial="credit-usage", widget=UnfoldAdminRadioSelectWidget
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
        choices=ExportFormat.choices, initial=ExportFormat.CSV, widget=UnfoldAdminRadioSelectWidget
    )
    include_free_use = forms.BooleanField(
        label=FREE_USE, required=False, widget=UnfoldBooleanWidget
    )
    is_daily = forms.BooleanField(label=DAILY, required=False, widget=UnfoldBooleanWidget)
    has_bom = forms.BooleanField(
        label="Begin with a byte-order mark, by which Excel reads accents rightly",
        required=False,
        widget=UnfoldBooleanWidget,
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
                f"day ({shown.day(last)}). Swap them?",
                code="reversed",
            )
        return values

    @property
    def is_reversed(self) -> bool:
        return self.has_error(NON_FIELD_ERRORS, "reversed")

    def choice(self, today: date) -> Choice:
        """Return what was chosen; choices that the report or format does not have are left out."""
        values = self.cleaned_data
        is_usage = values["report"] == self.fields["report"].initial
        return Choice(
            report=values["report"],
            days=self._range(today),
            file_format=values["format"],
            has_free_use=is_usage and values["include_free_use"],
            is_daily=is_usage and values["is_daily"],
            has_bom=values["format"] == ExportFormat.CSV and values["has_bom"],
        )

    def _range(self, today: date) -> DayRange:
        if self.cleaned_data["days"] == CUSTOM:
            return DayRange(self.cleaned_data["first"], self.cleaned_data["last"])
        _, preset = PRESETS[self.cleaned_data["days"]]
        return preset(today)


class CreditReportsView(View):
    """Choose a report and a range, see what the file will hold, then download it.

    By GET, so that a choice can be kept as a link; a long report is asked for by POST.
    """

    site: AdminSite | None = None

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._answer(request, request.GET)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        return self._answer(request, request.POST)

    def _answer(self, request: HttpRequest, typed: QueryDict) -> HttpResponseBase:
        scope = scope_of(request)
        if not scope.may(Act.EXPORT_REPORTS):
            raise PermissionDenied
        company = scope.company
        if company is None:
            return self._page(request, {"needs_company": True})
        defaults = {name: field.initial for name, field in ReportForm.base_fields.items()}
        form = ReportForm(typed if "days" in typed else defaults)
        if not form.is_valid():
            return self._page(request, {"form": form, "swapped": _swapped(form, typed)})
        choice = form.choice(timezone.now().astimezone(shown.zone_of(company)).date())
        totals, figures = _totals(company, choice)
        is_long = totals.row_count > ROWS_AT_ONCE_MAX
        if request.method == "POST" and is_long:
            return _prepare(request, company, choice, totals)
        if request.method == "POST":
            # Only a long report leaves something behind; a short one is asked for by its link.
            return redirect(f"{request.path}?{_query(typed, export='1')}")
        if "export" in typed and not is_long:
            try:
                return _download(request, company, choice)
            except OSError as error:
                form.add_error(None, _disk_refusal(error))
        context = _preview(company, choice, totals, figures)
        return self._page(
            request, {"form": form, "is_asked_for": "export" in typed, "is_long": is_long} | context
        )

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
                "rows_at_once": f"{ROWS_AT_ONCE_MAX:,}",
            }
            | context,
        )


def _totals(company: Company, choice: Choice) -> tuple[Totals, Control]:
    report = choice.report_of(company)
    report.before_export(None)
    with snapshots.taken():
        return report.totals(choice.days), control.of(company=company, days=choice.days)


def _download(request: HttpRequest, company: Company, choice: Choice) -> FileDownload:
    report = choice.report_of(company)
    file, written = files.as_file(
        report,
        choice.days,
        file_format=choice.file_format,
        has_bom=choice.has_bom,
    )
    downloads.record(request, name=report.slug, label=report.title, details=choice.facts)
    return FileDownload(
        file,
        as_attachment=True,
        filename=choice.file_name(company, written.extension),
        content_type=CONTENT_TYPES[written.extension],
    )


def _prepare(
    request: HttpRequest, company: Company, choice: Choice, totals: Totals
) -> HttpResponse:
    try:
        job = exports.request(
            company=company,
            choice=choice,
            row_count=totals.row_count,
            by=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
            address=request.build_absolute_uri,
        )
    except exports.TooManyExports as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:credits_exportjob_changelist")
    messages.success(
        request,
        f"The report of {totals.row_count:,} rows is being prepared. You can leave this page: "
        "it goes on, you get an e-mail when it has ended, and the file is kept here for seven "
        "days.",
    )
    return redirect("admin:credits_exportjob_change", job.pk)


def _disk_refusal(error: OSError) -> str:
    """Say what a full disk is; any other trouble with files is a fault of ours."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    return f"The export was not made: {exports.DISK_FULL}"


def _preview(company: Company, choice: Choice, totals: Totals, figures: Control) -> dict[str, Any]:
    report = choice.report_of(company)
    today = timezone.now().astimezone(report.zone).date()
    first = choice.days.first
    return {
        "range_in_words": choice.days.in_words,
        "nothing": report.nothing,
        "is_future": first is not None and first > today,
        "totals": totals,
        "row_count": shown.count(totals.row_count, metric="report-rows"),
        "credits_label": report.credits_label,
        "credits_sum": shown.amount(totals.credits, metric="report-credits"),
        "control": _control(figures),
        "is_balanced": figures.is_balanced,
        "sequence": figures.sequence,
        "usage": shown.amount(figures.usage, metric="control-usage"),
        "granted": shown.amount(figures.granted_remaining, metric="control-granted-remaining"),
        "remaining": shown.amount(figures.remaining, metric="control-remaining"),
        "choice_fields": [(name, value) for name, value in _fields(choice)],
    }


def _control(figures: Control) -> list[tuple[str, str]]:
    """Return the identity of the balance, line by line."""
    return [
        ("Opening balance", shown.amount(figures.opening, metric="control-opening")),
        ("+ added", shown.amount(figures.added, metric="control-added")),
        ("− used", shown.amount(figures.used, metric="control-used")),
        ("− expired", shown.amount(figures.expired, metric="control-expired")),
        (
            "± corrected",
            shown.amount(figures.corrected, metric="control-corrected", is_signed=True),
        ),
        ("= closing balance", shown.amount(figures.closing, metric="control-closing")),
    ]


def _fields(choice: Choice) -> list[tuple[str, str]]:
    """Return the choice as a form would send it, its days as they are today."""
    days = choice.days
    fields = [("report", choice.report), ("format", choice.file_format)]
    if days.first is None or days.last is None:
        fields.append(("days", "all"))
    else:
        fields += [("days", CUSTOM), ("first", str(days.first)), ("last", str(days.last))]
    ticks = {
        "include_free_use": choice.has_free_use,
        "is_daily": choice.is_daily,
        "has_bom": choice.has_bom,
    }
    return fields + [(name, "on") for name, is_ticked in ticks.items() if is_ticked]


def _swapped(form: ReportForm, typed: QueryDict) -> str:
    """Return the query of the same choice with its days in order; empty unless it helps."""
    if not form.is_reversed:
        return ""
    return _query(typed, first=str(typed["last"]), last=str(typed["first"]))


def _query(typed: QueryDict, **changes: str) -> str:
    """Return what was typed as a query, with some of it changed; it asks for no file by itself."""
    query = typed.copy()
    for name in ("export", "csrfmiddlewaretoken"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = value
    return query.urlencode()


def _month_before(today: date) -> DayRange:
    last = today.replace(day=1) - timedelta(days=1)
    return DayRange(last.replace(day=1), last)
