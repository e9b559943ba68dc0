"""When two order references are the same order, as people and the database see it."""

from __future__ import annotations

import importlib
from datetime import date
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import connection

from billing import fulfilment, orders, purchases
from billing.models import Purchase
from tests.support import api, contracts
from tests.support.contracts import NOW

SAME = [
    ("PO 1", "po 1"),
    ("PO 1", "PO  1"),
    ("PO 1", " PO\t1\n"),
    ("PO 1", "PO\u00a01"),
    ("PO 1", "PO\u20031"),
    ("PO1", "PO\u200b1"),
    ("PO1", "PO\u00ad1"),
    ("PO1", "\ufeffPO1\u200e"),
    ("PO1", "PO\ufe0f1"),
    ("PO1", "PO\x011"),
    ("PO1", "ＰＯ１"),
    ("Ärzte 7", "A\u0308rzte 7"),
    ("Straße 9", "STRASSE 9"),
    ("ΣΑΣ", "σας"),
    ("ΣΑΣ", "σασ"),
    ("İ-1", "i\u0307-1"),
    ("ﬁx 1", "FIX 1"),
]


@pytest.mark.parametrize(("first", "again"), SAME)
def test_an_order_is_recorded_once_however_it_is_spelled(acme, vera, first, again):
    order = {"amount": Decimal(50), "by": vera, "now": NOW}
    days = {"starts_on": date(2026, 3, 2), "ends_on": date(2027, 3, 1)}
    fulfilment.record(company=acme, order_reference=first, **order, **days)

    with pytest.raises(purchases.AlreadyRecorded, match=r"^Already recorded as #1\.$"):
        purchases.request(company=acme, order_reference=again, **order)

    assert Purchase.objects.get().order_reference == first


@pytest.mark.parametrize(
    ("first", "other"),
    [("PO 1", "PO 11"), ("PO 1", "PO1"), ("PO-1", "PO_1"), ("Ä1", "A1"), ("I-1", "İ-1")],
)
def test_orders_that_look_different_are_two(acme, vera, first, other):
    contracts.requested(acme, vera, order_reference=first)

    assert contracts.requested(acme, vera, order_reference=other).number == 2


@pytest.mark.parametrize("reference", ["", " ", "\u200b", "\u00ad \u2060"])
def test_a_reference_that_shows_nothing_is_none(acme, vera, reference):
    contracts.requested(acme, vera, order_reference=reference)

    again = contracts.requested(acme, vera, order_reference=reference)

    assert (again.number, again.order_reference) == (2, "")


def test_the_longest_reference_has_a_key_that_an_index_takes(acme, vera):
    """One letter that stands for a sentence of eighteen."""
    contracts.requested(acme, vera, order_reference="\ufdfa" * 200)

    with pytest.raises(purchases.AlreadyRecorded):
        contracts.requested(acme, vera, order_reference="\ufdfa" * 200)

    contracts.requested(acme, vera, order_reference="\ufdfa" * 199)
    assert {len(one.order_key) for one in Purchase.objects.all()} == {200}


def test_fulfilling_with_another_spelling_of_another_order_is_refused(acme, vera):
    contracts.requested(acme, vera, order_reference="Straße 9")
    purchase = contracts.approved(acme, vera)

    with pytest.raises(purchases.AlreadyRecorded, match=r"^Already recorded as #1\.$"):
        fulfilment.fulfil(
            purchase=purchase,
            by=vera,
            starts_on=date(2026, 3, 2),
            ends_on=date(2027, 3, 1),
            now=NOW,
            order_reference="STRASSE  9",
        )


def test_a_program_that_names_a_recorded_order_is_told_which(acme):
    tech = api.admin(acme)
    program = api.of(acme, by=tech)
    first = contracts.requested(acme, tech, order_reference="PO 1")

    answer = program.post(
        "/api/v1/purchases",
        {"amount": "10", "order_reference": "po\u00a01"},
        "application/json",
        headers={"idempotency-key": "another"},
    )

    found = api.problem(answer)
    assert (answer.status_code, found["code"]) == (409, "already_recorded")
    assert found["detail"] == "Already recorded as #1."
    assert found["purchase_id"] == str(first.pk)
    assert Purchase.objects.count() == 1


def test_orders_recorded_before_get_their_keys_and_all_stand(acme, vera):
    """The rule before took “PO  1” for another order than “PO 1”."""
    for reference in ("PO 1", "x", "y"):
        contracts.requested(acme, vera, order_reference=reference)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DROP INDEX order_reference_is_recorded_once")
        cursor.execute("ALTER TABLE billing_purchase DROP CONSTRAINT order_reference_has_its_key")
        cursor.execute(
            "UPDATE billing_purchase SET order_key = '', order_reference = CASE number"
            " WHEN 1 THEN 'PO 1' WHEN 2 THEN 'PO  1' ELSE 'Straße' END"
        )

    importlib.import_module("billing.migrations.0004_order_key").fill(apps, None)

    rows = Purchase.objects.order_by("number").values_list("order_reference", "order_key")
    assert list(rows) == [("PO 1", "po 1"), ("PO  1", "po 1 #2"), ("Straße", "strasse")]


def test_the_normal_form_is_its_own_normal_form():
    for one in (*(text for pair in SAME for text in pair), "\ufdfa" * 200):
        assert orders.key_of(orders.key_of(one)) == orders.key_of(one)
