"""Downloads leave a line in the audit trail: who took which figures out, over which days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from credits import audit
from credits.audit import Action
from credits.current_company import scope_of

# What a form of import-export asks besides the format.
TICKS = ("include_free_use", "is_daily")


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
