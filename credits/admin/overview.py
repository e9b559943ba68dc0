"""The credits page, the list vendor people choose a company from, and the choice itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from credits import (
    current_company,
    demand,
    first_steps,
    forecasts,
    overview,
    shown,
    shown_forecasts,
)
from credits.admin import banners, use_panel
from credits.amounts import approximate
from credits.current_company import Scope, scope_of
from credits.forecasts import Forecast
from credits.metering import FeatureUse
from credits.models import FeatureType
from credits.overview import Expiry, Overview
from credits.roles import Act

ALL_COMPANIES = ""
SOURCES_MAX = 3
SUGGESTIONS_MAX = 5


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """What one feature used; ``change`` is against the 30 days before, None where it is new.

    ``owner`` is whose it is, where it goes on using credits by itself; None where it does not.
    """

    use: FeatureUse
    url: str | None
    per_hundred: Decimal | None
    change: Decimal | None
    owner: str | None

    @property
    def kind(self) -> str:
        """Say that it recurs, and of anything but a tracker what it is: most are trackers."""
        feature_type = self.use.feature.type
        if feature_type != FeatureType.TRACKER:
            return str(feature_type.label)
        return "" if self.owner is None else " · ".join(filter(None, ("Recurring", self.owner)))

    @property
    def trend(self) -> str:
        """Return an arrow with the change in whole percent, or “new”."""
        if self.change is None:
            return "new"
        rounded = abs(self.change * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        if not rounded:
            return "→ 0 %"
        return f"{'↗' if self.change > 0 else '↘'} {rounded:,} %"


@dataclass(frozen=True, slots=True)
class ExpiryShown:
    """Where the credits come from that expire next, and how much of them stays unused.

    ``unused`` is None where no forecast reaches that day.
    """

    sources: tuple[tuple[str, str | None], ...]
    unused: Decimal | None
    words: str


@require_safe
@never_cache
def credits_page(request: HttpRequest) -> HttpResponse:
    """Show the current company's credits; vendor people without one choose it first."""
    scope = scope_of(request)
    if not scope.may(Act.VIEW_CREDITS):
        raise PermissionDenied
    if scope.company is None:
        return _companies_page(request, scope)
    choice = use_panel.choice_of(request)
    found = overview.of(company=scope.company, step=choice.step, dimension=choice.dimension)
    demand.note(request, found.waiting)
    forecast = found.outlook.forecast()
    context = {
        **admin.site.each_context(request),
        "title": f"Credits — {scope.company}",
        "page": found,
        "banner": banners.of(request, found, forecast),
        "comparison": comparison(found.use.total, found.use.previous_total),
        **_outlook(scope, found, forecast),
        "use": use_panel.panel(found.use.daily, choice, _ahead(found, forecast)),
        "features": _features(scope, found),
        "suggestions": found.advice.suggestions[:SUGGESTIONS_MAX],
        "more_suggestions": max(len(found.advice.suggestions) - SUGGESTIONS_MAX, 0),
        "may_follow": scope.may(Act.EDIT_TRACKERS),
        "suggestions_url": _if_allowed(
            scope, Act.VIEW_TRACKERS, "admin:trackers_suggestion_changelist"
        ),
        "steps": _first_steps(scope, found),
        "sees_ledger": scope.may(Act.VIEW_LEDGER),
        "reports_url": _if_allowed(scope, Act.EXPORT_REPORTS, "admin:credits_reports"),
        "request_url": _if_allowed(scope, Act.REQUEST_CREDITS, "admin:billing_purchase_request"),
        "grant_url": _if_allowed(scope, Act.GRANT_CREDITS, "admin:credits_creditgrant_add"),
        "grants_url": _if_allowed(scope, Act.VIEW_LEDGER, "admin:credits_creditgrant_changelist"),
        "ledger_url": _if_allowed(scope, Act.VIEW_LEDGER, "admin:credits_ledgerentry_changelist"),
        "trackers_url": _if_allowed(scope, Act.VIEW_TRACKERS, "admin:trackers_tracker_changelist"),
        "waiting_url": _if_allowed(scope, Act.VIEW_TRACKERS, "admin:trackers_waiting"),
    }
    return TemplateResponse(request, "credits/credits_page.html", context)


@require_POST
def hide_first_steps(request: HttpRequest) -> HttpResponse:
    """Take the first steps off this person's page for good."""
    membership = scope_of(request).membership
    if membership is None:
        raise Http404("Only members of a company have first steps.")
    first_steps.hide(membership=membership, now=timezone.now())
    return HttpResponseRedirect(reverse("admin:credits_page"))


