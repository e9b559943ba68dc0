"""No door stands open beside the ledger's acts: what they wrote is changed or removed by nobody.

With every trigger on, as whoever may write the tables (DESIGN §3, I10).
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from credits import charging, erasure, grants
from credits.identifiers import new_id
from credits.ledger import Key
from credits.models import Correction, CreditGrant, Hold, IdempotencyRecord, Rate, RateCard
from tests.architecture.test_code import PRODUCT_CODE
from tests.credits.conftest import NOON
from tests.support import statement
from tests.support.breaking import copy_refused_by, refused_by

BY_THE_LEDGER = "{}_is_written_by_the_ledger"
CHANGES = {
    "credits_hold": "UPDATE credits_hold SET amount = 0.5",
    "credits_reservation": "UPDATE credits_reservation SET state = 'RELEASED', closed_at = now()",
    "credits_correction": "UPDATE credits_correction SET reason = 'Because I say so'",
}
TRUNCATED = [
    "credits_creditpool",
    "credits_creditgrant",
    "credits_reservation",
    "credits_hold",
    "credits_correction",
    "credits_idempotencyrecord",
    "credits_rate",
    "credits_ratecard",
]


@pytest.fixture
def written(acme, vera):
    """A hold of 1 credit, a correction of 2, and a charge of 1 with a client's key."""
    statement.lot(acme, "Lasting", "10")
    statement.reserve(acme, "1")
    grants.adjust(company=acme, amount=Decimal(-2), by=vera, reason="Recorded twice by mistake")
    charging.charge(
        company=acme,
        use=statement.use(),
        work=statement.work_of("1"),
        rates=statement.MILLS,
        key=Key.of("order-118", amount="1"),
    )
    return acme


@pytest.mark.parametrize("table", CHANGES)
def test_promises_and_corrections_are_written_in_an_act_only(written, table):
    assert refused_by(CHANGES[table], in_an_act=False) == BY_THE_LEDGER.format(table)


@pytest.mark.parametrize("model", [Hold, Correction])
def test_promises_and_corrections_are_made_in_an_act_only(written, model):
    table = model._meta.db_table

    assert copy_refused_by(model.objects.get(), in_an_act=False) == BY_THE_LEDGER.format(table)


@pytest.mark.parametrize("in_an_act", [True, False])
@pytest.mark.parametrize("table", CHANGES)
def test_promises_and_corrections_are_never_removed(written, table, in_an_act):
    refused = refused_by(f"DELETE FROM {table}", in_an_act=in_an_act)

    assert refused == BY_THE_LEDGER.format(table)


@pytest.mark.parametrize("table", TRUNCATED)
def test_no_table_of_the_ledger_is_emptied(written, table):
    assert refused_by(f"TRUNCATE {table} CASCADE") == f"{table}_is_append_only"


def test_a_grant_is_sealed_when_it_is_made_whatever_seal_it_brings(written):
    grant = CreditGrant.objects.get(source="PURCHASE")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT terms_hash = ledger_terms_hash(g), octet_length(terms_hash)"
            " FROM credits_creditgrant g WHERE id = %s",
            [grant.pk],
        )
        assert cursor.fetchone() == (True, 32)


def test_the_reason_of_a_correction_goes_by_the_path_that_erases_and_nothing_else_does(written):
    by_the_ledger = "credits_correction_is_written_by_the_ledger"
    with erasure.allowed():
        Correction.objects.update(reason="Erased on request")
        others = refused_by("UPDATE credits_correction SET by_id = NULL", in_an_act=False)

    assert Correction.objects.get().reason == "Erased on request"
    assert others == by_the_ledger
    assert refused_by(CHANGES["credits_correction"], in_an_act=False) == by_the_ledger


def test_the_words_of_the_audit_trail_go_by_the_path_that_erases_only(acme, vera):
    from credits import audit

    audit.record(
        action=audit.Action.CHANGED, by=vera, company=acme, subject=acme, reason="It moved house"
    )
    blank = "UPDATE credits_audittext SET reason = '', erased_at = now()"
    named = audit.subject_of(acme)

    assert refused_by(blank, in_an_act=False) == "credits_audittext_is_only_erased"
    assert audit.erase_subjects(kind=named.type, ids=[named.id]) == 1
    assert refused_by(blank, in_an_act=False) == "credits_audittext_is_only_erased"


