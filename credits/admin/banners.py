"""What the credits page says before anything else: closed, at zero, or soon there (UX F3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from django.http import HttpRequest

from credits import alerts, limits, shown
from credits.amounts import grouped
from credits.current_company import Scope, scope_of
from credits.forecasts import Forecast
from credits.models import Company
from credits.overview import Overview
from credits.roles import Act

SESSION_KEY = "hidden_banner"
LEVELS = {75: "info", 90: "warning"}


@dataclass(frozen=True, slots=True)
class Banner:
    """What a person should know before anything else; ``level`` is info, warning or critical.

    ``url`` leads to what can be done about it, ``link`` says so. ``key`` stands for what it says
    while a person may hide it; empty for what is not to be overlooked.
    """

    status: str
    level: str
    icon: str
    text: str
    url: str | None = None
    link: str = ""
    key: str = ""


def of(request: HttpRequest, found: Overview, forecast: Forecast | None) -> Banner | None:
    """Return the banner of the current company's page; None when all is well, or it is hidden."""
    scope = scope_of(request)
    banner = (
        closed(found.company)
        or _with_way_out(scope, found, at_zero(found, is_vendor=scope.is_vendor))
        or limit_reached(scope, found)
        or before_zero(scope, found, forecast)
    )
    if banner is not None and banner.key and request.session.get(SESSION_KEY) == banner.key:
        return None
    return banner


def hide(request: HttpRequest) -> None:
    """Keep one banner off this person's page until it would say something else."""
    request.session[SESSION_KEY] = request.POST.get("key", "")[:100]


def closed(company: Company) -> Banner | None:
    """Say that a company is closed, since when, and what that means; None for an open one."""
    if company.closed_at is None:
        return None
    since = shown.instant_in_words(company.closed_at, company)
    text = (
        f"{company} is closed since {since}. Nothing is added or used any more; everything "
        "up to then can still be read and downloaded."
    )
    return Banner(status="closed", level="info", icon="lock", text=text)


def before_zero(scope: Scope, found: Overview, forecast: Forecast | None) -> Banner | None:
    """Say how much is used and until when the rest lasts; None below 75 %."""
    percent = alerts.percent_used(
        available=found.available, total=found.total, sequence=found.sequence
    )
    reached = max((threshold for threshold in LEVELS if percent >= threshold), default=0)
    if not reached:
        return None
    parts = [f"{percent.quantize(Decimal(1), rounding=ROUND_DOWN)} % of the credits are used."]
    if forecast is not None and forecast.runs_out_on is not None:
        parts.append(f"At this pace they run out on {shown.day(forecast.runs_out_on)}.")
    may_narrow = scope.may(Act.VIEW_TRACKERS)
    level = LEVELS[reached]
    return Banner(
        status=f"used-{reached}",
        level=level,
        icon="info" if level == "info" else "warning",
        text=" ".join(parts),
        url=shown.page_address("admin:trackers_tracker_changelist") if may_narrow else None,
        link="See what to narrow",
        # Credits that are added change the total: what comes then is worth saying anew.
        key=f"{found.company.pk}:used-{reached}:{grouped(found.total)}",
    )


def limit_reached(scope: Scope, found: Overview) -> Banner | None:
    """Say which limit leaves nothing and until when, to those who see limits; None for none."""
    if not found.limits_reached or not scope.may(Act.VIEW_LIMITS):
        return None
    first, more = found.limits_reached[0], len(found.limits_reached) - 1
    anew = shown.instant_in_words(first.now_ends_at, found.company)
    parts = [f"The limit of {limits.in_words(first)} is reached."]
    if first.is_hard:
        parts.append(f"What needs more waits or is refused until {anew}.")
    else:
        used = grouped(first.now_used)
        parts.append(f"{used} credits are used. It only tells; nothing is refused.")
    if more:
        parts.append(f"So {'is' if more == 1 else 'are'} {more} more.")
    return Banner(
        status="limit-reached",
        level="warning",
        icon="warning",
        text=" ".join(parts),
        url=shown.page_address("admin:credits_spendinglimit_changelist"),
        link="See the limits",
        # Said anew in the next window.
        key=f"{found.company.pk}:limit:{first.pk}:{first.now_ends_at:%Y%m%d%H%M}",
    )


def at_zero(found: Overview, *, is_vendor: bool) -> Banner | None:
    """Say that work waits or that nothing is available, and what to do; None when all is well."""
    if found.available and not found.waiting:
        return None
    if found.waiting:
        status, level = "waiting", "warning" if found.available else "critical"
        text = (
            f"{found.waiting.in_words} "
            f"{'waits' if found.waiting.count == 1 else 'wait'} for credits: "
            f"{grouped(found.waiting.credits)} are needed and {grouped(found.available)} are "
            "available. Nothing is lost, and results you already have stay visible and free."
        )
    elif found.sequence == 0:
        status, level, text = "no-credits", "info", "There are no credits yet."
    elif found.reserved:
        status, level = "all-held", "warning"
        text = (
            f"All {grouped(found.reserved)} credits left are held for work under way. "
            "New conversations wait; nothing is lost."
        )
    else:
        status, level = "used-up", "critical"
        text = (
            "Credits are used up. New conversations wait; nothing is lost. "
            "Results you already have stay visible and free."
        )
    if found.available < found.waiting.credits or not found.available:
        text = f"{text} {_where_more_come_from(found, is_vendor=is_vendor)}"
    icon = "info" if level == "info" else "warning"
    return Banner(status=status, level=level, icon=icon, text=text)


def _with_way_out(scope: Scope, found: Overview, banner: Banner | None) -> Banner | None:
    """Lead those who may to where they decide what becomes of what waits, or ask for credits."""
    if banner is None:
        return None
    may_decide = scope.may(Act.EDIT_TRACKERS, company_id=found.company.pk)
    if found.waiting and found.available and may_decide:
        url = shown.page_address("admin:trackers_waiting")
        return replace(banner, url=url, link="Decide what happens to it")
    if found.scheduled or not scope.may(Act.REQUEST_CREDITS, company_id=found.company.pk):
        return banner
    url = shown.page_address("admin:billing_purchase_request")
    return replace(banner, url=url, link="Request more credits")


def _where_more_come_from(found: Overview, *, is_vendor: bool) -> str:
    if found.scheduled:
        first = min(found.scheduled, key=lambda one: one.grant.effective_at).grant
        return f"{grouped(first.amount)} more are scheduled, see below."
    return "Grant credits to go on." if is_vendor else "Ask your provider for credits."
