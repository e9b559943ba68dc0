"""Limits of spending, as statements of what counts against them (SPEC §7)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from credits import amounts, api_keys, charging, limits, reconciliation
from credits.ledger import InsufficientCredits, Use
from credits.limits import LimitReached
from credits.models import (
    AuditEvent,
    CreditPool,
    Integration,
    IntegrationKind,
    LimitUse,
)
from tests.support import people, statement

PRICING, CHURN = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture
def acme(clock):
    """Acme with 100 credits, whose days are of Berlin: noon in UTC is 13:00 of 2 March."""
    company = people.company("Acme", time_zone="Europe/Berlin")
    statement.lot(company, "March", "100")
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def limit(company, credits, *, about=None, window="DAY", is_hard=True):
    return limits.set(
        company=company,
        subject=about or limits.of_company(company),
        window=window,
        credits=Decimal(credits),
        by=None,
        is_hard=is_hard,
    )


def tracker(ref=PRICING, name="Pricing"):
    return limits.of_tracker(ref, name=name)


def use_of(ref=None, *, kind="TRACKER", key=None, integration=None):
    return Use(kind, "A feature", ref, "API_REQUEST", integration, key)


def charge(company, amount, use=None):
    return charging.charge(
        company=company,
        use=use or statement.use(),
        work=statement.work_of(amount),
        rates=statement.MILLS,
    )


def reserve(company, amount, use=None, minutes=15):
    return charging.reserve(
        company=company,
        amount=Decimal(amount),
        use=use or statement.use(),
        rates=statement.MILLS,
        lease=timedelta(minutes=minutes),
    )


def refund(event, amount=None):
    charging.refund(
        usage_event=event,
        amount=amount and Decimal(amount),
        reason="Read the wrong call",
        by=people.vera(),
    )


def used(company) -> list[str]:
    """Return how the limits stand: what counts, of what, left; and fail if the books are wrong."""
    assert reconciliation.check() == []
    return [
        f"{one.limit.name}: {amounts.text(one.used)} of {amounts.text(one.limit.credits)}"
        f" a {one.limit.window.lower()}"
        for one in limits.standing(company=company)
    ]


def refusal_of(company, amount, use=None) -> LimitReached:
    with pytest.raises(LimitReached) as refused:
        reserve(company, amount, use)
    with pytest.raises(LimitReached):
        charge(company, amount, use)
    return refused.value


def test_what_would_go_above_a_limit_is_refused_and_the_limit_is_named(acme):
    made = limit(acme, "10")
    charge(acme, "7")

    refused = refusal_of(acme, "4")

    assert isinstance(refused, InsufficientCredits)
    assert (refused.required, refused.available, refused.shortfall) == (
        Decimal("4.000"),
        Decimal("3.000"),
        Decimal("1.000"),
    )
    assert refused.limit == made
    assert refused.until == datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert str(refused) == (
        "This needs 4.0 credits, and the limit of 10.0 credits a day for the whole company "
        "leaves 3.0."
    )
    charge(acme, "3")
    assert used(acme) == ["Acme: 10.0 of 10.0 a day"]


def test_what_is_held_counts_and_comes_back_when_released_lapsed_or_captured_in_part(acme, clock):
    limit(acme, "10")
    released, captured = reserve(acme, "3"), reserve(acme, "5")
    reserve(acme, "2", minutes=15)
    assert used(acme) == ["Acme: 10.0 of 10.0 a day"]
    refusal_of(acme, "0.001")

    charging.release(reservation=released)
    assert used(acme) == ["Acme: 7.0 of 10.0 a day"]
    charging.capture(reservation=captured, work=statement.work_of("1.5"), rates=statement.MILLS)
    assert used(acme) == ["Acme: 3.5 of 10.0 a day"]
    clock.advance(timedelta(minutes=15))

    assert used(acme) == ["Acme: 1.5 of 10.0 a day"]


def test_a_lapse_makes_room_before_the_next_caller_is_refused(acme, clock):
    limit(acme, "10")
    reserve(acme, "10", minutes=15)
    clock.advance(timedelta(minutes=15))

    charge(acme, "10")

    assert used(acme) == ["Acme: 10.0 of 10.0 a day"]


def test_a_refund_gives_back_in_the_window_of_its_charge(acme, clock):
    limit(acme, "10")
    limit(acme, "50", window="MONTH")
    monday = charge(acme, "9")
    clock.advance(timedelta(days=1))
    charge(acme, "6")

    refund(monday, "4")

    # Tuesday's own limit is as it was: 4 more could be used, and not 8.
    assert used(acme) == ["Acme: 6.0 of 10.0 a day", "Acme: 11.0 of 50.0 a month"]
    days = LimitUse.objects.filter(limit__window="DAY").order_by("starts_at")
    assert [str(day.used) for day in days[:3]] == ["5.000", "6.000", "0.000"]
    refusal_of(acme, "4.001")


def test_a_refund_today_makes_room_today(acme):
    limit(acme, "10")
    event = charge(acme, "10")

    refund(event)

    charge(acme, "10")
    assert used(acme) == ["Acme: 10.0 of 10.0 a day"]


def test_a_hold_counts_where_it_was_made_however_late_it_is_captured(acme, clock):
    """Captured after midnight it takes nothing of the new day, which may be full by then."""
    clock.set(datetime(2026, 3, 2, 22, 50, tzinfo=UTC))  # 23:50 in Berlin.
    limit(acme, "10")
    late = reserve(acme, "8")
    clock.advance(timedelta(minutes=12))
    charge(acme, "10")

    event = charging.capture(reservation=late, work=statement.work_of("8"), rates=statement.MILLS)

    assert event.occurred_at == datetime(2026, 3, 2, 23, 2, tzinfo=UTC)
    assert used(acme) == ["Acme: 10.0 of 10.0 a day"]
    refund(event)
    assert used(acme) == ["Acme: 10.0 of 10.0 a day"]
    days = LimitUse.objects.order_by("starts_at")
    assert [str(day.used) for day in days[:2]] == ["0.000", "10.000"]


def test_a_new_limit_counts_what_was_used_and_held_before_it_in_its_window(acme, clock):
    charge(acme, "20")
    clock.advance(timedelta(days=1))
    given_back, refunded = reserve(acme, "3"), charge(acme, "4")
    refund(refunded, "1")

    limit(acme, "10")
    limit(acme, "30", window="MONTH")

    assert used(acme) == ["Acme: 6.0 of 10.0 a day", "Acme: 26.0 of 30.0 a month"]
    charging.release(reservation=given_back)
    assert used(acme) == ["Acme: 3.0 of 10.0 a day", "Acme: 23.0 of 30.0 a month"]


def test_each_limit_counts_its_own_and_the_tightest_is_named(acme):
    key, crm = key_of(acme), integration_of(acme)
    limit(acme, "50")
    limit(acme, "20", about=limits.of_feature("TRACKER"))
    limit(acme, "5", about=tracker())
    limit(acme, "8", about=limits.of_key(key))
    limit(acme, "6", about=limits.of_integration(crm))

    charge(acme, "4", use_of(PRICING))
    charge(acme, "3", use_of(CHURN))
    charge(acme, "2", use_of(kind="ASK", key=key.pk))
    charge(acme, "1", use_of(kind="ASK", key=key.pk, integration=crm.pk))

    assert used(acme) == [
        "Nightly export: 3.0 of 8.0 a day",
        "Acme: 10.0 of 50.0 a day",
        "AI Tracker: 7.0 of 20.0 a day",
        "CRM: 1.0 of 6.0 a day",
        "Pricing: 4.0 of 5.0 a day",
    ]
    named = [
        (use_of(PRICING), "tracker", "1.000"),
        (use_of(CHURN), "feature", "13.000"),
        (use_of(kind="ASK"), "company", "40.000"),
        (use_of(kind="ASK", key=key.pk), "api_key", "5.000"),
        (use_of(kind="ASK", key=key.pk, integration=crm.pk), "api_key", "5.000"),
        (use_of(kind="BRIEF", integration=crm.pk), "integration", "5.000"),
    ]
    for use, source, room in named:
        refused = refusal_of(acme, "45", use)
        assert (limits.source_of(refused.limit), str(refused.available)) == (source, room)


def test_one_tracker_s_limit_never_stops_another(acme):
    limit(acme, "5", about=tracker())
    charge(acme, "5", use_of(PRICING))
    refusal_of(acme, "1", use_of(PRICING))

    charge(acme, "30", use_of(CHURN))

    assert used(acme) == ["Pricing: 5.0 of 5.0 a day"]


def test_the_pool_is_named_where_it_leaves_less_than_any_limit(acme):
    limit(acme, "500")

    with pytest.raises(InsufficientCredits) as refused:
        charge(acme, "101")

    assert type(refused.value) is InsufficientCredits
    assert refused.value.available == Decimal("100.000")
    assert used(acme) == ["Acme: 0.0 of 500.0 a day"]


def test_what_costs_nothing_is_never_refused(acme):
    limit(acme, "0")

    charge(acme, "0")

    refusal_of(acme, "0.001")


def test_a_limit_that_only_alerts_refuses_nothing_and_counts_all(acme):
    limit(acme, "10", is_hard=False)

    charge(acme, "25")

    (one,) = limits.standing(company=acme)
    assert (one.used, one.left, one.is_reached) == (Decimal("25.000"), Decimal("0.000"), True)
    assert used(acme) == ["Acme: 25.0 of 10.0 a day"]


def test_another_company_s_limit_neither_applies_nor_counts(acme):
    globex = people.company("Globex")
    statement.lot(globex, "Theirs", "100")
    limit(globex, "1")
    limit(globex, "1", about=tracker())

    charge(acme, "50", use_of(PRICING))

    assert used(acme) == []
    assert used(globex) == ["Globex: 0.0 of 1.0 a day", "Pricing: 0.0 of 1.0 a day"]
    assert CreditPool.objects.get(company=acme).limit_count == 0


def test_raising_a_limit_lets_in_what_it_refused_and_keeps_what_it_counted(acme, alice):
    made = limit(acme, "10")
    charge(acme, "10")
    refusal_of(acme, "5")

    again = limit(acme, "15")

    assert again.pk == made.pk
    charge(acme, "5")
    assert used(acme) == ["Acme: 15.0 of 15.0 a day"]
    assert CreditPool.objects.get(company=acme).limit_count == 1


def test_a_limit_below_what_was_used_leaves_nothing_and_no_less(acme):
    limit(acme, "10")
    charge(acme, "10")

    limit(acme, "4")

    assert refusal_of(acme, "1").available == Decimal("0.000")


def test_an_ended_limit_refuses_and_counts_nothing(acme, alice):
    made = limit(acme, "10")
    charge(acme, "10")
    held_before = LimitUse.objects.get(limit=made, used__gt=0)

    limits.end(limit=made, by=alice)

    charge(acme, "5")
    assert used(acme) == []
    assert LimitUse.objects.get(pk=held_before.pk).used == Decimal("10.000")
    assert CreditPool.objects.get(company=acme).limit_count == 0
    with pytest.raises(limits.AlreadyEnded):
        limits.end(limit=made, by=alice)


def test_setting_an_ended_limit_again_makes_another_that_counts_the_whole_window(acme, alice):
    made = limit(acme, "10")
    charge(acme, "4")
    limits.end(limit=made, by=alice)
    charge(acme, "5")

    again = limit(acme, "10")

    assert again.pk != made.pk
    assert used(acme) == ["Acme: 9.0 of 10.0 a day"]


def test_who_set_and_ended_a_limit_is_in_the_trail(acme, alice):
    made = limits.set(company=acme, subject=tracker(), window="DAY", credits=Decimal(10), by=alice)
    limits.set(company=acme, subject=tracker(), window="DAY", credits=Decimal("12.5"), by=alice)
    limits.end(limit=made, by=alice)

    lines = AuditEvent.objects.filter(company=acme, subject_type="credits.spendinglimit").order_by(
        "id"
    )

    assert [
        (line.action, line.text.subject_label, line.text.actor_name, line.text.changes)
        for line in lines
    ] == [
        (
            "ADDED",
            "Pricing",
            "Alice",
            [
                {"field": "credits_a_day", "before": None, "after": "10.0"},
                {"field": "refuses", "before": None, "after": "yes"},
                {"field": "about", "before": None, "after": "A tracker"},
            ],
        ),
        (
            "CHANGED",
            "Pricing",
            "Alice",
            [{"field": "credits_a_day", "before": "10.0", "after": "12.5"}],
        ),
        (
            "CANCELLED",
            "Pricing",
            "Alice",
            [
                {"field": "credits_a_day", "before": "12.5", "after": None},
                {"field": "refuses", "before": "yes", "after": None},
            ],
        ),
    ]


def key_of(company):
    return api_keys.create(
        company=company,
        name="Nightly export",
        scopes=["balance:read"],
        by=None,
        now=datetime.now(UTC) - timedelta(minutes=1),
    ).key


def integration_of(company):
    return Integration.objects.create(company=company, name="CRM", kind=IntegrationKind.API)