def test_an_erasure_that_fails_leaves_the_door_closed(written):
    with pytest.raises(RuntimeError), erasure.allowed():
        raise RuntimeError

    assert refused_by(CHANGES["credits_correction"], in_an_act=False) == (
        "credits_correction_is_written_by_the_ledger"
    )


def test_only_the_path_that_erases_opens_its_door():
    opening = re.compile(r"ledger\.erasure|erasure\.allowed")
    found = {path.name for path in PRODUCT_CODE if opening.search(path.read_text())}

    assert found == {"erasure.py", "written.py", "copies.py", "audit.py", "idempotency.py"}


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM credits_idempotencyrecord",
        "UPDATE credits_idempotencyrecord SET key = 'order-119'",
        "UPDATE credits_idempotencyrecord SET answer = '{}'",
        "UPDATE credits_idempotencyrecord SET answer = NULL, body_sha256 = ''",
    ],
)
def test_what_a_key_did_is_known_for_ever(written, clock, change):
    clock.advance(timedelta(days=31))

    assert refused_by(change) == "idempotency_key_is_kept"


@pytest.fixture
def told(written):
    return IdempotencyRecord.objects.create(
        company=written,
        operation="test",
        key="k",
        body_sha256=b"1",
        result_ref=new_id(),
        answer={"status": 201},
        created_at=NOON,
    )


def test_an_erasure_takes_what_a_client_was_told_and_nothing_else(told, clock):
    clock.set(NOON)
    with erasure.allowed():
        refused = [
            refused_by(f"UPDATE credits_idempotencyrecord SET answer = {change}")
            for change in ("'{}'", "NULL, key = 'other'", "NULL, result_ref = NULL")
        ]
        IdempotencyRecord.objects.filter(pk=told.pk).update(answer=None)

    assert refused == ["idempotency_key_is_kept"] * 3
    told.refresh_from_db()
    assert (told.answer, told.key, bytes(told.body_sha256)) == (None, "k", b"1")


def test_what_a_client_was_told_is_kept_for_30_days(told, clock):
    empty = "UPDATE credits_idempotencyrecord SET answer = NULL"

    clock.set(NOON + timedelta(days=30) - timedelta(microseconds=1))
    early = refused_by(empty)
    clock.set(NOON + timedelta(days=30))
    with connection.cursor() as cursor:
        cursor.execute(empty)

    assert early == "idempotency_key_is_kept"
    assert not IdempotencyRecord.objects.filter(answer__isnull=False).exists()


@pytest.mark.parametrize("change", ["UPDATE credits_rate SET amount = 9", "DELETE FROM {}_rate"])
def test_a_price_in_force_stays(db, change):
    refused = refused_by(change.format("credits"), in_an_act=False)

    assert refused == "rate_is_fixed_once_in_force"
    assert Rate.objects.get(item="EMAIL").amount != 9


@pytest.mark.parametrize(
    "change",
    ["UPDATE credits_ratecard SET effective_at = '2199-01-01Z'", "DELETE FROM credits_ratecard"],
)
def test_a_rate_card_in_force_stays(db, change):
    assert refused_by(change, in_an_act=False) == "rate_card_is_fixed_once_in_force"


def test_a_rate_card_to_come_can_still_be_changed(clock):
    card = RateCard.objects.create(effective_at=NOON + timedelta(days=1))
    rate = Rate.objects.create(rate_card=card, item="EMAIL", amount=Decimal(1))

    Rate.objects.filter(pk=rate.pk).update(amount=Decimal(2))

    clock.set(NOON + timedelta(days=1))
    assert refused_by("UPDATE credits_rate SET amount = 3 WHERE id = %s", [rate.pk]) == (
        "rate_is_fixed_once_in_force"
    )
    assert Rate.objects.get(pk=rate.pk).amount == 2


def test_a_purchase_of_nobody_is_refused_whoever_calls_the_ledger(acme):
    call = "SELECT ledger_issue(%s, NULL, %s, 'PURCHASE', 10, NULL, NULL, 100, '', '', NULL)"

    assert refused_by(call, [acme.pk, new_id()]) == "grant_of_a_purchase_names_its_person"
    with pytest.raises(IntegrityError), transaction.atomic():
        grants.issue(company=acme, source="PURCHASE", amount=Decimal(10), by=None)
    assert statement.of(acme) == []
