"""History is scanned by a priced list, up to its ceiling, and only if it can be paid (SPEC §5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credits import balances, reconciliation
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import analyzers, backfill_progress, backfills, claiming, scanning
from trackers.models import Backfill, Scan, TrackerVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "10")
    return company


@pytest.fixture
def tracker(acme, alice, now):
    """Six short calls of history: 3.0 credits, four of them in one team."""
    conversations.ingest(
        acme,
        *(record(f"{n}", started_at=now - timedelta(days=9 - n)) for n in range(4)),
        *(record(f"s{n}", started_at=now - timedelta(days=5), team="Support") for n in range(2)),
    )
    return conversations.published(acme, alice, now=now)


def launch(tracker, by, now, **changes) -> Backfill:
    asked = {
        "from_at": now - timedelta(days=30),
        "to_at": now,
        "ceiling": None,
        "rates": people.rates(),
    }
    return backfills.launch(tracker_id=tracker.pk, by=by, now=now, **(asked | changes))


def run(backfill) -> int:
    return scanning.run_batch(
        version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now
    )


def states(backfill) -> list[str]:
    return list(
        backfill.scans.order_by("conversation__external_id").values_list("state", flat=True)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ceiling": Decimal("-0.1")},
            "Not started: a ceiling cannot be below 0. Leave it empty or raise it.",
        ),
        ({"to_at": None}, "Not started: the first day is after the last day."),
        (
            {"shown": Decimal("2.9")},
            (
                "Not started: this backfill needs 3.0 credits by now, more than the 2.9 shown "
                "before. Look at the new figures."
            ),
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused_and_nothing_is_written(
    tracker, alice, now, changes, message
):
    if "to_at" in changes:
        changes = {"to_at": now - timedelta(days=31)}

    with pytest.raises(backfills.BackfillRefused) as refusal:
        launch(tracker, alice, now, **changes)

    assert str(refusal.value) == message
    assert (Backfill.objects.count(), Scan.objects.count()) == (0, 0)


def test_what_cannot_be_paid_is_refused_with_the_price_unless_a_ceiling_allows_it(acme, alice, now):
    conversations.ingest(acme, *(record(f"{n}", duration_seconds=900) for n in range(11)))
    tracker = conversations.published(acme, alice, now=now)
    span = {"from_at": now - timedelta(days=60)}

    with pytest.raises(backfills.BackfillRefused) as refusal:
        launch(tracker, alice, now, **span)

    assert str(refusal.value) == (
        "Not started: this backfill needs 11.0 credits and 10.0 are available. "
        "Shorten it or set a ceiling."
    )
    backfill = launch(tracker, alice, now, ceiling=Decimal("10"), **span)
    assert (backfill.estimate, backfill.ceiling) == (Decimal("11.000"), Decimal("10.000"))


def test_it_takes_over_what_failed_waits_or_was_skipped_and_never_what_is_done_or_leased(
    tracker, alice, now
):
    stopped = launch(tracker, alice, now)
    backfills.stop(backfill_id=stopped.pk, by=alice, now=now)
    leased = {"lease_token": stopped.pk, "leased_until": now}
    unfinished = {"finished_at": None, "reason": ""}
    for name, state, changes in (
        ("0", "FAILED", {"attempts": 5, "price": Decimal("9")}),
        ("1", "RUNNING", unfinished | leased),
        ("2", "WAITING", unfinished),
        ("3", "PENDING", unfinished),
    ):
        scan = Scan.objects.filter(conversation__external_id=name)
        scan.update(state=state, backfill=None, action="CONTINUOUS", **changes)

    second = launch(tracker, alice, now)

    taken = second.scans.values_list("conversation__external_id", flat=True)
    assert sorted(taken) == ["0", "2", "s0", "s1"]
    assert second.estimate == Decimal("2.000")
    # What failed is tried anew as often as anything, at the price of today.
    again = second.scans.get(conversation__external_id="0")
    assert (again.attempts, again.price, again.reason, again.finished_at) == (0, None, "", None)


def test_a_ceiling_above_the_estimate_is_the_estimate(tracker, alice, now):
    assert launch(tracker, alice, now, ceiling=Decimal("9")).ceiling == Decimal("3.000")


def test_the_ceiling_waits_for_a_batch_that_another_worker_is_reading(
    acme, tracker, alice, now, analyzer
):
    """Four calls of EMEA are being read when a second worker finds no room for Support's two."""
    backfill = launch(tracker, alice, now, ceiling=Decimal("2.2"))
    seen = []

    def another_worker_comes():
        analyzer.on_read = lambda: None
        seen.append(run(backfill))
        seen.append(Backfill.objects.get().state)

    analyzer.on_read = another_worker_comes
    while run(backfill):
        pass

    backfill.refresh_from_db()
    assert seen == [0, "RUNNING"]
    assert states(backfill) == ["DONE", "DONE", "DONE", "DONE", "SKIPPED", "SKIPPED"]
    assert (backfill.state, backfill.end_reason) == ("STOPPED", "The ceiling was reached.")
    assert balances.now(company=acme).remaining == Decimal("8.000")
    assert balances.now(company=acme).reserved == Decimal("0.000")
    assert reconciliation.check() == []


