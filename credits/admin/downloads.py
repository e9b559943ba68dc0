"""Downloads leave a line in the audit trail: who took which figures out, over which days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from credits import audit
from credits.audit import Action
from credits.current_company import scope_of

# What a form of import-export asks besides the format.
TICKS = ("include_free_use", "is_daily")
UNKNOWN_FILTER = (
    "Nothing was exported: the address has a filter that this list does not have. Filter the list "
    "here, then export it."
)


def record(request: HttpRequest, *, name: str, label: str, details: Mapping[str, Any]) -> None:
    """Write a download down, before any of it leaves; ``details`` say what it holds.

    Not in one transaction with making it, which settles the ledger and may take long: both would
    hold the company's pool.
    """
    if request.method == "HEAD":
        return  # Nothing leaves.
    audit.record(
        action=Action.EXPORTED,
        by=request.user,  # type: ignore[arg-type]
        company=scope_of(request).company,
        subject=audit.Subject("report", name, label),
        after=details,
    )


class AuditedExport:
    """import-export's own export page, audited; goes before ``ExportMixin``."""

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """Offer the export or make it; lead to the list where the list knows no such filter."""
        try:
            return self.offer(request)
        except IncorrectLookupParameters:
            messages.warning(request, UNKNOWN_FILTER)
            app_label, model_name = self.get_model_info()  # type: ignore[attr-defined]
            listed = reverse(f"admin:{app_label}_{model_name}_changelist")
            return HttpResponseRedirect(f"{listed}?{ERROR_FLAG}=1")

    def offer(self, request: HttpRequest) -> HttpResponse:
        """Answer where the address is right."""
        answer: HttpResponse = super().export_action(request)  # type: ignore[misc]
        return answer

    def get_export_data(
        self, file_format: Any, request: HttpRequest, queryset: Any, **kwargs: Any
    ) -> Any:
        report = self.get_export_resource_classes(request)[0]  # type: ignore[attr-defined]
        form = kwargs.get("export_form")
        chosen = {} if form is None else form.cleaned_data
        details = {"format": file_format.get_extension().upper(), "filter": request.GET.urlencode()}
        details |= {name: True for name in TICKS if chosen.get(name)}
        record(request, name=report.slug, label=report.title, details=details)
        return super().get_export_data(file_format, request, queryset, **kwargs)  # type: ignore[misc]
