"""What the audit trail says of contracts, seats, purchases and companies."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing import allocations, closing, contracts, fulfilment, opening, purchases, voiding
from billing.contracts import Seats, Terms
from billing.models import Contract
from credits import api_keys, companies
from credits.grants import GrantExpiresBeforeItStarts
from credits.identifiers import new_id
from credits.ledger import Key
from credits.models import AuditEvent
from tests.support import api, people
from tests.support import contracts as made
from tests.support.contracts import NOW

TERMS = Terms(starts_on=date(2026, 3, 1), approval_limit=Decimal(1000))
SEATS = Seats(name="Seat", credits=Decimal(2000), count=10, effective_on=date(2026, 3, 1))


def lines() -> list[AuditEvent]:
    return list(AuditEvent.objects.select_related("text").order_by("pk"))


def said() -> list[tuple[str, str, dict]]:
    """Return each line's action, subject and changes, oldest first."""
    return [
        (
            line.action,
            line.text.subject_label,
            {one["field"]: (one["before"], one["after"]) for one in line.text.changes},
        )
        for line in lines()
    ]


def test_each_step_of_a_purchase_says_who_and_how_much(acme, vera, victor):
    bob = people.bob(acme)

    asked = made.requested(acme, bob, "500", note="For autumn", order_reference="PO-7")
    approved = purchases.approve(purchase=asked, by=vera, now=NOW)
    fulfilment.fulfil(
        purchase=approved,
        by=victor,
        starts_on=date(2026, 3, 2),
        ends_on=date(2027, 3, 1),
        now=NOW,
        order_reference="PO-8",
    )

    credits = (None, "500.0")
    assert said() == [
        (
            "REQUESTED",
            "#1",
            {
                "credits": credits,
                "order_reference": (None, "PO-7"),
                "note": (None, "For autumn"),
            },
        ),
        ("APPROVED", "#1", {"credits": credits}),
        (
            "FULFILLED",
            "#1",
            {
                "order_reference": ("PO-7", "PO-8"),
                "credits": credits,
                "first_day": (None, "2026-03-02"),
                "last_day": (None, "2027-03-01"),
            },
        ),
    ]
    assert [line.actor_ref for line in lines()] == [
        person.public_id for person in (bob, vera, victor)
    ]
    assert {line.company for line in lines()} == {acme}
    assert {line.subject_id for line in lines()} == {str(asked.pk)}


def test_what_is_withdrawn_or_taken_back_keeps_its_reason(acme, vera):
    withdrawn = made.requested(acme, vera, "7")
    reversed_ = made.fulfilled(acme, vera, "9")

    purchases.cancel(purchase=withdrawn, by=vera, reason="Ordered twice, see #2", now=NOW)
    voiding.void(purchase=reversed_, by=vera, reason="Wrong company, sorry", now=NOW)

    *_, cancelled, taken_back = lines()
    assert (cancelled.action, cancelled.text.reason) == ("CANCELLED", "Ordered twice, see #2")
    assert (taken_back.action, taken_back.text.reason) == ("REVERSED", "Wrong company, sorry")


def test_a_refused_or_repeated_act_leaves_no_line(acme, vera):
    made.contract(acme, "2026-03-01", approval_limit=Decimal(100))
    key = Key.of("request form 1")
    asked = made.requested(acme, vera, "500", key=key)
    before = len(lines())

    again = made.requested(acme, vera, "500", key=key)
    with pytest.raises(purchases.SecondPersonNeeded):
        purchases.approve(purchase=asked, by=vera, now=NOW)
    with pytest.raises(voiding.NotFulfilled):
        voiding.void(purchase=asked, by=vera, reason="Ordered by mistake", now=NOW)

    assert again == asked
    assert before == len(lines()) == 1


def test_fulfilling_that_fails_in_the_ledger_leaves_no_line(acme, vera):
    purchase = made.approved(acme, vera, "500")

    with pytest.raises(GrantExpiresBeforeItStarts):
        fulfilment.fulfil(
            purchase=purchase,
            by=vera,
            starts_on=date(2025, 1, 1),
            ends_on=date(2025, 12, 31),
            now=NOW,
        )

    assert [line.action for line in lines()] == ["REQUESTED", "APPROVED"]


def test_a_key_s_request_is_the_key_s_in_the_person_s_name(acme):
    alice = people.alice(acme)
    made_key = api.key(acme, by=alice)

    api.client(made_key.text).post(
        "/api/v1/purchases",
        {"amount": "500"},
        "application/json",
        headers={"idempotency-key": "order-118", "user-agent": "crm/2"},
    )

    line = lines()[-1]
    assert (line.action, line.door) == ("REQUESTED", "API")
    assert (line.actor_kind, line.actor_ref) == ("API_KEY", made_key.key.pk)
    assert (line.text.actor_name, line.text.user_agent) == ("Nightly job", "crm/2")
    assert {"field": "in_the_name_of", "before": None, "after": "Alice"} in line.text.changes
    assert line.about_ref == alice.public_id