def test_the_ceiling_does_not_end_a_backfill_whose_batch_failed_just_then(
    acme, tracker, alice, now, analyzer, monkeypatch
):
    """EMEA's batch gives its room back after Support found none, before that is acted upon."""
    backfill = launch(tracker, alice, now, ceiling=Decimal("2.2"))
    asked = {"version_id": backfill.version_id, "backfill_id": backfill.pk, "now": now}
    emea = claiming.claim(rates=people.rates(), **asked)
    end_at_ceiling = backfills.end_at_ceiling

    def fail_just_then(**arguments):
        claiming.hand_back(emea, [item.scan_id for item in emea.items], counts_as_attempt=True)
        end_at_ceiling(**arguments)

    monkeypatch.setattr(backfills, "end_at_ceiling", fail_just_then)
    assert claiming.claim(rates=people.rates(), **asked) is None

    backfill.refresh_from_db()
    assert (backfill.state, states(backfill)) == ("RUNNING", ["PENDING"] * 6)
    monkeypatch.undo()
    monkeypatch.setattr(analyzers, "in_use", lambda: analyzer)
    while run(backfill):
        pass
    backfill.refresh_from_db()
    assert (backfill.state, backfill.end_reason) == ("STOPPED", "The ceiling was reached.")
    assert sorted(states(backfill)) == ["DONE"] * 4 + ["SKIPPED"] * 2


def test_what_just_fits_below_the_ceiling_does_not_end_it(tracker, alice, now, analyzer):
    """Of 2.2 credits EMEA's four calls took 2.0."""
    backfill = launch(tracker, alice, now, ceiling=Decimal("2.2"))
    run(backfill)
    assert states(backfill).count("DONE") == 4

    backfills.end_at_ceiling(backfill_id=backfill.pk, needed=Decimal("0.2"), now=now)
    fits = Backfill.objects.get().state
    backfills.end_at_ceiling(backfill_id=backfill.pk, needed=Decimal("0.201"), now=now)

    assert (fits, Backfill.objects.get().state) == ("RUNNING", "STOPPED")


def test_the_analyzer_learns_the_history_that_a_backfill_brings(tracker, alice, now):
    TrackerVersion.objects.update(calibration={"learned": "at publication"})

    launch(tracker, alice, now)

    assert TrackerVersion.objects.get().calibration is None


def test_claims_within_the_ceiling_sum_up_no_scans(tracker, alice, now, analyzer):
    backfill = launch(tracker, alice, now)

    with CaptureQueriesContext(connection) as asked:
        while run(backfill):
            pass

    backfill.refresh_from_db()
    assert (backfill.state, backfill.claimed) == ("DONE", Decimal("3.000"))
    assert not [one["sql"] for one in asked if 'SUM("trackers_scan"."price")' in one["sql"]]


def test_what_a_batch_gave_back_is_not_held_against_the_ceiling(
    acme, tracker, alice, now, analyzer
):
    backfill = launch(tracker, alice, now, ceiling=Decimal("2.2"))
    asked = {"version_id": backfill.version_id, "backfill_id": backfill.pk, "now": now}
    for _ in range(3):
        batch = claiming.claim(rates=people.rates(), **asked)
        claiming.hand_back(batch, [item.scan_id for item in batch.items], counts_as_attempt=False)

    while run(backfill):
        pass

    backfill.refresh_from_db()
    assert sorted(states(backfill)) == ["DONE"] * 4 + ["SKIPPED"] * 2
    assert backfill.claimed == Decimal("2.000")


def test_progress_is_counted_from_the_scans_of_each_backfill(
    acme, tracker, alice, now, analyzer, django_assert_num_queries
):
    other = conversations.published(acme, alice, "Delivery", now=now)
    analyzer.failing = {"2"}
    first = launch(tracker, alice, now)
    run(first)
    second = launch(other, alice, now)

    with django_assert_num_queries(1):
        found = backfill_progress.of_each([first, second])

    one, two = found[first.pk], found[second.pk]
    assert (one.total, one.done, one.waiting, one.charged) == (6, 3, 3, Decimal("1.500"))
    assert (one.finished, one.percent) == (3, 50)
    assert (two.total, two.done, two.charged) == (6, 0, Decimal("0.000"))


def test_the_time_left_follows_the_pace_of_the_last_minute(tracker, alice, now, analyzer):
    backfill = launch(tracker, alice, now - timedelta(minutes=5))
    assert backfill_progress.time_left(backfill, now=now) is None

    run(backfill)

    later = Scan.objects.filter(state="DONE").first().finished_at + timedelta(seconds=1)
    # Four in a minute, so the two that are left take half of one.
    assert backfill_progress.time_left(backfill, now=later) == timedelta(seconds=30)
    backfills.stop(backfill_id=backfill.pk, by=alice, now=later)
    backfill.refresh_from_db()
    assert backfill_progress.time_left(backfill, now=later) is None


def test_what_a_backfill_still_needs_is_at_most_what_its_ceiling_leaves(
    tracker, alice, now, analyzer
):
    backfill = launch(tracker, alice, now, ceiling=Decimal("2.7"))
    assert backfill_progress.still_needs(backfill, rates=people.rates()) == Decimal("2.700")

    run(backfill)

    assert backfill_progress.still_needs(backfill, rates=people.rates()) == Decimal("0.700")
