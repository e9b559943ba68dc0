"""Add results up: by conversation, account, deal and tracker, and what they were worth.

Free to read, like the results themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.db.models import (
    Count,
    Exists,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    TextChoices,
    UUIDField,
    Value,
)

from credits.amounts import ZERO
from credits.models import Company, UsageAction
from trackers import estimates
from trackers.models import Narrowing, Review, Scan, ScanState, Tracker, TrackerState, Verdict


class By(TextChoices):
    """What results are added up by; the value is a path from a scan."""

    CONVERSATION = "conversation", "Conversation"
    ACCOUNT = "conversation__account", "Account"
    DEAL = "conversation__deal", "Deal"
    TRACKER = "tracker", "Tracker"


NAMES = {
    By.CONVERSATION: "conversation__title",
    By.ACCOUNT: "conversation__account__name",
    By.DEAL: "conversation__deal__name",
    By.TRACKER: "tracker__name",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Results about one thing; ``newest_at`` is when the newest conversation among them began.

    ``tracker_count`` says how many trackers found something.
    """

    ref: UUID
    name: str
    found: int
    unsure: int
    not_found: int
    tracker_count: int
    newest_at: datetime
    credits: Decimal

    @property
    def read(self) -> int:
        return self.found + self.unsure + self.not_found

    @property
    def verdict(self) -> Verdict:
        """Return the best that any of them says."""
        if self.found:
            return Verdict.YES
        return Verdict.UNSURE if self.unsure else Verdict.NO

    @property
    def per_hundred(self) -> Decimal | None:
        """Return the results found for 100 credits; None for what cost nothing."""
        if not self.credits:
            return None
        return (100 * self.found / self.credits).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What people said of a tracker's results."""

    right: int = 0
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class FirstMonth:
    """The first 30 days of a version: the credits that were estimated, above 0, and charged."""

    estimate: Decimal
    actual: Decimal

    @property
    def accuracy(self) -> Decimal:
        """Return actual ÷ estimate."""
        return (self.actual / self.estimate).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def lines(
    *, company: Company, by: By, since: datetime | None, tracker_id: UUID | None = None
) -> QuerySet[Any, Any]:
    """Return the results since then added up, most found first; ``line`` reads a row."""
    done = Q(company=company, state=ScanState.DONE)
    if since is not None:
        done &= Q(finished_at__gte=since)
    if tracker_id is not None:
        done &= Q(tracker=tracker_id)
    return (
        Scan.objects.filter(done, **{f"{by.value}__isnull": False})
        .order_by()
        .values(ref=F(by.value), name=F(NAMES[by]))
        .annotate(
            found=Count("pk", filter=Q(verdict=Verdict.YES)),
            unsure=Count("pk", filter=Q(verdict=Verdict.UNSURE)),
            not_found=Count("pk", filter=Q(verdict=Verdict.NO)),
            tracker_count=Count("tracker", filter=Q(verdict=Verdict.YES), distinct=True),
            newest_at=Max("conversation_started_at"),
            credits=Sum("price", default=ZERO),
        )
        .order_by("-found", "-unsure", "-newest_at", "ref")
    )


def line(row: Mapping[str, Any]) -> Line:
    """Return a row of ``lines`` as what it is."""
    return Line(**row)


def judgements(*, company: Company, trackers: Iterable[UUID]) -> dict[UUID, Judgement]:
    """Count what people said of each tracker's results, by tracker; unsure ones are never right."""
    as_found = Q(verdict=Verdict.YES, is_yes=True) | Q(verdict=Verdict.NO, is_yes=False)
    rows = (
        Review.objects.filter(company=company, tracker__in=list(trackers), replaced_at=None)
        .order_by()
        .values("tracker")
        .annotate(right=Count("pk", filter=as_found), wrong=Count("pk", filter=~as_found))
    )
    return {row["tracker"]: Judgement(row["right"], row["wrong"]) for row in rows}


def first_months(
    *, company: Company, trackers: Iterable[UUID], now: datetime
) -> dict[UUID, FirstMonth]:
    """Return what each tracker's version was said to cost in its first month, and did cost.

    Both as they were written down then, so that neither moves with what is imported or erased
    later. Left out are trackers whose version is younger than a month, of which nothing was said
    or 0, or whose filters were changed since, because it was said of others.
    """
    # Publishing itself left a row there, too, which changed no filter.
    changed = Narrowing.objects.filter(
        tracker=OuterRef("pk"),
        made_at__gte=OuterRef("current_version__published_at"),
        is_undoable=True,
    )
    chosen = (
        Tracker.objects.filter(
            company=company,
            pk__in=list(trackers),
            state=TrackerState.PUBLISHED,
            current_version__published_at__lte=now - estimates.MONTH,
            current_version__month_estimate__gt=ZERO,
        )
        .exclude(Exists(changed))
        .select_related("current_version")
    )
    found = list(chosen)
    charged = _charged(found)
    months = {}
    for tracker in found:
        estimate = tracker.version_in_force.month_estimate
        assert estimate is not None  # It was asked for above.
        months[tracker.pk] = FirstMonth(estimate, charged.get(tracker.pk, ZERO))
    return months


def _charged(trackers: list[Tracker]) -> dict[UUID, Decimal]:
    """Return what each version was charged for the conversations of its first month."""
    queries = []
    for tracker in trackers:
        version = tracker.version_in_force
        assert version.published_at is not None
        queries.append(
            Scan.objects.filter(
                version=version,
                state=ScanState.DONE,
                action=UsageAction.CONTINUOUS,
                conversation_started_at__gte=version.published_at,
                conversation_started_at__lt=version.published_at + estimates.MONTH,
            )
            .order_by()
            .annotate(ref=Value(tracker.pk, output_field=UUIDField()))
            .values("ref")
            .annotate(credits=Sum("price", default=ZERO))
        )
    if not queries:
        return {}
    return {row["ref"]: row["credits"] for row in queries[0].union(*queries[1:], all=True)}
