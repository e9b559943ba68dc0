"""A person may halt a backfill and let it go on; meanwhile nothing of it is charged (SPEC §5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.audit import Action
from credits.models import AuditEvent, UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import (
    backfill_progress,
    backfills,
    claiming,
    erasure,
    erasure_requests,
    scanning,
    sweeping,
)
from trackers.models import Scan

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "10")
    return company


@pytest.fixture
def backfill(acme, alice, now):
    """Four short calls in one team and two in another: 3.0 credits."""
    conversations.ingest(
        acme,
        *(record(f"{n}") for n in range(4)),
        *(record(f"s{n}", team="Support", started_at=now - timedelta(days=5)) for n in range(2)),
    )
    tracker = conversations.published(acme, alice, now=now)
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=60),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )


def run(backfill) -> int:
    return scanning.run_batch(
        version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now
    )


def states(backfill) -> list[str]:
    return list(
        backfill.scans.order_by("conversation__external_id").values_list("state", flat=True)
    )


def pause(backfill, by):
    return backfills.pause(backfill_id=backfill.pk, by=by, now=timezone.now())


def test_a_pause_between_batches_leaves_the_rest_queued_and_names_who_paused(
    acme, alice, backfill, analyzer
):
    run(backfill)

    paused = pause(backfill, alice)
    claimed, swept = run(backfill), sweeping.sweep(now=timezone.now())

    assert (paused.state, paused.paused_by) == ("PAUSED", alice)
    assert (claimed, swept.woken, swept.skipped) == (0, 0, 0)
    assert states(backfill) == ["DONE"] * 4 + ["PENDING"] * 2
    assert balances.now(company=acme).remaining == Decimal("8.000")
    assert AuditEvent.objects.get(action=Action.PAUSED).actor_ref == alice.public_id
    assert backfill_progress.time_left(paused, now=timezone.now()) is None


def test_what_is_read_while_it_is_paused_is_queued_again_uncharged_and_not_a_try(
    acme, alice, backfill, analyzer
):
    held = []

    def pause_once():
        analyzer.on_read = lambda: None
        pause(backfill, alice)
        held.append(balances.now(company=acme).reserved)

    analyzer.on_read = pause_once
    run(backfill)

    assert held == [Decimal("0.000")]
    assert states(backfill) == ["PENDING"] * 6
    assert set(Scan.objects.values_list("attempts", flat=True)) == {0}
    assert UsageEvent.objects.count() == 0
    assert balances.now(company=acme).remaining == Decimal("10.000")
    assert reconciliation.check() == []


def test_a_pause_and_a_resumption_while_it_is_read_are_not_a_try_either(
    acme, alice, backfill, analyzer
):
    def pause_and_resume():
        pause(backfill, alice)
        backfills.resume(backfill_id=backfill.pk, by=alice, now=timezone.now())

    analyzer.on_read = pause_and_resume
    for _ in range(5):
        run(backfill)
    analyzer.on_read = lambda: None

    assert states(backfill) == ["PENDING"] * 6
    assert set(Scan.objects.values_list("attempts", flat=True)) == {0}
    assert UsageEvent.objects.count() == 0
    while run(backfill):
        pass
    assert states(backfill) == ["DONE"] * 6
    assert balances.now(company=acme).remaining == Decimal("7.000")


def test_a_resumed_backfill_reads_the_rest_once(acme, alice, backfill, analyzer):
    run(backfill)
    pause(backfill, alice)

    resumed = backfills.resume(backfill_id=backfill.pk, by=alice, now=timezone.now())
    while run(backfill):
        pass

    assert (resumed.paused_at, resumed.paused_by) == (None, None)
    backfill.refresh_from_db()
    assert (backfill.state, states(backfill)) == ("DONE", ["DONE"] * 6)
    assert len(analyzer.read) == 6
    assert balances.now(company=acme).remaining == Decimal("7.000")


def test_one_whose_rest_was_erased_while_it_was_paused_is_done_when_it_is_resumed(
    acme, alice, backfill, analyzer
):
    """Nobody is woken who would find that nothing is left."""
    run(backfill)
    pause(backfill, alice)
    for external_id in ("s0", "s1"):
        request = erasure_requests.by_external_id(company=acme, external_id=external_id)
        erasure.erase(request=request, by=alice, reason="Asked by letter", now=timezone.now())

    backfills.resume(backfill_id=backfill.pk, by=alice, now=timezone.now())

    backfill.refresh_from_db()
    assert (backfill.state, backfill.paused_by) == ("DONE", None)
    assert backfill.ended_at is not None
    assert sorted(states(backfill)) == ["DONE"] * 4 + ["SKIPPED"] * 2


def test_what_was_read_before_credits_ran_out_is_written_though_the_backfill_waits(
    acme, alice, backfill, analyzer
):
    """Another worker meets zero meanwhile: what this one holds is paid for."""
    analyzer.on_read = lambda: backfills.wait_at_zero(backfill_id=backfill.pk)

    run(backfill)

    backfill.refresh_from_db()
    assert (backfill.state, states(backfill)) == ("WAITING", ["DONE"] * 4 + ["PENDING"] * 2)


def test_only_what_runs_can_be_paused_and_only_what_is_halted_resumed(alice, backfill):
    with pytest.raises(backfills.NotRunning):
        backfills.resume(backfill_id=backfill.pk, by=alice, now=timezone.now())
    pause(backfill, alice)

    with pytest.raises(backfills.NotRunning):
        pause(backfill, alice)

    stopped = backfills.stop(backfill_id=backfill.pk, by=alice, now=timezone.now())
    assert (stopped.state, stopped.paused_by, states(backfill)) == (
        "STOPPED",
        None,
        ["SKIPPED"] * 6,
    )


def test_a_stop_frees_the_credits_held_before_the_worker_notices(acme, alice, backfill, analyzer):
    batch = claiming.claim(
        version_id=backfill.version_id,
        backfill_id=backfill.pk,
        rates=people.rates(),
        now=timezone.now(),
    )
    claiming.hold_credits(batch, now=timezone.now())
    assert balances.now(company=acme).reserved == Decimal("2.000")

    backfills.stop(backfill_id=backfill.pk, by=alice, now=timezone.now())

    assert balances.now(company=acme).reserved == Decimal("0.000")


def test_a_batch_of_a_slow_analyzer_is_written_after_three_seconds_and_the_rest_goes_on(
    acme, backfill, analyzer
):
    """Each reading takes two seconds by the worker's clock: two fit."""
    began = timezone.now()
    analyzer_clock = [began]

    def two_seconds_pass():
        analyzer_clock[0] += timedelta(seconds=2)

    analyzer.on_read = two_seconds_pass

    scanning.run_batch(
        version_id=backfill.version_id,
        backfill_id=backfill.pk,
        clock=lambda: analyzer_clock[0],
    )

    assert states(backfill) == ["DONE", "DONE", "PENDING", "PENDING", "PENDING", "PENDING"]
    assert set(Scan.objects.filter(state="PENDING").values_list("attempts", flat=True)) == {0}
    assert balances.now(company=acme).remaining == Decimal("9.000")
