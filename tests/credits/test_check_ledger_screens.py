"""``check_ledger`` sees in its pass over the entries where lots, uses or reservations are wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from credits.models import Drawdown, Hold, UsageEvent
from tests.support import people, statement
from tests.support.corrupting import corrupt, without


@pytest.fixture
def held(acme, clock):
    """Reservations of every kind, and a lot of another company.

    #1 First +5, #2 Second +10, #3 a capture of 1.5 where First held 2, #4 a capture of 5, 3.5 of
    First and 1.5 of Second, #5 a charge of 1; nothing was captured of a hold of 1; 2 are held.
    """
    statement.lot(acme, "First", "5")
    statement.lot(acme, "Second", "10")
    globex = people.company("Globex")
    theirs = statement.lot(globex, "Theirs", "20")
    found = {"globex": globex.pk, "slug": globex.slug, "theirs": theirs.pk}
    for name, amount, taken in (("one", "2", "1.5"), ("two", "5", "5"), ("nothing", "1", "0")):
        reservation = statement.reserve(acme, amount)
        clock.advance(timedelta(minutes=1))
        statement.capture(reservation, taken)
        found[name] = reservation.pk
    statement.charge(acme, "1")
    found["open"] = statement.reserve(acme, "2").pk
    return found


HOLD = "UPDATE credits_hold SET {} WHERE reservation_id = '[{}]'"
DRAWDOWN = "UPDATE credits_drawdown SET {} WHERE entry_id = {{e5}}"
RESERVATION = "UPDATE credits_reservation SET {} WHERE id = '[{}]'"
ELSEWHERE = "company_id = [globex], grant_id = '[theirs]'"
WITH_ITS_USE = without("reservation", "reservation_captured_names_its_usage")

# What was done, and how a breach goes that is named among those found.
CORRUPTIONS = {
    "a drawdown lost its entry": (
        [
            "DELETE FROM credits_usageevent WHERE entry_id = {e5}",
            "DELETE FROM credits_ledgerentry WHERE id = {e5}",
        ],
        "I16 credits_drawdown [d5]: entry_id is not a row of its company",
    ),
    "a drawdown was moved to another company": (
        [DRAWDOWN.format(ELSEWHERE)],
        "I16 company [slug], credits_drawdown [d5]: entry_id is not a row of its company",
    ),
    "a drawdown was moved to another company's lot": (
        [DRAWDOWN.format("grant_id = '[theirs]'")],
        "I16 credits_drawdown [d5]: grant_id is not a row of its company",
    ),
    "a use was moved to another company": (
        ["UPDATE credits_usageevent SET company_id = [globex] WHERE entry_id = {e5}"],
        "I16 company [slug], credits_usageevent {u5}: entry_id is not a row of its company",
    ),
    "a hold lost its reservation": (
        ["DELETE FROM credits_reservation WHERE id = '[open]'"],
        "I16 credits_hold [hold]: reservation_id is not a row of its company",
    ),
    "a hold was moved to another company": (
        [HOLD.format(ELSEWHERE, "open")],
        "I16 company [slug], credits_hold [hold]: reservation_id is not a row of its company",
    ),
    "a hold was moved to another company's lot": (
        [HOLD.format("grant_id = '[theirs]'", "open")],
        "I16 credits_hold [hold]: grant_id is not a row of its company",
    ),
    "a hold was taken before its lot began": (
        [RESERVATION.format("opened_at = opened_at - interval '5 minutes'", "open")],
        (
            "I7 reservation [open]: at 2026-03-02 11:58:00+00 holds of grant {second}, usable from"
            " 2026-03-02 12:00:00+00 until "
        ),
    ),
    "an open reservation is said to be captured": (
        [WITH_ITS_USE, RESERVATION.format("state = 'CAPTURED', closed_at = opened_at", "open")],
        "I5 reservation [open]: CAPTURED with 0.000 captured, charged 0",
    ),
    "an open reservation is said to have taken something": (
        [WITH_ITS_USE, RESERVATION.format("captured = 1", "open")],
        "I5 reservation [open]: OPEN with 1.000 captured, charged 0",
    ),
    "a captured reservation was deleted": (
        [
            "DELETE FROM credits_hold WHERE reservation_id = '[one]'",
            "DELETE FROM credits_reservation WHERE id = '[one]'",
        ],
        "I7 entry #3: captures 1.500 of grant {first} where its reservation holds 0 until ",
    ),
    "a captured reservation was moved to another company": (
        [RESERVATION.format("company_id = [globex]", "one"), HOLD.format(ELSEWHERE, "one")],
        "I7 entry #3: captures 1.500 of grant {first} where its reservation holds 0 until ",
    ),
    "a captured reservation names another use": (
        [
            RESERVATION.format("usage_event_id = '{u5}'", "one"),
        ],
        (
            "I5 reservation [one]: captured 1.500 at 2026-03-02 12:01:00+00; its usage {u5} is of"
            " 1.000 at 2026-03-02 12:03:00+00, or of another feature"
        ),
    ),
    "more was captured than was held": (
        [
            without("reservation", "reservation_captures_no_more_than_it_holds"),
            RESERVATION.format("amount = 1", "one"),
            HOLD.format("amount = 1", "one"),
        ],
        (
            "I7 entry #3: captures 1.500 of grant {first} where its reservation holds 1.000 until"
            " 2026-03-02 12:15:00+00"
        ),
    ),
    "more was captured of one lot than was held of it": (
        [
            HOLD.format("amount = amount - 0.1", "two") + " AND grant_id = '{first}'",
            HOLD.format("amount = amount + 0.1", "two") + " AND grant_id = '{second}'",
        ],
        (
            "I7 entry #4: captures 3.500 of grant {first} where its reservation holds 3.400 until"
            " 2026-03-02 12:16:00+00"
        ),
    ),
    "something was captured of a lot of which nothing was held": (
        [
            "DELETE FROM credits_hold WHERE reservation_id = '[two]' AND grant_id = '{second}'",
            HOLD.format("amount = 5", "two"),
        ],
        (
            "I7 entry #4: captures 1.500 of grant {second} where its reservation holds 0 until"
            " 2026-03-02 12:16:00+00"
        ),
    ),
    "a use of nothing has another action": (
        [
            "UPDATE credits_usageevent SET action = 'MCP_REQUEST' WHERE id = '[unpaid]'",
        ],
        (
            "I5 reservation [nothing]: captured nothing at 2026-03-02 12:03:00+00; its usage"
            " [unpaid] is of 0.000 at 2026-03-02 12:03:00+00, or of another feature"
        ),
    ),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_what_shows_in_the_pass_over_the_entries_is_named(acme, held, run, corruption):
    statements, expected = CORRUPTIONS[corruption]
    held["d5"] = Drawdown.objects.get(entry__company=acme, entry__sequence=5).pk
    held["hold"] = Hold.objects.get(reservation_id=held["open"]).pk
    held["unpaid"] = UsageEvent.objects.get(company=acme, amount=0).pk

    def filled(text: str) -> str:
        for name, value in held.items():
            text = text.replace(f"[{name}]", str(value))
        return text

    assert run(allow_test_clock=True)[0] == 0

    names = corrupt(acme, *map(filled, statements))

    _, lines = run(allow_test_clock=True)
    found = [line.replace(f" company {acme.slug},", "") for line in lines]
    assert filled(expected).format(**names) in found
