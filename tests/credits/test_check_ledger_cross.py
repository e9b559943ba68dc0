"""``check_ledger`` finds a row that was changed alone: another row says what it was."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import balances, charging, grants
from credits.ledger import Key
from credits.models import CreditGrant, IdempotencyRecord, Source
from tests.credits.conftest import NOON
from tests.support import people, statement
from tests.support.corrupting import corrupt, entry, lasting, without
from tests.support.people import days

WHY = "Recorded by mistake"
SEALED = "I10 grant {april}: its terms are not those that it was made with"
ANOTHER = "says another person, kind, use, grant or time than entry"


@pytest.fixture
def told(acme, clock, vera):
    """Each row that a second one answers for.

    #1 Lasting +10, #2 a charge of 4, #3 its refund, #4 taken 1 of Lasting, #5 Short +2, which #6
    voids, a free use with a key, a released and a lapsed hold, and April's 5 to come.
    """
    statement.lot(acme, "Lasting", "10")
    event = statement.charge(acme, "4")
    charging.refund(usage_event=event, by=vera, reason=WHY)
    grants.adjust(
        company=acme,
        amount=Decimal(-1),
        by=vera,
        reason=WHY,
        grant=CreditGrant.objects.get(reference="Lasting"),
    )
    short = statement.lot(acme, "Short", "2")
    grants.void(grant=short, by=vera, reason=WHY)
    charging.charge(
        company=acme,
        use=statement.use(),
        work=statement.work_of("1"),
        rates=statement.MILLS,
        is_free=True,
        key=Key.of("order-118", amount="0"),
    )
    charging.release(reservation=statement.reserve(acme, "1"))
    statement.reserve(acme, "2", minutes=5)
    statement.lot(acme, "April", "5", effective_at=NOON + days(2))
    may = statement.lot(acme, "May", "5", effective_at=NOON + days(3))
    grants.cancel(grant=may, by=vera, reason=WHY)
    clock.advance(timedelta(minutes=5))
    balances.now(company=acme)
    return acme


def named(run, company) -> list[str]:
    """Return the breaches of one company without its name."""
    _, lines = run(company=company.slug, allow_test_clock=True)
    return [line.replace(f" company {company.slug},", "") for line in lines[:-1]]


# What was done, and the breach that is named among those found.
CORRUPTIONS = {
    "a grant to come was made bigger": (
        ["UPDATE credits_creditgrant SET amount = 500 WHERE id = '{april}'"],
        SEALED,
    ),
    "a grant to come was made to start sooner": (
        [
            (
                "UPDATE credits_creditgrant SET effective_at = effective_at - interval '1 day'"
                " WHERE id = '{april}'"
            )
        ],
        SEALED,
    ),
    "an entry's grant was said not to be granted": (
        [
            without("creditgrant", "grant_holds_nothing_before_it_is_granted"),
            lasting("granted_at = NULL"),
        ],
        "I1 grant {lasting}: is granted without its entry, or the reverse",
    ),
    "a grant without end was ended": (
        [lasting("expired_at = '2026-03-02 15:00Z', is_open = false")],
        (
            "I7 grant {lasting}: usable from 2026-03-02 12:00:00+00 until for ever, began at"
            " 2026-03-02 12:00:00+00 and ended at 2026-03-02 15:00:00+00"
        ),
    ),
    "a grant began after it was usable": (
        [lasting("granted_at = granted_at + interval '1 minute'")],
        (
            "I7 grant {lasting}: usable from 2026-03-02 12:00:00+00 until for ever, began at"
            " 2026-03-02 12:01:00+00 and ended at "
        ),
    ),
    "a grant began before it was usable": (
        [lasting("granted_at = granted_at - interval '1 day'")],
        (
            "I7 grant {lasting}: usable from 2026-03-02 12:00:00+00 until for ever, began at"
            " 2026-03-01 12:00:00+00 and ended at "
        ),
    ),
    "credits without end were expired": (
        [entry(4, "kind = 'EXPIRED'")],
        (
            "I7 entry #4: expires grant {lasting} at 2026-03-02 12:00:00+00, which is usable until"
            " for ever and ended at "
        ),
    ),
    "a purchase was given to another person": (
        [lasting("created_by_id = (SELECT max(id) FROM credits_user WHERE id <> created_by_id)")],
        "I12 grant {lasting}: was bought by nobody, or by another than its entry says",
    ),
    "a correction names another person": (
        [
            (
                "UPDATE credits_correction SET by_id = (SELECT max(id) FROM credits_user"
                " WHERE id <> by_id) WHERE id = '{c_voided}'"
            )
        ],
        f"I5 correction {{c_voided}}: {ANOTHER} #6",
    ),
    "a correction names another kind": (
        ["UPDATE credits_correction SET kind = 'VOIDED' WHERE id = '{c_adjusted}'"],
        f"I5 correction {{c_adjusted}}: {ANOTHER} #4",
    ),
    "a correction names another grant": (
        ["UPDATE credits_correction SET grant_id = '{short}' WHERE id = '{c_adjusted}'"],
        f"I5 correction {{c_adjusted}}: {ANOTHER} #4",
    ),
    "a correction names another use": (
        [
            (
                "UPDATE credits_correction SET usage_event_id ="
                " (SELECT id FROM credits_usageevent WHERE amount = 0) WHERE id = '{c_refunded}'"
            )
        ],
        f"I5 correction {{c_refunded}}: {ANOTHER} #3",
    ),
    "a correction was made at another time": (
        [
            (
                "UPDATE credits_correction SET created_at = created_at - interval '1 day'"
                " WHERE id = '{c_adjusted}'"
            )
        ],
        f"I5 correction {{c_adjusted}}: {ANOTHER} #4",
    ),
    "a cancelled grant lost its correction": (
        ["DELETE FROM credits_correction WHERE id = '{c_cancelled}'"],
        "I5 grant {may}: cancelled at 2026-03-02 12:00:00+00, and no correction says so",
    ),
    "a cancelled grant is to come again": (
        ["UPDATE credits_creditgrant SET cancelled_at = NULL WHERE id = '{may}'"],
        "I5 correction {c_cancelled}: CANCELLED at 2026-03-02 12:00:00+00, and its grant is not",
    ),
    "a free use was deleted": (
        ["DELETE FROM credits_usageevent WHERE amount = 0"],
        "I5 key {key}: its CHARGE at 2026-03-02 12:00:00+00 is not there",
    ),
    "a released hold is said to have lapsed": (
        ["UPDATE credits_reservation SET state = 'LAPSED' WHERE id = '{released}'"],
        (
            "I5 reservation {released}: LAPSED at 2026-03-02 12:00:00+00, though its lease ended at"
            " 2026-03-02 12:15:00+00"
        ),
    ),
    "a lapsed hold is said to have been released": (
        ["UPDATE credits_reservation SET state = 'RELEASED' WHERE id = '{lapsed}'"],
        (
            "I5 reservation {lapsed}: RELEASED at 2026-03-02 12:05:00+00, though its lease ended at"
            " 2026-03-02 12:05:00+00"
        ),
    ),
    "a released hold held less": (
        [
            "UPDATE credits_hold SET amount = 0.5 WHERE reservation_id = '{released}'",
        ],
        "I2 reservation {released}: amount 1.000, holds add up to 0.500",
    ),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_row_that_was_changed_alone_is_named(told, run, corruption):
    statements, expected = CORRUPTIONS[corruption]
    people.vera()
    before = named(run, told)
    ids = {one.state.lower(): str(one.pk) for one in told.reservations.all()}
    ids["key"] = str(told.idempotency_records.get().pk)
    for name, value in ids.items():
        statements = [one.replace(f"{{{name}}}", value) for one in statements]

    names = corrupt(told, *statements)

    assert before == []
    assert expected.format(**names, **ids) in named(run, told)


def test_a_grant_that_was_made_bigger_before_it_started_is_named_after_it_started_too(
    told, run, clock
):
    names = corrupt(told, "UPDATE credits_creditgrant SET amount = 500 WHERE id = '{april}'")
    clock.set(NOON + days(2))

    remaining = balances.now(company=told).remaining

    assert remaining == Decimal(509)
    assert named(run, told) == [SEALED.format(**names)]


def charged_by_keys(company, clock) -> list[IdempotencyRecord]:
    """Return the keys of two charges of 1, a minute apart."""
    for text in ("order-1", "order-2"):
        charging.charge(
            company=company,
            use=statement.use(),
            work=statement.work_of("1"),
            rates=statement.MILLS,
            key=Key.of(text, amount="1"),
        )
        clock.advance(timedelta(minutes=1))
    return list(IdempotencyRecord.objects.filter(company=company).order_by("key"))


def test_what_two_keys_did_that_changed_places_is_named(acme, clock, run):
    statement.lot(acme, "Lasting", "10")
    one, two = charged_by_keys(acme, clock)
    assert named(run, acme) == []

    for key, other in ((one, two), (two, one)):
        corrupt(
            acme,
            f"UPDATE credits_idempotencyrecord SET result_ref = '{other.result_ref}'"
            f" WHERE id = {key.pk}",
        )

    assert sorted(named(run, acme)) == [
        f"I5 key {one.pk}: its CHARGE at 2026-03-02 12:00:00+00 is not there",
        f"I5 key {two.pk}: its CHARGE at 2026-03-02 12:01:00+00 is not there",
    ]


def test_what_two_keys_are_said_to_have_done_is_named(acme, clock, run):
    statement.lot(acme, "Lasting", "10")
    one, two = charged_by_keys(acme, clock)

    corrupt(
        acme,
        f"UPDATE credits_idempotencyrecord SET result_ref = '{one.result_ref}',"
        f" created_at = '2026-03-02 12:00Z' WHERE id = {two.pk}",
    )

    assert named(run, acme) == [f"I5 CHARGE {one.result_ref}: is what 2 keys did"]


def test_introductory_credits_that_another_is_said_to_have_given_are_named(acme, vera, run):
    statement.lot(acme, "Welcome", "1", source=Source.INTRODUCTORY)
    assert named(run, acme) == []

    names = corrupt(
        acme, f"UPDATE credits_creditgrant SET created_by_id = {vera.pk} WHERE id = '{{welcome}}'"
    )

    assert named(run, acme) == [
        f"I15 grant {names['welcome']}: was given by another than its entry says"
    ]
