"""Adjusting a company's credits both ways (SPEC §2), as statements of account."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from credits import balances, corrections, grants
from credits.amounts import InexactAmount
from credits.models import CreditGrant, Source
from tests.credits.conftest import NOON
from tests.credits.test_corrections import NOT_VOIDABLE, TOMORROW, WHY
from tests.support import people, statement


def test_an_adjustment_upwards_is_a_grant_of_its_own(acme, vera, clock):
    entry = grants.adjust(
        company=acme, amount=Decimal("12.5"), by=vera, reason=WHY, expires_at=TOMORROW
    )
    clock.set(TOMORROW)
    balances.now(company=acme)

    grant = CreditGrant.objects.get(company=acme)
    assert (grant.source, grant.amount, grant.reason, grant.created_by) == (
        "ADJUSTMENT",
        Decimal("12.500"),
        WHY,
        vera,
    )
    assert (entry.kind, entry.cause, entry.grant_id) == ("ADJUSTED", "ADJUST", grant.pk)
    assert statement.corrections(acme) == [("ADJUSTED", Decimal("12.5"), WHY, "vera", 1)]
    CreditGrant.objects.update(reference="Goodwill")
    assert statement.of(acme) == [
        "02 Mar 12:00 Adjusted +12.5 = 12.5 (Goodwill +12.5)",
        "03 Mar 12:00 Expired -12.5 = 0.0 (Goodwill -12.5)",
    ]


def test_a_granted_adjustment_is_adjusted_too_also_when_it_starts_later(acme, clock):
    statement.lot(acme, "Now", "1", source=Source.ADJUSTMENT)
    statement.lot(acme, "Later", "2", source=Source.ADJUSTMENT, effective_at=TOMORROW)

    clock.set(TOMORROW)
    balances.now(company=acme)

    assert statement.of(acme) == [
        "02 Mar 12:00 Adjusted +1.0 = 1.0 (Now +1.0)",
        "03 Mar 12:00 Adjusted +2.0 = 3.0 (Later +2.0)",
    ]


def test_an_adjustment_downwards_takes_in_spending_order(acme, vera):
    statement.lot(acme, "Lasting", "5")
    statement.lot(acme, "Short", "3", expires_at=TOMORROW)

    entry = grants.adjust(company=acme, amount=Decimal("-4.5"), by=vera, reason=WHY)

    assert (entry.kind, entry.cause, entry.grant_id) == ("ADJUSTED", "ADJUST", None)
    assert dict(CreditGrant.objects.values_list("reference", "corrected_down")) == {
        "Lasting": Decimal("1.500"),
        "Short": Decimal("3.000"),
    }
    assert balances.total(company=acme, instant=NOON) == Decimal("3.500")
    assert statement.corrections(acme) == [("ADJUSTED", Decimal("-4.5"), WHY, "vera", 3)]
    assert statement.of(acme)[2:] == ["02 Mar 12:00 Adjusted -4.5 = 3.5 (Short -3.0, Lasting -1.5)"]


def test_an_adjustment_downwards_takes_from_the_grant_it_names(acme, vera):
    lasting = statement.lot(acme, "Lasting", "5")
    statement.lot(acme, "Short", "3", expires_at=TOMORROW)

    entry = grants.adjust(company=acme, amount=Decimal(-5), by=vera, reason=WHY, grant=lasting)

    assert (entry.grant_id, CreditGrant.objects.get(pk=lasting.pk).corrected_down) == (
        lasting.pk,
        5,
    )
    assert not CreditGrant.objects.get(pk=lasting.pk).is_open
    assert statement.of(acme)[2:] == ["02 Mar 12:00 Adjusted -5.0 = 3.0 (Lasting -5.0)"]


@pytest.mark.parametrize("names_the_grant", [True, False])
def test_what_is_held_is_never_adjusted_away(acme, vera, names_the_grant):
    lasting = statement.lot(acme, "Lasting", "5")
    statement.reserve(acme, "2")
    grant = lasting if names_the_grant else None

    with pytest.raises(grants.AdjustmentExceedsAvailable) as refusal:
        grants.adjust(company=acme, amount=Decimal("-3.001"), by=vera, reason=WHY, grant=grant)
    grants.adjust(company=acme, amount=Decimal(-3), by=vera, reason=WHY, grant=grant)

    assert (refusal.value.required, refusal.value.available) == (Decimal("3.001"), Decimal(3))
    assert str(refusal.value) == (
        "3.0 credits can be taken, not 3.001; what is used or held stays."
    )
    assert statement.of(acme)[1:] == ["02 Mar 12:00 Adjusted -3.0 = 2.0 (Lasting -3.0)"]
    assert statement.held(acme) == {"Lasting": "2.0"}


@pytest.mark.parametrize("state", NOT_VOIDABLE)
def test_nothing_can_be_taken_from_a_grant_that_has_nothing_to_spend(acme, clock, state):
    grant = NOT_VOIDABLE[state][0](acme, clock)
    bob = people.bob(acme)

    with pytest.raises(grants.AdjustmentExceedsAvailable) as refusal:
        grants.adjust(company=acme, amount=Decimal("-0.001"), by=bob, reason=WHY, grant=grant)

    assert refusal.value.available == 0
    assert [line for line in statement.of(acme) if " Adjusted " in line] == []


def test_an_adjustment_expires_after_it_starts(acme, vera):
    with pytest.raises(grants.GrantExpiresBeforeItStarts):
        grants.adjust(company=acme, amount=Decimal(1), by=vera, reason=WHY, expires_at=NOON)

    assert statement.of(acme) == []
    assert statement.corrections(acme) == []


BAD_ADJUSTMENTS = {
    "nothing": ({"amount": Decimal(0)}, ValueError, "Enter an amount other than 0."),
    "four places": ({"amount": Decimal("1.0001")}, InexactAmount, "at most three decimal places"),
    "too much": ({"amount": Decimal("1e20")}, ValueError, "Enter at most 999,999,999,999,999.999"),
    "a float": ({"amount": 0.5}, InexactAmount, "0.5 is a float"),
    "no time zone": (
        {"expires_at": datetime(2027, 1, 1)},  # noqa: DTZ001
        ValueError,
        "does not say in which time zone",
    ),
    "not a number": ({"amount": Decimal("NaN")}, InexactAmount, "is not an amount of credits"),
    "no reason": ({"reason": "  because  "}, corrections.ReasonMissing, "at least 10 characters"),
    "an expiry of what is taken": (
        {"amount": Decimal(-1), "expires_at": TOMORROW},
        ValueError,
        "leave the expiry out",
    ),
    "a grant to add to": ({"grant": CreditGrant()}, ValueError, "name no other"),
}


@pytest.mark.parametrize("fault", BAD_ADJUSTMENTS)
def test_a_bad_adjustment_is_refused_in_one_sentence(acme, vera, fault):
    changes, error, sentence = BAD_ADJUSTMENTS[fault]
    statement.lot(acme, "Lasting", "5")
    terms = {"company": acme, "amount": Decimal(1), "by": vera, "reason": WHY} | changes

    with pytest.raises(error, match=sentence):
        grants.adjust(**terms)

    assert len(statement.of(acme)) == 1
    assert statement.corrections(acme) == []


def test_a_grant_of_another_company_is_not_there(acme, vera):
    theirs = statement.lot(statement.company(), "Theirs", "5")

    with pytest.raises(CreditGrant.DoesNotExist):
        grants.adjust(company=acme, amount=Decimal(-1), by=vera, reason=WHY, grant=theirs)

    assert CreditGrant.objects.get(pk=theirs.pk).remaining == 5
