"""Spending credits (SPEC §2): each figure is literal, each story ends with the books checked."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from credits import balances, charging, reconciliation
from credits.amounts import InexactAmount
from credits.identifiers import new_id
from credits.ledger import IdempotencyConflict, InsufficientCredits, Key, Use
from credits.models import LedgerEntry, Reservation, UsageEvent
from credits.rating import Work
from tests.credits.conftest import NOON
from tests.support import people, statement

pytestmark = pytest.mark.django_db


def use() -> Use:
    return Use("ASK", "Ask anything", uuid.uuid4(), "API_REQUEST")


def test_a_charge_takes_its_price_and_names_the_lot_it_drew_on():
    acme = people.company()
    grant = people.credits_for(acme, "10")

    event = charging.charge(
        company=acme, use=use(), work=Work(long_calls=2, emails_with_text=3), rates=people.rates()
    )

    entry = LedgerEntry.objects.get(company=acme, sequence=2)
    assert event.amount == Decimal("2.300")
    assert (entry.balance_before, entry.amount, entry.balance_after) == (
        Decimal("10.000"),
        Decimal("-2.300"),
        Decimal("7.700"),
    )
    assert [(d.grant_id, d.amount) for d in entry.drawdowns.all()] == [
        (grant.pk, Decimal("-2.300"))
    ]
    assert balances.now(company=acme).available == Decimal("7.700")
    assert reconciliation.check() == []


def test_a_charge_above_what_is_available_is_refused_with_both_figures():
    acme = people.company()
    people.credits_for(acme, "0.4")

    with pytest.raises(InsufficientCredits) as refusal:
        charging.charge(company=acme, use=use(), work=Work(short_calls=1), rates=people.rates())

    assert refusal.value.required == Decimal("0.500")
    assert refusal.value.available == Decimal("0.400")
    assert refusal.value.shortfall == Decimal("0.100")
    assert balances.now(company=acme).remaining == Decimal("0.400")
    assert LedgerEntry.objects.filter(company=acme).count() == 1
    assert reconciliation.check() == []


def test_the_last_credit_can_be_spent_and_nothing_after_it(acme):
    statement.lot(acme, "March", "1")

    statement.charge(acme, "0.999")
    statement.charge(acme, "0.001")
    with pytest.raises(InsufficientCredits):
        statement.charge(acme, "0.001")

    assert statement.of(acme) == [
        "02 Mar 12:00 Added +1.0 = 1.0 (March +1.0)",
        "02 Mar 12:00 Used -0.999 = 0.001 (March -0.999)",
        "02 Mar 12:00 Used -0.001 = 0.0 (March -0.001)",
    ]


def test_a_free_use_is_metered_and_writes_no_entry(acme):
    event = charging.charge(
        company=acme,
        use=Use("ASK", "Ask anything", None, "REUSED"),
        work=Work(long_calls=3),
        rates=people.rates(),
        is_free=True,
    )

    row = UsageEvent.objects.get(pk=event.pk)
    assert (row.amount, row.entry_id, row.calls) == (Decimal("0.000"), None, 3)
    assert (row.occurred_at, row.after_sequence) == (NOON, 0)
    assert statement.of(acme) == []


def test_the_event_that_is_returned_is_the_row_that_was_written(acme):
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "3")

    for event in (statement.charge(acme, "1"), statement.capture(reservation, "2")):
        row = UsageEvent.objects.get(pk=event.pk)
        for field in UsageEvent._meta.concrete_fields:
            assert getattr(event, field.attname) == getattr(row, field.attname), field.name


def test_the_same_key_charges_once_and_another_body_is_a_conflict(acme):
    statement.lot(acme, "March", "10")

    def charge(question: str):
        return charging.charge(
            company=acme,
            use=use(),
            work=Work(long_calls=1),
            rates=people.rates(),
            key=Key.of("retry-1", question=question),
        )

    first = charge("Is it too dear?")
    again = charge("Is it too dear?")
    with pytest.raises(IdempotencyConflict):
        charge("Is it too cheap?")

    assert again.pk == first.pk
    assert statement.of(acme)[1:] == ["02 Mar 12:00 Used -1.0 = 9.0 (March -1.0)"]


def test_an_estimate_says_what_it_would_leave_and_takes_nothing(acme):
    statement.lot(acme, "March", "2")

    enough = charging.estimate(company=acme, work=Work(long_calls=1), rates=people.rates())
    short = charging.estimate(
        company=acme, work=Work(long_calls=2, emails_with_text=5), rates=people.rates()
    )

    assert (enough.credits, enough.available_before, enough.available_after) == (
        Decimal("1.000"),
        Decimal("2.000"),
        Decimal("1.000"),
    )
    assert (short.credits, short.calls, short.emails) == (Decimal("2.500"), 2, 5)
    assert short.available_after == Decimal("-0.500")
    assert len(statement.of(acme)) == 1


def test_a_reservation_keeps_others_from_what_it_holds(acme):
    statement.lot(acme, "March", "10")

    statement.reserve(acme, "9")
    with pytest.raises(InsufficientCredits) as refusal:
        statement.reserve(acme, "1.001")
    statement.charge(acme, "1")

    assert refusal.value.available == Decimal("1.000")
    assert statement.held(acme) == {"March": "9.0"}
    assert statement.of(acme)[1:] == ["02 Mar 12:00 Used -1.0 = 9.0 (March -1.0)"]


def test_a_partial_capture_takes_the_held_lots_in_order_and_frees_the_rest(acme):
    statement.lot(acme, "First", "2", priority=1)
    statement.lot(acme, "Second", "10", priority=2)
    reservation = statement.reserve(acme, "5")
    assert statement.held(acme) == {"First": "2.0", "Second": "3.0"}

    event = statement.capture(reservation, "2.5")

    assert event.amount == Decimal("2.500")
    assert statement.held(acme) == {}
    assert statement.left(acme) == {"Second": "9.5"}
    assert statement.of(acme)[2:] == [
        "02 Mar 12:00 Used -2.5 = 9.5 (First -2.0, Second -0.5)",
    ]


def test_a_capture_of_nothing_frees_all_and_charges_nothing(acme):
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "5")

    event = statement.capture(reservation, "0")

    assert (event.amount, event.entry_id) == (Decimal("0.000"), None)
    assert Reservation.objects.get(pk=reservation.pk).state == "CAPTURED"
    assert statement.held(acme) == {}
    assert len(statement.of(acme)) == 1


def test_a_capture_above_its_reservation_is_refused_and_it_stays_open(acme):
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "5")

    with pytest.raises(charging.CaptureExceedsReservation):
        statement.capture(reservation, "5.001")

    assert statement.held(acme) == {"March": "5.0"}
    assert len(statement.of(acme)) == 1


def test_a_capture_is_charged_once_and_told_again_to_the_same_usage(acme):
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "5")
    usage_id = new_id()

    def capture(id):
        return charging.capture(
            reservation=reservation,
            work=statement.work_of("5"),
            rates=statement.MILLS,
            usage_id=id,
        )

    first, again = capture(usage_id), capture(usage_id)
    with pytest.raises(charging.AlreadyCaptured):
        capture(new_id())
    with pytest.raises(charging.AlreadyCaptured):
        charging.release(reservation=reservation)

    assert first.pk == again.pk == usage_id
    assert statement.of(acme)[1:] == ["02 Mar 12:00 Used -5.0 = 5.0 (March -5.0)"]


def test_a_released_reservation_returns_its_credits_once(acme):
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "10")

    charging.release(reservation=reservation)
    with pytest.raises(charging.AlreadyReleased):
        charging.release(reservation=reservation)
    with pytest.raises(charging.AlreadyReleased):
        statement.capture(reservation, "1")
    statement.charge(acme, "10")

    assert statement.of(acme)[1:] == ["02 Mar 12:00 Used -10.0 = 0.0 (March -10.0)"]


def test_heartbeats_extend_a_lease_up_to_an_hour_after_it_was_opened(acme, clock):
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "5", minutes=15)
    ends = []

    for minutes in (10, 20, 30, 40, 50, 59):
        clock.set(NOON + timedelta(minutes=minutes))
        charging.extend(reservation=reservation, lease=timedelta(minutes=15))
        ends.append((reservation.lapses_at - NOON) // timedelta(minutes=1))
    clock.set(NOON + timedelta(minutes=60))
    with pytest.raises(charging.ReservationLapsed):
        charging.extend(reservation=reservation)

    assert ends == [25, 35, 45, 55, 60, 60]
    assert statement.held(acme) == {}
    assert len(statement.of(acme)) == 1


def test_a_shorter_heartbeat_never_shortens_the_lease(acme):
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "5", minutes=30)

    charging.extend(reservation=reservation, lease=timedelta(minutes=1))

    assert reservation.lapses_at == NOON + timedelta(minutes=30)


@pytest.mark.parametrize("minutes", [0, -1, 61])
def test_a_lease_is_longer_than_nothing_and_no_longer_than_an_hour(acme, minutes):
    statement.lot(acme, "March", "10")

    with pytest.raises(ValueError, match=r"^A lease lasts up to 1:00:00, not "):
        statement.reserve(acme, "1", minutes=minutes)

    assert statement.held(acme) == {}


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_reservation_of_nothing_is_refused(acme, amount):
    statement.lot(acme, "March", "10")

    with pytest.raises(ValueError, match=r"^Enter an amount above 0\.$"):
        statement.reserve(acme, amount)


@pytest.mark.parametrize(
    "amount", [0.1, Decimal("0.0001"), Decimal("NaN"), Decimal("Infinity")], ids=str
)
def test_a_reservation_is_never_rounded_and_never_a_float(acme, amount):
    statement.lot(acme, "March", "10")

    with pytest.raises(InexactAmount):
        charging.reserve(company=acme, amount=amount, use=use(), rates=people.rates())

    assert statement.held(acme) == {}


def test_the_person_who_spends_is_named_in_the_entry(acme):
    statement.lot(acme, "March", "10")
    alice, terms = people.alice(acme), {"use": use(), "rates": people.rates()}

    at_once = charging.charge(company=acme, work=Work(emails_with_text=1), by=alice, **terms)
    held = charging.reserve(company=acme, amount=Decimal(1), by=alice, **terms)
    later = charging.capture(
        reservation=held, work=Work(long_calls=1), rates=people.rates(), by=alice
    )
    by_nobody = charging.charge(company=acme, work=Work(emails_with_text=1), **terms)

    actors = dict(LedgerEntry.objects.filter(company=acme).values_list("pk", "actor_ref"))
    spent = [actors[event.entry_id] for event in (at_once, later, by_nobody)]
    assert spent == [alice.public_id, alice.public_id, None]


def test_a_reservation_of_another_company_does_not_exist(acme):
    globex = statement.company()
    statement.lot(acme, "March", "10")
    reservation = statement.reserve(acme, "5")
    stolen = Reservation.objects.get(pk=reservation.pk)
    stolen.company = globex

    for act in (charging.release, charging.extend):
        with pytest.raises(Reservation.DoesNotExist):
            act(reservation=stolen)
    with pytest.raises(Reservation.DoesNotExist):
        statement.capture(stolen, "1")

    assert statement.held(acme) == {"March": "5.0"}
    assert len(statement.of(acme)) == 1
