"""The page that explains a number, reached from an entry and from the list of uses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credits import explained, explanations, shown
from credits.current_company import scope_of
from credits.explanations import Explanation
from credits.models import Company, LedgerEntry, UsageEvent
from credits.roles import Act


@require_safe
@never_cache
def entry_page(request: HttpRequest, company_slug: str, sequence: int) -> HttpResponse:
    """Explain the entry at a place of a company's ledger; 404 for a company not in scope."""
    page = admin.site.get_model_admin(LedgerEntry)
    if not page.has_view_permission(request):
        raise PermissionDenied
    rows = page.get_queryset(request).filter(company__slug=company_slug, sequence=sequence)
    row = rows.select_related("company").first()
    if row is None:
        raise Http404("There is no such ledger entry.")
    found = explanations.entry(
        company=row.company, sequence=sequence, with_words=_may_read_words(request, row.company)
    )
    return _page(request, found, f"Entry #{sequence} explained")


def usage_page(page: Any, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Explain a use; 404 for one of a company not in scope."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if not page.has_view_permission(request):
        raise PermissionDenied
    row = page.get_queryset(request).filter(pk=pk).select_related("company").first()
    if row is None:
        raise Http404("There is no such usage event.")
    found = explanations.usage(
        company=row.company, usage_id=pk, with_words=_may_read_words(request, row.company)
    )
    return _page(request, found, f"Usage by {row.feature_name} explained")


def entry_link(entry: LedgerEntry) -> SafeString:
    """Link to the page that explains an entry."""
    return _link(reverse("admin:ledger_explanation", args=[entry.company.slug, entry.sequence]))


def usage_link(event: UsageEvent) -> SafeString:
    """Link to the page that explains a use."""
    return _link(reverse("admin:credits_usageevent_explanation", args=[event.pk]))


def _link(address: str) -> SafeString:
    return format_html('<a class="credits-link" href="{}">explain</a>', address)


def _may_read_words(request: HttpRequest, company: Company) -> bool:
    return scope_of(request).may(Act.VIEW_RESULTS, company_id=company.pk)


def _page(request: HttpRequest, found: Explanation, title: str) -> HttpResponse:
    entry, usage = found.entry, found.usage
    context = admin.site.each_context(request) | {
        "title": title,
        "company": found.company,
        "steps": explained.steps(found),
        "question": found.sources.question,
        "answer": found.sources.answer,
        "read": explained.read_in_words(found),
        "pieces": [
            (piece, explained.piece_in_words(found, piece))
            for piece in found.sources.pieces[: explained.PIECES_PRINTED_MAX]
        ],
        "pieces_hidden": max(len(found.sources.pieces) - explained.PIECES_PRINTED_MAX, 0),
        "breaches": found.breaches(),
        "entry_link": entry and shown.entry_link(found.company, entry.sequence),
        "usage_link": usage and shown.link(usage, "the use"),
        "lots": [
            (shown.link(one.grant, one.grant.get_source_display()), one.amount)
            for one in found.drawdowns
        ],
    }
    return TemplateResponse(request, "admin/credits/explanation.html", context)
