"""Results added up by conversation, account and deal, and what trackers give for their credits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.paginator import Page
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from credits import shown, zones
from credits.current_company import scope_of
from credits.models import Company
from trackers import rollups
from trackers.admin import reading
from trackers.models import Tracker, Verdict
from trackers.rollups import By, FirstMonth, Judgement, Line

PAGES = {
    "conversation": (By.CONVERSATION, "By conversation"),
    "account": (By.ACCOUNT, "By account"),
    "deal": (By.DEAL, "By deal"),
    "tracker": (By.TRACKER, "Value by tracker"),
}
LOOKUPS = {
    By.CONVERSATION: "conversation__id__exact",
    By.ACCOUNT: "conversation__account__id__exact",
    By.DEAL: "conversation__deal__id__exact",
    By.TRACKER: "tracker__id__exact",
}
PERIODS = {"30": "30 days", "90": "90 days", "all": "All"}
ROWS_A_PAGE = 50
TRACKERS_MAX = 200
TONES: dict[str, str] = {Verdict.YES: shown.GOOD, Verdict.UNSURE: shown.WARNING}


@dataclass(frozen=True, slots=True)
class Choice:
    """A link of a switch, or a tab."""

    label: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One line as the page shows it; the last three are of trackers only."""

    line: Line
    url: str
    verdict: SafeString
    newest: str
    judged: Judgement | None
    month: FirstMonth | None


def tabs(current: str) -> list[Choice]:
    """Return the ways to look at results; the list itself has no name."""
    ways = [Choice("All results", reverse("admin:trackers_scan_changelist"), current == "")]
    return ways + [
        Choice(label, reverse("admin:trackers_scan_by", args=[what]), what == current)
        for what, (_, label) in PAGES.items()
    ]


def page(model_admin: Any, request: HttpRequest, what: str) -> HttpResponse:
    """Show the current company's results added up; those who look at all choose one first."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if what not in PAGES:
        raise Http404("Results are not added up by that.")
    company = scope_of(request).company
    if company is None:
        return HttpResponseRedirect(reverse("admin:trackers_scan_changelist"))
    by, label = PAGES[what]
    period = request.GET.get("days", "30")
    period = period if period in PERIODS else "30"
    now = timezone.now()
    tracker = _tracker(request, company)
    found = rollups.lines(
        company=company,
        by=by,
        since=_since(period, company, now),
        tracker_id=None if tracker is None else tracker.pk,
    )
    pages = reading.BoundedPaginator(found, ROWS_A_PAGE)
    here = pages.get_page(request.GET.get("page"))
    context = model_admin.admin_site.each_context(request) | {
        "title": f"Results {label[:1].lower()}{label[1:]}" if by != By.TRACKER else label,
        "heading": by.label,
        "tabs": tabs(what),
        "periods": [
            Choice(words, _address(what, days, tracker), days == period)
            for days, words in PERIODS.items()
        ],
        "trackers": Tracker.objects.filter(company=company).order_by("name")[:TRACKERS_MAX],
        "tracker": tracker,
        "days": period,
        "rows": _rows(company, by, here, now),
        "is_by_tracker": by == By.TRACKER,
        "page": here,
        "previous": here.has_previous()
        and _address(what, period, tracker, here.previous_page_number()),
        "next": here.has_next() and _address(what, period, tracker, here.next_page_number()),
    }
    return TemplateResponse(request, "admin/trackers/scan/by.html", context)


def _rows(company: Company, by: By, here: Page[Any], now: datetime) -> list[Row]:
    lines = [rollups.line(row) for row in here.object_list]
    judged: dict[UUID, Judgement] = {}
    months: dict[UUID, FirstMonth] = {}
    if by == By.TRACKER:
        refs = [line.ref for line in lines]
        judged = rollups.judgements(company=company, trackers=refs)
        months = rollups.first_months(company=company, trackers=refs, now=now)
    results = reverse("admin:trackers_scan_changelist")
    return [
        Row(
            line=line,
            url=f"{results}?{LOOKUPS[by]}={line.ref}",
            verdict=shown.status(
                line.verdict.label, code=line.verdict, tone=TONES.get(line.verdict, "")
            ),
            newest=shown.first_day(line.newest_at, company),
            judged=judged.get(line.ref),
            month=months.get(line.ref),
        )
        for line in lines
    ]


def _since(period: str, company: Company, now: datetime) -> datetime | None:
    """Return where so many local days begin, today included; None for all."""
    if period == "all":
        return None
    zone = shown.zone_of(company)
    first = now.astimezone(zone).date() - timedelta(days=int(period) - 1)
    return zones.start_of_day(first, zone)


def _tracker(request: HttpRequest, company: Company) -> Tracker | None:
    """Return the company's tracker that was chosen; None for all, and for what is none of its."""
    try:
        wanted = UUID(request.GET.get("tracker", ""))
    except ValueError:
        return None
    return Tracker.objects.filter(company=company, pk=wanted).first()


def _address(what: str, days: str, tracker: Tracker | None, number: int = 1) -> str:
    asked = {"days": days}
    if tracker is not None:
        asked["tracker"] = str(tracker.pk)
    if number > 1:
        asked["page"] = str(number)
    return f"{reverse('admin:trackers_scan_by', args=[what])}?{urlencode(asked)}"
