"""The page “Guide to credits”: what is free, what costs what, and how to use less."""

from __future__ import annotations

from datetime import UTC

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credits import first_steps, rating, shown
from credits.current_company import scope_of
from credits.models import Company, RateCard, RateItem
from credits.roles import Act


@require_safe
@never_cache
def guide_page(request: HttpRequest) -> HttpResponse:
    """Explain credits with the prices in force and those that are to come."""
    scope = scope_of(request)
    if not scope.may(Act.VIEW_CREDITS):
        raise PermissionDenied
    now = timezone.now()
    rates = rating.rates_at(now)
    coming = RateCard.objects.filter(effective_at__gt=now).order_by("effective_at")
    if scope.membership is not None:
        first_steps.note_guide_read(membership=scope.membership, now=now)
    context = {
        **admin.site.each_context(request),
        "title": "Guide to credits",
        "prices": [(RateItem(item).label, rates.of(item)) for item in RateItem.values],
        "coming_from": _day(coming.first(), scope.company),
        "cards_url": _if(scope.may(Act.VIEW_RATES), "admin:credits_ratecard_changelist"),
        "trackers_url": _if(scope.may(Act.VIEW_TRACKERS), "admin:trackers_tracker_changelist"),
    }
    return TemplateResponse(request, "credits/guide.html", context)


def _day(card: RateCard | None, company: Company | None) -> str:
    """Say from which day a card is in force, in the company's zone; empty for none."""
    if card is None:
        return ""
    zone = UTC if company is None else shown.zone_of(company)
    return shown.day(card.effective_at.astimezone(zone).date())


def _if(is_allowed: bool, name: str) -> str | None:
    return shown.page_address(name) if is_allowed else None
