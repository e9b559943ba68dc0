"""The price is known before any AI runs, and is the price that is charged (SPEC §3)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfill_progress, backfills, estimates, scanning
from trackers.models import Team, TrackerFilter

pytestmark = pytest.mark.django_db

SILENT = [{"id": "u0", "speaker": "c", "start": 0.0, "text": "…"}]
ONLY_REP = [{"id": "u0", "speaker": "r", "start": 0.0, "text": "Here is our proposal."}]


@pytest.fixture
def acme(now):
    """Two long calls, three short ones, one of nobody's words, seven e-mails, two older calls."""
    company = people.company()
    lately, long_ago = now - timedelta(days=10), now - timedelta(days=45)
    conversations.ingest(
        company,
        *(record(f"long-{n}", started_at=lately, duration_seconds=601) for n in range(2)),
        *(record(f"short-{n}", started_at=lately, duration_seconds=600) for n in range(3)),
        record("silent", started_at=lately, utterances=SILENT),
        record("only-rep", started_at=lately, utterances=ONLY_REP),
        *(record(f"mail-{n}", started_at=lately, kind="email") for n in range(7)),
        *(record(f"old-{n}", started_at=long_ago, team="Support") for n in range(2)),
        now=now,
    )
    return company


def test_a_month_is_priced_from_the_matching_conversations_of_the_last_30_days(acme, now):
    tracker = conversations.tracker(acme, include_emails=True)

    estimate = estimates.monthly(
        tracker=tracker, version=tracker.versions.get(), now=now, rates=people.rates()
    )

    # 2 × 1.0 + 3 × 0.5 + 7 × 0.1; two calls hold no word of the customer and cost nothing.
    assert (estimate.calls, estimate.emails, estimate.credits) == (7, 7, Decimal("4.200"))


def test_what_is_dated_after_now_is_not_of_the_last_30_days(acme, now):
    conversations.ingest(acme, record("ahead", started_at=now + timedelta(hours=3)), now=now)
    tracker = conversations.tracker(acme)

    estimate = estimates.monthly(
        tracker=tracker, version=tracker.versions.get(), now=now, rates=people.rates()
    )

    assert (estimate.calls, estimate.credits) == (7, Decimal("3.500"))


def test_many_trackers_are_priced_in_one_query_as_each_one_alone(
    acme, now, django_assert_num_queries
):
    calls = conversations.tracker(acme, "Calls")
    both = conversations.tracker(acme, "Both", include_emails=True, side="ANY")
    nothing = conversations.tracker(acme, "Nothing")
    TrackerFilter.objects.create(
        company=acme, tracker=nothing, field="TEAM", team=Team.objects.get(name="Support")
    )
    rates = people.rates()
    pairs = [(one, one.versions.get()) for one in (calls, both, nothing)]

    # One for the filters of each tracker, which are not prefetched here, and one for the counts.
    with django_assert_num_queries(4):
        found = estimates.monthly_of(pairs, now=now, rates=rates)

    assert {one.name: found[one.pk].credits for one, _ in pairs} == {
        "Calls": Decimal("3.500"),
        "Both": Decimal("4.700"),
        "Nothing": Decimal("0.000"),
    }
    assert estimates.monthly_of([], now=now, rates=people.rates()) == {}


def test_the_estimate_of_a_backfill_is_what_is_then_charged(acme, alice, now, monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    people.credits_for(acme, "100")
    tracker = conversations.published(acme, alice, include_emails=True, now=now)
    span = {"from_at": now - timedelta(days=90), "to_at": now}
    estimate = estimates.backfill(
        tracker=tracker, version=tracker.version_in_force, rates=people.rates(), **span
    )
    assert (estimate.conversations, estimate.credits) == (16, Decimal("5.200"))

    backfill = backfills.launch(
        tracker_id=tracker.pk, ceiling=None, rates=people.rates(), by=alice, now=now, **span
    )
    while scanning.run_batch(
        version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now
    ):
        pass

    assert sum(event.amount for event in UsageEvent.objects.all()) == Decimal("5.200")
    assert balances.now(company=acme).available == Decimal("94.800")
    assert backfill_progress.of(backfill).charged == Decimal("5.200")
    assert reconciliation.check() == []


def test_the_oldest_matching_conversation_is_where_history_begins(acme, now):
    tracker = conversations.tracker(acme)
    assert estimates.oldest_start(tracker) == now - timedelta(days=45)

    TrackerFilter.objects.create(
        company=acme, tracker=tracker, field="TEAM", team=Team.objects.get(name="EMEA Sales")
    )
    assert estimates.oldest_start(tracker) == now - timedelta(days=10)


def calls_on_days(acme, now, counts):
    """Take so many long calls in on each of the days before now, the newest day first."""
    conversations.ingest(
        acme,
        *(
            record(
                f"day-{day}-{n}",
                started_at=now - timedelta(days=day, hours=1),
                duration_seconds=601,
                deal=None,
            )
            for day, count in enumerate(counts)
            for n in range(count)
        ),
        now=now,
    )


def month_of(company, now):
    tracker = conversations.tracker(company)
    return estimates.monthly(
        tracker=tracker, version=tracker.versions.get(), now=now, rates=people.rates()
    )


def test_a_steady_month_is_expected_to_cost_what_it_did(now):
    company = people.company()
    calls_on_days(company, now, [2] * 30)

    month = month_of(company, now)

    assert (month.credits, month.low, month.high) == (60, 60, 60)


def test_quiet_weekends_are_no_reason_for_a_month_to_differ(now):
    company = people.company()
    calls_on_days(company, now, [4 if day % 7 < 5 else 0 for day in range(30)])

    month = month_of(company, now)

    # 22 of the 30 days, 4 calls each.
    assert (month.credits, month.low, month.high) == (88, 88, 88)


def test_days_that_vary_give_a_month_its_range(now):
    company = people.company()
    # The second and fourth of each weekday have 4 calls, the others none.
    calls_on_days(company, now, [4 * (day // 7 % 2) for day in range(30)])

    month = month_of(company, now)

    # 14 days of 4. Five weekdays have 0, 4, 0, 4 (squares 16), two 0, 4, 0, 4, 0 (19.2): 118.4
    # over 23 degrees of freedom, of 30 days: 154.4. Its root, 12.43, times 1.2816 is 15.9.
    assert (month.credits, month.low, month.high) == (56, Decimal("40.1"), Decimal("71.9"))


def test_a_month_never_costs_less_than_nothing(now):
    company = people.company()
    calls_on_days(company, now, [9])

    month = month_of(company, now)

    assert (month.credits, month.low) == (9, 0)
    assert month.high > 9


def test_a_call_exactly_30_days_ago_is_of_the_earliest_day(now):
    company = people.company()
    conversations.ingest(
        company,
        record("edge", started_at=now - timedelta(days=30), duration_seconds=601),
        now=now,
    )

    assert month_of(company, now).credits == 1
