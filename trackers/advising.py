"""Work out which changes of its trackers would save a company credits (SPEC §6).

Each suggestion is tried on the month behind: what the change had cost, by the code that estimates
and charges, and which results it had lost. It is kept until the next time, and shown only while
its tracker is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery

from credits import rating, shown
from credits.models import Company
from credits.rating import Rates
from trackers import backtests, briefs, estimates, filters, narrowing
from trackers.backtests import RESULTS_MIN, Month, Rule
from trackers.estimates import ScanEstimate
from trackers.models import AdviceRun, Narrowing, Suggestion, SuggestionKind, Tracker, TrackerState
from trackers.narrowing import Reads

# A younger tracker, or version, has not shown yet what it finds.
AGE_MIN = timedelta(days=14)
READ_MIN = 30
# What waits or was not read may hold the results.
COVERAGE_MIN = Decimal("0.4")
EMAILS_MIN = 50
TIME_MAX = timedelta(minutes=10)  # Of an hour, for all companies together.
# The dearest trackers are looked at, and so many likely pairs of them.
TRACKERS_MAX = 50
PAIRS_MAX = 20
ALIKE_MIN = Decimal("0.8")
FEW = Decimal("0.2")
# The results stay, all but one in fifty.
KEEPING = Rule(lost_max=Decimal("0.02"), rate_max=Decimal("0.2"), saved_min=Decimal("0.1"))
# For a tracker that reads everything: most results for much less.
NARROWING = Rule(lost_max=Decimal("0.2"), rate_max=Decimal("0.5"), saved_min=Decimal("0.3"))
SAVED_MIN = Decimal(1)  # Credits a month; less is not worth a person's look.


@dataclass(frozen=True, slots=True)
class Case:
    """A tracker that is old enough, what a month of it costs, and what the last one gave.

    It may go, be unpublished, while no published brief shows it.
    """

    tracker: Tracker
    monthly: ScanEstimate
    month: Month
    now: datetime
    rates: Rates
    may_go: bool

    @property
    def is_read(self) -> bool:
        """Tell whether enough was read to judge by."""
        read = self.month.all.read
        return read >= READ_MIN and read >= COVERAGE_MIN * self.monthly.conversations

    def suggestion(
        self, kind: SuggestionKind, reads: Reads | None = None, **more: object
    ) -> Suggestion:
        """Return an unsaved suggestion to read something else; without ``reads``, to unpublish."""
        after = ScanEstimate(0, 0, 0, Decimal(0))
        if reads is not None:
            after = narrowing.monthly(
                self.tracker,
                self.tracker.version_in_force,
                reads,
                now=self.now,
                rates=self.rates,
            )
        return Suggestion(
            company_id=self.tracker.company_id,
            tracker=self.tracker,
            kind=kind,
            edit_number=self.tracker.edit_number,
            conversations_before=self.monthly.conversations,
            conversations_after=after.conversations,
            credits_before=self.monthly.credits,
            credits_after=after.credits,
            read_count=self.month.all.read,
            found_count=self.month.all.results,
            **more,
        )


def refresh(*, company: Company, now: datetime) -> AdviceRun:
    """Work out a company's suggestions anew and keep them in place of the last ones.

    A suggestion that is made again keeps its id: a page that shows it stays good.
    """
    found = [one for one in suggest(company=company, now=now) if _is_worth_it(one)]
    with transaction.atomic():
        run, _ = AdviceRun.objects.get_or_create(company=company, defaults={"computed_at": now})
        # Of two at once the second waits here, and finds the rows of the first.
        run = AdviceRun.objects.select_for_update().get(pk=run.pk)
        run.computed_at = now
        run.save(update_fields=["computed_at"])
        for one in found:
            one.run = run
        Suggestion.objects.bulk_create(
            found,
            update_conflicts=True,
            unique_fields=["tracker", "kind"],
            update_fields=[
                column.name
                for column in Suggestion._meta.concrete_fields
                if column.name not in ("id", "company", "tracker", "kind")
            ],
        )
        made = {(one.tracker_id, one.kind) for one in found}
        over = [
            one.pk
            for one in Suggestion.objects.filter(company=company).only("pk", "tracker", "kind")
            if (one.tracker_id, one.kind) not in made
        ]
        Suggestion.objects.filter(pk__in=over).delete()
    return run


def refresh_all(*, now: datetime, clock: Callable[[], datetime]) -> int:
    """Work out the suggestions of every company with a tracker old enough, or over.

    Those first that waited longest; what does not fit the time is first in the next hour.
    """
    # Of a campaign the company's own day decides, which somewhere is already the next one.
    published = Tracker.objects.filter(
        Q(published_at__lte=now - AGE_MIN) | Q(campaign_end_date__lte=now.date()),
        company=OuterRef("pk"),
        state=TrackerState.PUBLISHED,
    )
    run = AdviceRun.objects.filter(company=OuterRef("pk")).values("computed_at")
    companies = (
        Company.objects.filter(Exists(published), closed_at=None)
        .annotate(computed_at=Subquery(run))
        .order_by(F("computed_at").asc(nulls_first=True), "pk")
    )
    count = 0
    for company in companies.iterator():
        if clock() > now + TIME_MAX:
            break
        refresh(company=company, now=clock())
        count += 1
    return count


def suggest(*, company: Company, now: datetime) -> list[Suggestion]:
    """Return the suggestions of now, unsaved; several of one tracker may all be taken."""
    in_briefs = briefs.trackers_shown(company=company)
    ended = _ended(company, now, in_briefs)
    # What is to go anyhow is nobody's twin and no measure for others.
    over = {one.tracker_id for one in ended}
    cases = {pk: one for pk, one in _cases(company, now, in_briefs).items() if pk not in over}
    twins = _twins(cases, now)
    found = ended
    for case in cases.values():
        if not case.is_read:
            continue
        if (nothing := _no_results(case)) is not None:
            found.append(nothing)
        elif case.tracker.pk in twins:
            found.append(twins[case.tracker.pk])
        else:
            narrower = _filter(case)
            emails = _emails(case)
            few = None if narrower else _few_results(case, cases)
            found += [one for one in (narrower, emails, few) if one is not None]
    return found


def _is_worth_it(one: Suggestion) -> bool:
    return bool(one.saved >= SAVED_MIN)


def _cases(company: Company, now: datetime, in_briefs: AbstractSet[UUID]) -> dict[UUID, Case]:
    """Return the dearest trackers that are old enough, the dearest first."""
    trackers = list(
        Tracker.objects.filter(
            company=company,
            state=TrackerState.PUBLISHED,
            published_at__lte=now - AGE_MIN,
            current_version__published_at__lte=now - AGE_MIN,
        )
        .select_related("company", "current_version")
        .prefetch_related(filters.NAMED)
        .order_by("published_at", "pk")
    )
    changed = set(
        Narrowing.objects.filter(company=company, made_at__gt=now - AGE_MIN).values_list(
            "tracker_id", flat=True
        )
    )
    trackers = [one for one in trackers if one.pk not in changed]
    return _looked_at(trackers, now, in_briefs)


def _ended(company: Company, now: datetime, in_briefs: AbstractSet[UUID]) -> list[Suggestion]:
    """Suggest to unpublish what was asked for a campaign whose last day is behind.

    A person said so, so neither the tracker's age nor what it finds decides.
    """
    today = now.astimezone(shown.zone_of(company)).date()
    trackers = (
        Tracker.objects.filter(
            company=company, state=TrackerState.PUBLISHED, campaign_end_date__lt=today
        )
        .select_related("company", "current_version")
        .prefetch_related(filters.NAMED)
        .order_by("published_at", "pk")
    )
    cases = _looked_at(list(trackers), now, in_briefs).values()
    return [case.suggestion(SuggestionKind.ENDED) for case in cases if case.may_go]


def _looked_at(
    trackers: list[Tracker], now: datetime, in_briefs: AbstractSet[UUID]
) -> dict[UUID, Case]:
    """Return what a month of the dearest costs and gave, the dearest first."""
    rates = rating.rates_at(now)
    monthly = estimates.monthly_of(
        ((one, one.version_in_force) for one in trackers), now=now, rates=rates
    )
    trackers.sort(key=lambda one: -monthly[one.pk].credits)
    trackers = [one for one in trackers[:TRACKERS_MAX] if monthly[one.pk].credits]
    months = backtests.read(trackers=trackers, now=now)
    return {
        one.pk: Case(one, monthly[one.pk], months[one.pk], now, rates, one.pk not in in_briefs)
        for one in trackers
    }


def _no_results(case: Case) -> Suggestion | None:
    """Suggest to unpublish what has found nothing for a whole month, not even a doubt."""
    assert case.tracker.published_at is not None
    is_a_month = case.tracker.published_at <= case.now - estimates.MONTH
    if not (case.may_go and is_a_month) or case.month.all.results:
        return None
    return case.suggestion(SuggestionKind.NO_RESULTS)


def _few_results(case: Case, cases: Mapping[UUID, Case]) -> Suggestion | None:
    """Suggest to unpublish what finds a fifth of what the others find for as many credits."""
    others = [one.month.all for one in cases.values() if one is not case and one.is_read]
    spent = sum((one.spent for one in others), Decimal(0))
    # Their doubts are no measure; its own may be results.
    found = sum(one.found for one in others)
    own = case.month.all
    if not case.may_go or len(others) < 2 or not spent or not own.results:
        return None
    usual = own.spent * found / spent
    if own.results > FEW * usual or not backtests.is_no_chance(own.results, usual):
        return None
    return case.suggestion(SuggestionKind.FEW_RESULTS, usual_count=int(usual))


def _emails(case: Case) -> Suggestion | None:
    """Suggest to leave e-mails out where only calls give results."""
    calls, emails = case.month.calls, case.month.emails
    if emails.read < EMAILS_MIN or emails.results or not calls.results:
        return None
    if not backtests.is_no_chance(0, Decimal(emails.read * calls.results) / calls.read):
        return None
    return case.suggestion(SuggestionKind.EMAILS, narrowing.of(case.tracker).without_emails())


def _filter(case: Case) -> Suggestion | None:
    """Suggest a filter that had kept the results; of what reads all, one that had kept most."""
    kind = SuggestionKind.FILTER
    cut = backtests.best_cut(case.month, KEEPING)
    if cut is None and not case.tracker.filters.all():
        kind = SuggestionKind.NO_FILTER
        cut = backtests.best_cut(case.month, NARROWING)
    if cut is None:
        return None
    reads = narrowing.of(case.tracker).filtered(cut.field, cut.values, is_excluded=cut.is_excluded)
    conditions = narrowing.rows(case.tracker, reads)
    kept = backtests.results(case.tracker, now=case.now, conditions=conditions)
    added = [
        one for one in conditions if one.field == cut.field and one.is_excluded == cut.is_excluded
    ]
    return case.suggestion(
        kind,
        reads,
        field=cut.field,
        is_excluded=cut.is_excluded,
        values=list(cut.values),
        words=filters.words(added),
        lost_count=case.month.all.results - kept,
    )


def _twins(cases: Mapping[UUID, Case], now: datetime) -> dict[UUID, Suggestion]:
    """Suggest to unpublish the younger of two that read and find the same.

    What is to go is nobody's twin, so that of three alike one stays.
    """
    by_age = sorted(
        cases.values(), key=lambda one: (one.tracker.first_published_at, one.tracker.pk)
    )
    found: dict[UUID, Suggestion] = {}
    for case, other in _likely_pairs(by_age):
        if case.tracker.pk in found or other.tracker.pk in found:
            continue
        both = backtests.shared(case.tracker, other.tracker, now=now)
        mine, theirs = case.month.all, other.month.all
        if (
            _alike(mine.read, theirs.read, both.read)
            # Doubts show no likeness, and yet would be lost.
            and _alike(mine.found, theirs.found, both.found)
            and _alike(mine.results, theirs.results, both.results)
        ):
            found[case.tracker.pk] = case.suggestion(
                SuggestionKind.DUPLICATE,
                twin=other.tracker,
                twin_edit_number=other.tracker.edit_number,
                lost_count=mine.results - both.results,
            )
    return found


def _likely_pairs(by_age: list[Case]) -> Iterator[tuple[Case, Case]]:
    """Yield (younger, older) where the counts alone do not rule it out, at most so many."""
    count = 0
    for place, case in enumerate(by_age):
        for other in by_age[:place]:
            mine, theirs = case.month.all, other.month.all
            is_likely = (
                case.may_go
                and min(mine.found, theirs.found) >= RESULTS_MIN
                and _alike(mine.read, theirs.read, min(mine.read, theirs.read))
                and _alike(mine.found, theirs.found, min(mine.found, theirs.found))
            )
            if is_likely and count < PAIRS_MAX:
                count += 1
                yield case, other


def _alike(one: int, other: int, both: int) -> bool:
    """Tell whether ``both`` are at least four fifths of all that either has."""
    return both >= ALIKE_MIN * (one + other - both)
