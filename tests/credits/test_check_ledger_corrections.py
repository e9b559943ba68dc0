"""``check_ledger`` finds corrections that were themselves tampered with."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import charging, grants
from credits.models import CreditGrant
from tests.credits.conftest import NOON
from tests.support import statement
from tests.support.corrupting import CHANGED, corrupt, entry, lasting, without
from tests.support.people import days

pytestmark = pytest.mark.django_db

WHY = "It was not what was ordered"


@pytest.fixture
def acme(acme, vera, clock):
    """#1 Lasting +5, #2 Short +4, #3 March +1, never drawn on; #4 a charge of 6 (4 of Short, 2 of
    Lasting), #5 its refund of 3 (2 to Lasting, 1 to Short), #6 an adjustment of -1.5 (1 of Short,
    0.5 of Lasting) an hour later, #7 a void of the 4.5 left of Lasting. 1 of March remains.
    """
    statement.lot(acme, "Lasting", "5")
    statement.lot(acme, "Short", "4", expires_at=NOON + days(1))
    statement.lot(acme, "March", "1", priority=200)
    event = statement.charge(acme, "6")
    charging.refund(usage_event=event, amount=Decimal(3), by=vera, reason=WHY)
    clock.advance(timedelta(hours=1))
    grants.adjust(company=acme, amount=Decimal("-1.5"), by=vera, reason=WHY)
    grants.void(grant=CreditGrant.objects.get(reference="Lasting"), by=vera, reason=WHY)
    return acme


def drawn(number: int, grant: str, change: str) -> str:
    return (
        f"UPDATE credits_drawdown SET {change} WHERE entry_id = {{e{number}}}"
        f" AND grant_id = '{{{grant}}}'"
    )


# What was done, and every breach that is named.
CORRUPTIONS = {
    "a refund lost its correction": (
        ["DELETE FROM credits_correction WHERE kind = 'REFUNDED'"],
        ["I5 entry #5: REFUNDED of 3.000 is signed by nobody"],
    ),
    "a correction says another amount": (
        ["UPDATE credits_correction SET amount = -4 WHERE kind = 'VOIDED'"],
        [
            "I5 correction {c_voided}: VOIDED -4.000 and has another entry",
            "I5 entry #7: VOIDED of -4.500 is signed by nobody",
        ],
    ),
    "a correction lost its entry": (
        [
            without("correction", "correction_has_an_entry_when_it_moves_credits"),
            "UPDATE credits_correction SET entry_id = NULL WHERE kind = 'ADJUSTED'",
        ],
        [
            "I5 correction {c_adjusted}: ADJUSTED -1.500 and has another entry",
            "I5 entry #6: ADJUSTED of -1.500 is signed by nobody",
        ],
    ),
    "a grant forgot what was voided of it": (
        [lasting("voided = 4")],
        [
            (
                "I6 grant {lasting}: voided 4.000 and corrected down 0.500, its entries say 4.500 "
                "and 0.500"
            ),
        ],
    ),
    "a grant forgot that it was corrected down": (
        [lasting("corrected_down = 0")],
        [
            (
                "I6 grant {lasting}: voided 4.500 and corrected down 0.000, its entries say 4.500 "
                "and 0.500"
            ),
        ],
    ),
    "a voided grant kept something": (
        [
            "UPDATE credits_creditgrant SET remaining = 0, is_open = false WHERE id = '{march}'",
            without("creditgrant", "grant_withdrawals_are_within_amount"),
            lasting("remaining = 1"),
        ],
        [
            "I6 grant {lasting}: remaining 1.000, drawdowns add up to 0.000",
            "I6 grant {march}: remaining 0.000, drawdowns add up to 1.000",
            "I7 grant {lasting}: has expired or was voided, and keeps 1.000 of which 0.000 is held",
        ],
    ),
    "a refund went first to the lot drawn first": (
        [drawn(5, "lasting", "amount = 1"), drawn(5, "short", "amount = 2")],
        [
            "I6 grant {lasting}: remaining 0.000, drawdowns add up to -1.000",
            "I6 grant {short}: remaining 0.000, drawdowns add up to 1.000",
            f"I10 entry #5: {CHANGED}",
            (
                "I11 entry #4: drew 4.000 on grant {short}, was refunded 2.000 to it, and lots "
                "drawn later still miss 1.000"
            ),
        ],
    ),
    "a refund went to a lot that its charge never drew on": (
        [drawn(5, "short", "grant_id = '{march}'")],
        [
            "I6 grant {march}: remaining 1.000, drawdowns add up to 2.000",
            "I6 grant {short}: remaining 0.000, drawdowns add up to -1.000",
            f"I10 entry #5: {CHANGED}",
            "I11 entry #5: refunds 1.000 to grant {march}, which #4 never drew on",
        ],
    ),
    "a refund names what is no charge": (
        [entry(5, "corrects_sequence = 2")],
        [
            f"I10 entry #5: {CHANGED}",
            (
                "I5 correction {c_refunded}: says another person, kind, use, grant or time than "
                "entry #5"
            ),
            "I11 entry #5: refunds #2, which is no charge",
            "I11 entry #5: refunds 2.000 to grant {lasting}, which #2 never drew on",
        ],
    ),
    "more was refunded than charged": (
        [
            without("ledgerentry", "entry_after_is_before_plus_amount"),
            entry(5, "amount = 7"),
            drawn(5, "lasting", "amount = 6"),
        ],
        [
            "I1 pool: balance 1.000, entries add up to 5.000, lots to 1.000",
            "I3 entry #5: REFUNDED of 7.000: 4.000 to 7.000",
            "I5 correction {c_refunded}: REFUNDED 3.000 and has another entry",
            "I5 entry #5: REFUNDED of 7.000 is signed by nobody",
            "I6 grant {lasting}: remaining 0.000, drawdowns add up to 4.000",
            f"I10 entry #5: {CHANGED}",
            "I11 entry #4: charged 6.000, refunded 7.000",
            (
                "I11 entry #4: drew 2.000 on grant {lasting}, was refunded 6.000 to it, and lots "
                "drawn later still miss 0"
            ),
        ],
    ),
    "an adjustment took from a grant that had expired": (
        ["UPDATE credits_creditgrant SET expires_at = '2026-03-02 13:00Z' WHERE id = '{short}'"],
        [
            (
                "I7 entry #6: at 2026-03-02 13:00:00+00 draws on grant {short}, usable from "
                "2026-03-02 12:00:00+00 until 2026-03-02 13:00:00+00"
            ),
            f"I10 entry #2: {CHANGED}",
            "I10 grant {short}: its terms are not those that it was made with",
        ],
    ),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_correction_that_was_tampered_with_is_named(acme, run, corruption):
    statements, expected = CORRUPTIONS[corruption]

    names = corrupt(acme, *statements)

    code, lines = run(company=acme.slug, allow_test_clock=True)
    found = [line.replace(f" company {acme.slug},", "") for line in lines[:-1]]
    assert sorted(found) == sorted(line.format(**names) for line in expected)
    assert code == 1


def test_books_with_corrections_in_order_are_said_to_be(acme, run):
    assert run(allow_test_clock=True) == (
        0,
        ["Checked 7 ledger entries: every invariant holds."],
    )
