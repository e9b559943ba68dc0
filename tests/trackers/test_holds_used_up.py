"""What met others' holds waits for credits as soon as these are used up (SPEC §5, UX F5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, charging, demand
from credits.ledger import Use
from credits.rating import Work
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import scanning, sweeping, waiting
from trackers.models import Scan

pytestmark = pytest.mark.django_db


@pytest.fixture
def trackers(acme, alice, now):
    """Two of them, each of four short calls that cost 2.000; there are 2.000 in all."""
    then = now - timedelta(days=60)
    found = [
        conversations.published(acme, alice, name, now=then) for name in ("Delivery", "Prices")
    ]
    people.credits_for(acme, "2")
    conversations.ingest(acme, *(record(f"{n}", started_at=now) for n in range(4)), now=now)
    return found


def run(tracker) -> None:
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)


def rows(tracker) -> list[tuple[str, Decimal, bool]]:
    """Return the tracker's rows: state, price, and whether it is written since when it waits."""
    scans = Scan.objects.filter(tracker=tracker).values_list("state", "price", "waiting_since")
    return [(state, price, since is not None) for state, price, since in scans]


def counted(company) -> tuple[int, Decimal]:
    """Return what every page says waits: how many, for how much."""
    found = demand.waiting(company=company)
    assert sum(queue.count for queue in waiting.queues(company=company)) == found.count
    return found.count, found.credits


def test_what_met_a_batch_s_hold_waits_once_that_is_charged(acme, trackers, analyzer):
    first, second = trackers
    seen_while_held = []

    def another_worker_comes():
        analyzer.on_read = lambda: None
        run(second)
        seen_while_held.extend([rows(second), counted(acme)])

    analyzer.on_read = another_worker_comes
    run(first)

    assert balances.now(company=acme).remaining == 0
    assert seen_while_held == [[("PENDING", Decimal("0.500"), False)] * 4, (0, Decimal(0))]
    assert rows(second) == [("WAITING", Decimal("0.500"), True)] * 4
    assert counted(acme) == (4, Decimal("2.000"))


def test_what_waits_can_be_decided_at_once_and_is_read_once_there_are_credits(
    acme, alice, trackers, analyzer
):
    first, second = trackers
    analyzer.on_read = lambda: (setattr(analyzer, "on_read", lambda: None), run(second))
    run(first)
    people.credits_for(acme, "1")

    decision = waiting.Decision(waiting.Choice.ALL)
    shown = waiting.preview(company=acme, decision=decision, available=Decimal(1))
    waiting.decide(company=acme, decision=decision, shown=shown, by=alice, now=timezone.now())
    run(second)

    assert sorted(state for state, _, _ in rows(second)) == ["DONE"] * 2 + ["WAITING"] * 2
    assert counted(acme) == (2, Decimal("1.000"))


def hold(company, amount: str):
    return charging.reserve(
        company=company,
        amount=Decimal(amount),
        use=Use("BRIEF", "Account brief", None, "API_REQUEST"),
        rates=people.rates(),
    )


def test_what_met_a_brief_s_hold_waits_by_the_next_sweep(acme, trackers, analyzer):
    _, second = trackers
    held = hold(acme, "2")
    run(second)
    before = rows(second)
    charging.capture(reservation=held, work=Work(long_calls=2), rates=people.rates())

    swept = sweeping.sweep(now=timezone.now())

    assert before == [("PENDING", Decimal("0.500"), False)] * 4
    assert (swept.waiting, rows(second)) == (4, [("WAITING", Decimal("0.500"), True)] * 4)
    assert counted(acme) == (4, Decimal("2.000"))


def test_while_holds_may_come_free_again_nothing_waits(acme, trackers, analyzer):
    _, second = trackers
    hold(acme, "2")
    run(second)

    swept = sweeping.sweep(now=timezone.now())

    assert (swept.waiting, rows(second)) == (0, [("PENDING", Decimal("0.500"), False)] * 4)


def test_what_failed_is_tried_again_in_its_own_time_and_does_not_wait(acme, trackers, now):
    _, second = trackers
    later = {"due_at": now + timedelta(minutes=5), "attempts": 2, "price": Decimal("0.500")}
    Scan.objects.filter(tracker=second).update(reason="The analyser was not there.", **later)
    charging.capture(reservation=hold(acme, "2"), work=Work(long_calls=2), rates=people.rates())

    swept = sweeping.sweep(now=timezone.now())

    assert (swept.waiting, {state for state, _, _ in rows(second)}) == (0, {"PENDING"})


def test_a_hold_that_is_used_up_while_another_is_put_off_is_noticed(
    acme, trackers, analyzer, monkeypatch
):
    """The capture comes after the balance was read, and looks before the rows are put back."""
    _, second = trackers
    held = hold(acme, "2")
    now_of, asked = balances.now, []

    def read_and_overtaken(*, company):
        found = now_of(company=company)
        if not asked:
            asked.append(company)
            charging.capture(reservation=held, work=Work(long_calls=2), rates=people.rates())
        return found

    monkeypatch.setattr(balances, "now", read_and_overtaken)
    run(second)

    assert rows(second) == [("WAITING", Decimal("0.500"), True)] * 4
