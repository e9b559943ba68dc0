"""``check_ledger`` finds what contradicts how a lot ended, and what was held of it came back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import balances, charging, grants
from credits.ledger import Key
from tests.credits.conftest import NOON
from tests.support import statement
from tests.support.corrupting import corrupt

HOLD = "UPDATE credits_hold SET {} WHERE reservation_id = '[{}]'"
RESERVATION = "UPDATE credits_reservation SET {} WHERE id = '[{}]'"
SHORT = "UPDATE credits_creditgrant SET {} WHERE id = '{{short}}'"


@pytest.fixture
def ended(acme, clock, vera):
    """Holds that came back to lots that had ended, each with its entry; the holds by name.

    #1 Short +6 until 12:10, #2 Gone +2, #3 Lasting +10; of Short are held 3, 1 and 2, of Gone 2,
    and Gone is voided. At 12:12 the 1 is released (#4), 0.5 of the 2 captured (#5, #6) and Gone's 2
    released (#7); at 12:15 the 3 lapse (#8).
    """
    statement.lot(acme, "Short", "6", expires_at=NOON + timedelta(minutes=10))
    gone = statement.lot(acme, "Gone", "2", priority=101)
    statement.lot(acme, "Lasting", "10", priority=102)
    lapsed = charging.reserve(
        company=acme,
        amount=Decimal(3),
        use=statement.use(),
        rates=statement.MILLS,
        lease=timedelta(minutes=15),
        key=Key.of("order-118", amount="3"),
    )
    released, captured, voided = (statement.reserve(acme, amount) for amount in ("1", "2", "2"))
    grants.void(grant=gone, by=vera, reason="Recorded by mistake")
    clock.advance(timedelta(minutes=12))
    charging.release(reservation=released)
    statement.capture(captured, "0.5")
    charging.release(reservation=voided)
    clock.advance(timedelta(minutes=3))
    balances.now(company=acme)
    named = {"lapsed": lapsed, "released": released, "captured": captured, "voided": voided}
    return {name: str(one.pk) for name, one in named.items()}


# What was done, and every breach that is named.
CORRUPTIONS = {
    "a lapsed reservation is said to have been of less": (
        [RESERVATION.format("amount = 1", "lapsed"), HOLD.format("amount = 1", "lapsed")],
        [
            (
                "I5 entry #8: EXPIRED by LAPSE at 2026-03-02 12:15:00+00 of -3.000 of grant"
                " {short}; its reservation is LAPSED at 2026-03-02 12:15:00+00 and held 1.000 of it"
            ),
        ],
    ),
    "a lapsed reservation is said to have been released before": (
        [RESERVATION.format("state = 'RELEASED', closed_at = '2026-03-02 12:14Z'", "lapsed")],
        [
            (
                "I5 entry #8: EXPIRED by LAPSE at 2026-03-02 12:15:00+00 of -3.000 of grant"
                " {short}; its reservation is RELEASED at 2026-03-02 12:14:00+00 and held 3.000 of"
                " it"
            ),
        ],
    ),
    "a lapsed reservation is said to have held of another lot": (
        [HOLD.format("grant_id = '{lasting}'", "lapsed")],
        [
            (
                "I5 entry #8: EXPIRED by LAPSE at 2026-03-02 12:15:00+00 of -3.000 of grant"
                " {short}; its reservation is LAPSED at 2026-03-02 12:15:00+00 and held 0 of it"
            ),
        ],
    ),
    "a lapsed reservation was deleted with its holds and key": (
        [
            "DELETE FROM credits_hold WHERE reservation_id = '[lapsed]'",
            "DELETE FROM credits_reservation WHERE id = '[lapsed]'",
            "DELETE FROM credits_idempotencyrecord WHERE result_ref = '[lapsed]'",
        ],
        [
            (
                "I5 entry #8: EXPIRED by LAPSE at 2026-03-02 12:15:00+00 of -3.000 of grant"
                " {short}; its reservation is missing at  and held 0 of it"
            ),
        ],
    ),
    "a released reservation is said to have been of more": (
        [RESERVATION.format("amount = 2", "released"), HOLD.format("amount = 2", "released")],
        [
            (
                "I5 entry #4: EXPIRED by RELEASE at 2026-03-02 12:12:00+00 of -1.000 of grant"
                " {short}; its reservation is RELEASED at 2026-03-02 12:12:00+00 and held 2.000 of"
                " it"
            ),
        ],
    ),
    "a released reservation of a voided lot is said to have lapsed": (
        [RESERVATION.format("state = 'LAPSED', closed_at = lapses_at", "voided")],
        [
            (
                "I5 entry #7: VOIDED by RELEASE at 2026-03-02 12:12:00+00 of -2.000 of grant"
                " {gone}; its reservation is LAPSED at 2026-03-02 12:15:00+00 and held 2.000 of it"
            ),
        ],
    ),
    "a captured reservation is said to have been of less": (
        [RESERVATION.format("amount = 1", "captured"), HOLD.format("amount = 1", "captured")],
        [
            (
                "I5 entry #6: EXPIRED by CAPTURE at 2026-03-02 12:12:00+00 of -1.500 of grant"
                " {short}; its reservation is CAPTURED at 2026-03-02 12:12:00+00 and held 1.000 of"
                " it"
            ),
        ],
    ),
    "a lot is said to have ended later": (
        [SHORT.format("expired_at = '2026-03-02 12:11Z'")],
        [
            (
                "I7 grant {short}: usable from 2026-03-02 12:00:00+00 until 2026-03-02"
                " 12:10:00+00, began at 2026-03-02 12:00:00+00 and ended at 2026-03-02 12:11:00+00"
            ),
        ],
    ),
    "a lot is said not to have ended": (
        [SHORT.format("expired_at = NULL")],
        [
            (
                f"I7 entry #{number}: expires grant {{short}} at 2026-03-02 12:{minute}:00+00,"
                " which is usable until 2026-03-02 12:10:00+00 and ended at "
            )
            for number, minute in ((4, 12), (6, 12), (8, 15))
        ],
    ),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_what_contradicts_how_a_lot_ended_is_named(acme, ended, run, corruption):
    statements, expected = CORRUPTIONS[corruption]
    for name, value in ended.items():
        statements = [one.replace(f"[{name}]", value) for one in statements]
    before = run(allow_test_clock=True)

    names = corrupt(acme, *statements)

    code, lines = run(allow_test_clock=True)
    found = [line.replace(f" company {acme.slug},", "") for line in lines[:-1]]
    assert before == (0, ["Checked 8 ledger entries: every invariant holds."])
    assert sorted(found) == sorted(line.format(**names) for line in expected)
    assert code == 1
