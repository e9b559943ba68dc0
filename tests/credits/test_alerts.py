"""Admins are told once at 75, 90 and 100 % used, and again only after credits came (SPEC §5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from config.demo.clock import seeded_clock
from credits import alerts, charging, grants, refunds
from credits.ledger import Use
from credits.models import Alert, AlertMail, AlertState, Membership, User
from credits.rating import Work
from tests.support import people
from tests.support.breaking import copy_refused_by, update_refused_by

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
USE = Use("ASK", "Ask anything", None, "API_REQUEST")


@pytest.fixture
def clock():
    with seeded_clock(NOW) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    """A company with 100 credits, Alice and Bob its admins and Vic a viewer."""
    company = people.company()
    for make in (people.alice, people.bob, people.vic):
        make(company)
    people.credits_for(company, "100")
    return company


def use(company, calls: int):
    return charging.charge(
        company=company,
        use=USE,
        work=Work(long_calls=calls, request_count=1),
        rates=people.rates(),
    )


def look() -> int:
    return alerts.evaluate_all(now=NOW)


def told(company) -> list[int]:
    rows = Alert.objects.filter(company=company).order_by("sequence")
    return list(rows.values_list("threshold", flat=True))


@pytest.mark.parametrize(
    ("available", "total", "sequence", "percent", "level"),
    [
        ("0", "0", 0, "0", 0),
        ("0", "0", 7, "100", 100),
        ("100", "100", 1, "0", 0),
        ("25.001", "100", 2, "74.999", 0),
        ("25", "100", 2, "75", 75),
        ("10.001", "100", 2, "89.999", 75),
        ("10", "100", 2, "90", 90),
        ("0.001", "100", 2, "99.999", 90),
        ("0", "100", 2, "100", 100),
    ],
)
def test_what_is_used_is_the_part_that_is_not_available(available, total, sequence, percent, level):
    used = alerts.percent_used(
        available=Decimal(available), total=Decimal(total), sequence=sequence
    )

    assert (used, alerts.level_of(used)) == (Decimal(percent), level)


def test_each_threshold_is_told_once_when_it_is_reached(acme):
    found = []
    for calls in (74, 1, 1, 14, 9, 1):
        use(acme, calls)
        found.append((look(), look()))

    assert found == [(0, 0), (1, 0), (0, 0), (1, 0), (0, 0), (1, 0)]
    assert told(acme) == [75, 90, 100]
    last = Alert.objects.get(company=acme, threshold=100)
    assert (last.available, last.total, last.raised_at) == (Decimal(0), Decimal(100), NOW)


def test_of_several_thresholds_passed_at_once_the_highest_is_told(acme):
    use(acme, 95)

    look()

    assert told(acme) == [90]


def test_the_company_s_active_admins_are_told_and_nobody_else(acme):
    globex = people.company("Globex")
    people.alice(globex)
    dana = people.member(acme, "TECH_ADMIN", "Dana")
    User.objects.filter(pk=dana.pk).update(is_active=False)
    use(acme, 90)

    look()

    mails = AlertMail.objects.filter(due_at=NOW)
    assert {mail.receiver.name for mail in mails} == {"Alice", "Bob"}
    assert {mail.company for mail in mails} == {acme}


def test_nobody_is_written_to_about_demo_data(acme):
    acme.is_demo = True
    acme.save()
    use(acme, 90)

    look()

    assert told(acme) == [90]
    assert set(AlertMail.objects.values_list("due_at", "trouble")) == {
        (None, "Demo data: no e-mail is sent.")
    }


def test_what_is_held_counts_as_used_until_it_is_released(acme):
    held = charging.reserve(company=acme, amount=Decimal(80), use=USE, rates=people.rates())
    look()
    charging.release(reservation=held)
    look()
    use(acme, 80)
    look()

    assert told(acme) == [75]


def test_a_refund_arms_nothing(acme):
    event = use(acme, 92)
    look()
    refunds.refund(
        usage_event=event, amount=Decimal(50), by=people.vera(), reason="It was a mistake of ours."
    )
    assert look() == 0
    use(acme, 50)

    assert (look(), told(acme)) == (0, [90])


def test_an_expiry_tells_nothing_twice_and_arms_nothing(acme, clock):
    people.credits_for(acme, "100", expires_at=NOW + timedelta(days=1))
    use(acme, 100)
    use(acme, 80)
    look()
    clock.set(NOW + timedelta(days=2))

    look()

    # Of the 100 that are left in force 20 are available: the figure fell from 90 to 80 %.
    assert told(acme) == [90]


@pytest.mark.parametrize("source", ["ADJUSTMENT", "ALLOCATION", "PURCHASE"])
def test_it_is_told_again_after_credits_were_added_that_brought_it_below(acme, source):
    use(acme, 92)
    look()
    people.credits_for(acme, "100", source=source)
    assert look() == 0

    # 182 of 200: 91 %.
    use(acme, 90)

    assert (look(), told(acme)) == (1, [90, 90])


def test_a_few_credits_that_leave_it_above_are_no_new_crossing(acme):
    use(acme, 95)
    look()
    people.credits_for(acme, "1")

    assert (look(), told(acme)) == (0, [90])
    use(acme, 6)
    look()
    assert told(acme) == [90, 100]


def test_credits_added_and_used_up_before_anybody_looked_are_told_of(acme):
    use(acme, 92)
    look()
    people.credits_for(acme, "100")
    use(acme, 90)

    assert (look(), told(acme)) == (1, [90, 90])


def test_a_future_grant_arms_when_it_becomes_effective(acme, clock):
    people.credits_for(acme, "100", effective_at=NOW + timedelta(days=1))
    use(acme, 92)
    look()
    clock.set(NOW + timedelta(days=1))
    look()
    use(acme, 90)

    look()

    assert told(acme) == [90, 90]


def test_all_credits_expired_is_told_as_none_left(acme, clock):
    globex = people.company("Globex")
    people.alice(globex)
    people.credits_for(globex, "10", expires_at=NOW + timedelta(days=1))
    clock.set(NOW + timedelta(days=1))

    look()

    assert told(globex) == [100]
    assert told(acme) == []


def test_a_company_that_never_had_credits_or_is_closed_is_not_told(acme):
    people.alice(people.company("Globex"))
    use(acme, 100)
    alice = Membership.objects.get(company=acme, user__name="Alice").user
    acme.closed_at, acme.closed_by, acme.closing_reason = NOW, alice, "It ended."
    acme.save()

    assert look() == 0
    assert Alert.objects.count() == 0


def test_a_voided_grant_counts_neither_as_credits_nor_as_use(acme):
    other = people.credits_for(acme, "300")
    grants.void(grant=other, by=people.vera(), reason="It was given by mistake.")
    use(acme, 76)

    look()

    assert told(acme) == [75]


def test_alerts_hold_their_rules(acme):
    use(acme, 90)
    look()
    alert, state = Alert.objects.get(), AlertState.objects.get()
    mail = AlertMail.objects.filter(alert=alert).first()

    assert update_refused_by(alert, kind="WEATHER") == "alert_kind_is_known"
    assert update_refused_by(state, kind="WEATHER") == "alert_state_kind_is_known"
    assert update_refused_by(mail, handed_at=NOW) == "alert_mail_is_handed_over_once"
    assert update_refused_by(mail, sent_at=NOW) == "alert_mail_is_handed_over_before_it_is_taken"
    assert copy_refused_by(mail, id=alert.pk) == "alert_is_mailed_to_a_person_once"
    assert copy_refused_by(state, id=alert.pk) == "alert_state_is_kept_once_a_kind"
