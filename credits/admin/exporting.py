"""import-export's own export page, for each report: the same cells and bytes as our own files."""

from __future__ import annotations

import io
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, JSON, Format
from tablib import Dataset
from unfold.contrib.import_export.forms import ExportForm
from unfold.widgets import UnfoldBooleanWidget

from credits import snapshots
from credits.admin.downloads import AuditedExport
from credits.current_company import scope_of
from credits.reports import control, files, workbook
from credits.reports.base import CreditReport, DayRange
from credits.roles import Act

FREE_USE = "Include free use (previews, manual work, reused answers)"
DAILY = "One row per tracker and day"


class UsageExportForm(ExportForm):
    """import-export's form, with the two choices that the usage report has."""

    include_free_use = forms.BooleanField(
        label=FREE_USE, required=False, widget=UnfoldBooleanWidget
    )
    is_daily = forms.BooleanField(label=DAILY, required=False, widget=UnfoldBooleanWidget)


class ReportXLSX(Format):
    """Our own workbook; import-export's turns figures into text and runs formulas."""

    extension = "xlsx"

    def get_title(self) -> str:
        return "xlsx"

    def can_export(self) -> bool:
        return True

    def export_data(self, dataset: Any, **kwargs: Any) -> bytes:
        # The mixin below puts the report and its figures on the rows.
        file = io.BytesIO()
        self.extension = workbook.write(
            dataset.report,
            ([*row] for row in dataset),
            file,
            days=DayRange(),
            figures=dataset.figures,
            row_count=len(dataset),
        )
        return file.getvalue()

    def get_extension(self) -> str:
        return self.extension

    def get_content_type(self) -> str:
        return files.CONTENT_TYPES[self.extension]


class ReportExportMixin(AuditedExport, ExportMixin):
    """An admin page whose export is a credit report of the current company, over all its days.

    A filter of the list is a filter of the export.
    """

    report_class: ClassVar[type[CreditReport]]
    export_formats: ClassVar = [CSV, JSON, ReportXLSX]
    export_form_class: Any = ExportForm
    to_encoding = "utf-8"

    def get_export_resource_classes(self, request: HttpRequest) -> list[type[CreditReport]]:
        return [self.report_class]

    def has_export_permission(self, request: HttpRequest) -> bool:
        # A report is one company's, in its zone.
        scope = scope_of(request)
        return scope.company is not None and scope.may(Act.EXPORT_REPORTS)

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.get("export_form")
        chosen = {} if form is None else form.cleaned_data
        return {
            "company": scope_of(request).company,
            "has_free_use": chosen.get("include_free_use", False),
            "is_daily": chosen.get("is_daily", False),
        }

    def get_data_for_export(self, request: HttpRequest, queryset: Any, **kwargs: Any) -> Dataset:
        report = self.report_class(**self.get_export_resource_kwargs(request, **kwargs))
        # Nothing can be written inside the snapshot, so time is written down before it.
        report.before_export(queryset)
        with snapshots.taken():
            rows: Any = report.export(queryset=queryset)
            rows.report = report
            rows.figures = (
                None if request.GET else control.of(company=report.company, days=DayRange())
            )
        return rows

    def get_export_filename(self, request: HttpRequest, queryset: Any, file_format: Any) -> str:
        company = scope_of(request).company
        assert company is not None  # has_export_permission
        return f"{self.report_class.slug}-{company.slug}.{file_format.get_extension()}"