@require_POST
def hide_banner(request: HttpRequest) -> HttpResponse:
    """Take a banner off this person's page until it says something else."""
    banners.hide(request)
    return HttpResponseRedirect(reverse("admin:credits_page"))


@require_POST
def choose_company(request: HttpRequest) -> HttpResponse:
    """Make a company the current one; an empty choice shows vendor people all of them.

    ``next`` may name the page of this site to go on with; else it is the credits page.
    """
    scope = scope_of(request)
    given = request.POST.get("company", ALL_COMPANIES)
    chosen = next((company for company in scope.choices if str(company.pk) == given), None)
    if chosen is None and not (scope.is_vendor and given == ALL_COMPANIES):
        raise Http404("There is no such company.")
    current_company.choose(request, chosen)
    onward = request.POST.get("next", "")
    # Without a host of its own: nobody is sent to another site.
    if not url_has_allowed_host_and_scheme(onward, allowed_hosts=None):
        onward = reverse("admin:credits_page")
    return HttpResponseRedirect(onward)


def comparison(total: Decimal, previous: Decimal) -> str:
    """Put the use of 30 days against that of the 30 before, in words."""
    if not previous:
        return "none in the 30 days before"
    change = (total - previous) / previous * 100
    rounded = abs(change).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    if not rounded:
        return "as in the 30 days before"
    return f"{'▲' if change > 0 else '▼'} {rounded} % against the 30 days before"


def _companies_page(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Credits — all companies",
        "lines": overview.of_companies(companies=scope.choices),
        "add_url": _if_allowed(scope, Act.EDIT_COMPANIES, "admin:credits_company_add"),
    }
    return TemplateResponse(request, "credits/companies_page.html", context)


def _outlook(scope: Scope, found: Overview, forecast: Forecast | None) -> dict[str, Any]:
    """Word when credits run out, and what of the next expiry stays unused."""
    is_closed = found.company.closed_at is not None
    return {
        "run_out": shown_forecasts.run_out(
            found.outlook, forecast, remaining=found.remaining, is_closed=is_closed
        ),
        "run_out_inputs": shown_forecasts.inputs_in_words(found.outlook),
        "method": forecasts.METHOD,
        "expiry": found.next_expiry and expiry(scope, found.next_expiry, forecast),
    }


def _ahead(found: Overview, forecast: Forecast | None) -> Forecast | None:
    """Return the forecast of the days to come: what has run out does not run out again today."""
    if forecast is None or found.available:
        return forecast
    return replace(forecast, runs_out_on=None)


def expiry(scope: Scope, next_: Expiry, forecast: Forecast | None) -> ExpiryShown:
    """Name the grants that expire next, and say how much of them is wasted at this pace."""
    sees_grants = scope.may(Act.VIEW_LEDGER)
    sources = tuple(
        (grant.get_source_display(), shown.address_of(grant) if sees_grants else None)
        for grant in next_.grants[:SOURCES_MAX]
    )
    if len(next_.grants) > SOURCES_MAX:
        sources = (*sources, (f"{len(next_.grants) - SOURCES_MAX} more", None))
    if forecast is None:
        return ExpiryShown(sources, None, "not known yet how much stays unused")
    if next_.expires_at > forecast.ends_at:
        return ExpiryShown(sources, None, "too far ahead to say what stays unused")
    unused = forecast.wasted_of(grant.pk for grant in next_.grants)
    words = f"{approximate(unused)} of it unused at this pace" if unused else "used up before"
    return ExpiryShown(sources, unused, words)


def _features(scope: Scope, found: Overview) -> list[FeatureRow]:
    links = scope.may(Act.VIEW_TRACKERS)
    return [
        FeatureRow(
            use=use,
            url=shown.feature_address(use.feature) if links else None,
            per_hundred=found.use.per_hundred(use),
            change=found.use.change_of(use),
            owner=found.use.recurring.get(use.feature.ref) if use.feature.ref else None,
        )
        for use in found.use.features
    ]


def _first_steps(scope: Scope, found: Overview) -> dict[str, Any] | None:
    """Return the list for those who may do what it names, until they hide it; None otherwise."""
    membership = scope.membership
    if membership is None or membership.first_steps_hidden_at or not scope.may(Act.EDIT_TRACKERS):
        return None
    steps = (*found.steps, first_steps.of_member(membership))
    return {
        "rows": [(step, shown.page_address(step.url_name)) for step in steps],
        "done": sum(step.is_done for step in steps),
        "count": len(steps),
    }


def _if_allowed(scope: Scope, act: Act, name: str) -> str | None:
    return shown.page_address(name) if scope.may(act) else None