def test_a_contract_is_written_down_with_its_seats_and_then_what_changes(acme, vera):
    outcome = contracts.agree(company=acme, terms=TERMS, seat_counts=[SEATS], by=vera, now=NOW)
    more = Seats(name="Seat", credits=Decimal(1500), count=12, effective_on=date(2026, 4, 1))
    contract = outcome.contract

    contracts.change(
        contract=contract,
        terms=Terms(starts_on=date(2026, 3, 1), approval_limit=Decimal(5000)),
        by=vera,
        now=NOW,
    )
    contracts.count_seats(contract=contract, counted=more, by=vera, now=NOW, note="Two new people")

    assert said() == [
        (
            "ADDED",
            "of Acme",
            {
                "starts_on": (None, "2026-03-01"),
                "period": (None, "Month"),
                "introductory_days": (None, "90"),
                "approval_limit": (None, "1000.0"),
                "purchase_months": (None, "12"),
            },
        ),
        (
            "ADDED",
            "of Seat",
            {
                "seats": ("0", "10"),
                "credits_a_seat": (None, "2000.0"),
                "from": (None, "2026-03-01"),
            },
        ),
        ("CHANGED", "of Acme", {"approval_limit": ("1000.0", "5000.0")}),
        (
            "ADDED",
            "of Seat",
            {
                "seats": ("10", "12"),
                "credits_a_seat": ("2000.0", "1500.0"),
                "from": (None, "2026-04-01"),
                "note": (None, "Two new people"),
            },
        ),
    ]


def test_the_same_terms_again_are_no_change(acme, vera):
    outcome = contracts.agree(company=acme, terms=TERMS, seat_counts=[], by=vera, now=NOW)

    contracts.change(contract=outcome.contract, terms=TERMS, by=vera, now=NOW)

    assert [line.action for line in lines()] == ["ADDED"]


def test_looking_at_what_an_act_would_do_leaves_no_line(acme, vera):
    contracts.dry_run(
        lambda: contracts.agree(company=acme, terms=TERMS, seat_counts=[SEATS], by=vera, now=NOW)
    )

    assert lines() == []


def test_a_top_up_says_what_was_owed_and_why(acme, vera):
    kind = made.seated(acme, "2026-03-01", 10)
    allocations.run(company=acme, now=NOW)
    made.count(kind, 12, "2026-03-01", by=vera)
    contract = Contract.objects.get()
    key = new_id()
    given = {"owed": Decimal(4000), "by": vera, "reason": "Two were forgotten", "now": NOW}

    for _ in range(2):
        contracts.top_up(contract=contract, key=key, **given)

    (line,) = lines()
    assert (line.action, line.subject_type) == ("GRANTED", "billing.topup")
    assert line.text.subject_label == "of 4,000.0 credits for period 1"
    assert line.text.reason == "Two were forgotten"


def test_opening_and_closing_a_company_are_on_its_trail(acme, vera):
    wish = opening.Wish(
        name="Nova",
        slug="nova",
        time_zone="UTC",
        terms=TERMS,
        seats=[SEATS],
        admin_email="dana@nova.example",
        admin_name="Dana",
    )
    opened = opening.open_company(wish=wish, by=vera, now=NOW)
    made.requested(opened.company, vera, "500")
    key = api_keys.create(
        company=opened.company, name="CRM", scopes=["balance:read"], by=opened.admin, now=NOW
    )

    closing.close(company=opened.company, by=vera, reason="The contract has ended", now=NOW)

    assert [(action, label) for action, label, _ in said()] == [
        ("OPENED", "Nova"),
        ("INVITED", "dana@nova.example"),
        ("ADDED", "of Nova"),
        ("ADDED", "of Seat"),
        ("REQUESTED", "#1"),
        ("ADDED", "CRM"),
        ("CANCELLED", "#1"),
        ("REVOKED", "CRM"),
        ("CLOSED", "Nova"),
    ]
    assert {line.company for line in lines()} == {opened.company}
    assert lines()[1].about_ref == opened.admin.public_id
    assert lines()[-1].text.reason == "The contract has ended"
    with pytest.raises(companies.CompanyClosed):
        closing.close(company=opened.company, by=vera, reason="The contract has ended", now=NOW)
    assert len(lines()) == 9
    assert key.text not in str([line.text.changes for line in lines()])


def test_periods_issued_by_the_job_are_nobody_s_act(acme):
    made.seated(acme, "2026-03-01", 10)

    allocations.run(company=acme, now=datetime(2026, 3, 30, 12, tzinfo=UTC))

    assert lines() == []
