"""A changed time zone applies from the next period, which starts where the last ended (SPEC §5)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing import allocations, closing, zone_changes, zoning
from billing.models import Allocation, ZoneChange
from billing.purchases import ReasonMissing
from credits import balances, charging, metering, reconciliation, usage_days, zones
from credits.companies import CompanyClosed
from credits.ledger import Use
from credits.models import AuditEvent, Company, CreditGrant, LedgerEntry
from credits.rating import Work
from credits.reports.balance import CreditBalanceReport
from credits.reports.base import DayRange
from tests.support import contracts as given
from tests.support import people

REASON = "The company has moved its head office."
KIRITIMATI, PAGO_PAGO = "Pacific/Kiritimati", "Pacific/Pago_Pago"  # UTC+14 and UTC−11.


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def move(company, clock, vera, time_zone: str, instant: str) -> ZoneChange:
    clock.set(at(instant))
    return zoning.change(company=company, time_zone=time_zone, by=vera, reason=REASON, now=clock())


def beat(company, clock, instant: str) -> None:
    clock.set(at(instant))
    allocations.run(company=company, now=clock())


def seated_in(time_zone: str, clock, starts_on: str = "2026-03-01", seats: int = 10) -> Company:
    company = people.company(time_zone=time_zone)
    given.seated(company, starts_on, seats)
    beat(company, clock, "2026-03-02T12:00")
    return company


def periods(company) -> list[str]:
    """Return where each period that counts starts and ends, in UTC, and the zone of its end."""
    rows = Allocation.objects.filter(company=company).exclude(state="CANCELLED")
    return [
        f"{one.starts_at.astimezone(UTC):%m-%d %H:%M} {one.ends_at.astimezone(UTC):%m-%d %H:%M} "
        f"{one.time_zone}"
        for one in rows.order_by("period_number")
    ]


def zone_of(company) -> str:
    return Company.objects.get(pk=company.pk).time_zone


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # 14 hours ahead of UTC to 11 behind it: the second period is 25 hours longer.
        (
            KIRITIMATI,
            PAGO_PAGO,
            [
                "02-28 10:00 03-31 10:00 Pacific/Kiritimati",
                "03-31 10:00 05-01 11:00 Pacific/Pago_Pago",
                "05-01 11:00 06-01 11:00 Pacific/Pago_Pago",
            ],
        ),
        # And the other way 25 hours shorter.
        (
            PAGO_PAGO,
            KIRITIMATI,
            [
                "03-01 11:00 04-01 11:00 Pacific/Pago_Pago",
                "04-01 11:00 04-30 10:00 Pacific/Kiritimati",
                "04-30 10:00 05-31 10:00 Pacific/Kiritimati",
            ],
        ),
        # Over the night in which Berlin springs forward, to a zone half an hour off.
        (
            "Europe/Berlin",
            "Asia/Kolkata",
            [
                "02-28 23:00 03-31 22:00 Europe/Berlin",
                "03-31 22:00 04-30 18:30 Asia/Kolkata",
                "04-30 18:30 05-31 18:30 Asia/Kolkata",
            ],
        ),
    ],
)
def test_periods_neither_overlap_nor_leave_a_gap(clock, vera, before, after, expected):
    acme = seated_in(before, clock)
    move(acme, clock, vera, after, "2026-03-10T09:00")

    beat(acme, clock, "2026-03-31T00:00")
    beat(acme, clock, "2026-04-29T12:00")

    assert periods(acme) == expected
    spent = CreditGrant.objects.filter(company=acme, cancelled_at=None).order_by("effective_at")
    ends = [grant.expires_at for grant in spent]
    assert [grant.effective_at for grant in spent][1:] == ends[:-1]
    assert reconciliation.check(company_id=acme.pk) == []


@pytest.mark.parametrize(("before", "after"), [(KIRITIMATI, PAGO_PAGO), (PAGO_PAGO, KIRITIMATI)])
def test_at_the_boundary_there_is_one_allocation_to_spend_at_every_instant(
    clock, vera, before, after
):
    acme = seated_in(before, clock)
    change = move(acme, clock, vera, after, "2026-03-10T09:00")
    boundary = change.effective_at
    clock.set(boundary - timedelta(days=1))
    allocations.run(company=acme, now=clock())

    remaining = []
    for offset in (-1, 0, 1):
        clock.set(boundary + offset * timedelta(microseconds=1))
        zone_changes.apply_all(now=clock())
        allocations.run(company=acme, now=clock())
        remaining.append(balances.now(company=acme).remaining)

    assert remaining == [Decimal(20000)] * 3
    assert zone_of(acme) == after
    assert reconciliation.check(company_id=acme.pk) == []


def test_a_next_period_that_was_issued_ahead_is_issued_anew_with_its_new_end(clock, vera):
    acme = seated_in(KIRITIMATI, clock)
    beat(acme, clock, "2026-03-29T12:00")
    first = Allocation.objects.get(company=acme, period_number=2)

    move(acme, clock, vera, PAGO_PAGO, "2026-03-29T13:00")

    first.refresh_from_db()
    assert (first.state, first.grant.cancelled_at is not None) == ("CANCELLED", True)
    assert periods(acme)[1] == "03-31 10:00 05-01 11:00 Pacific/Pago_Pago"
    clock.set(at("2026-03-31T10:00"))
    assert balances.now(company=acme).remaining == Decimal(20000)
    assert reconciliation.check(company_id=acme.pk) == []


def test_periods_that_have_started_keep_their_instants(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    grant = CreditGrant.objects.get(company=acme)

    move(acme, clock, vera, KIRITIMATI, "2026-03-10T09:00")
    zone_changes.apply_all(now=at("2026-03-31T22:00"))

    now = CreditGrant.objects.get(pk=grant.pk)
    assert (now.effective_at, now.expires_at) == (at("2026-03-02T12:00"), at("2026-03-31T22:00"))


def test_a_beat_that_was_down_over_the_boundary_counts_the_new_zone_from_there(clock, vera):
    acme = seated_in(KIRITIMATI, clock)
    move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    beat(acme, clock, "2026-06-20T12:00")

    assert periods(acme) == [
        "02-28 10:00 03-31 10:00 Pacific/Kiritimati",
        "03-31 10:00 05-01 11:00 Pacific/Pago_Pago",
        "05-01 11:00 06-01 11:00 Pacific/Pago_Pago",
        "06-01 11:00 07-01 11:00 Pacific/Pago_Pago",
    ]
    assert zone_of(acme) == PAGO_PAGO
    assert reconciliation.check(company_id=acme.pk) == []


def test_without_a_running_period_it_counts_at_once(clock, vera, acme):
    change = move(acme, clock, vera, KIRITIMATI, "2026-03-10T09:00")

    assert change.applied_at == change.effective_at == at("2026-03-10T09:00")
    assert zone_of(acme) == KIRITIMATI


def test_a_first_period_that_was_issued_ahead_moves_to_the_new_zone(clock, vera):
    acme = people.company(time_zone=KIRITIMATI)
    given.seated(acme, "2026-03-05")
    beat(acme, clock, "2026-03-02T12:00")

    move(acme, clock, vera, PAGO_PAGO, "2026-03-02T13:00")

    assert periods(acme) == ["03-05 11:00 04-05 11:00 Pacific/Pago_Pago"]
    assert reconciliation.check(company_id=acme.pk) == []


def test_deciding_anew_replaces_what_was_ahead(clock, vera):
    acme = seated_in(KIRITIMATI, clock)
    first = move(acme, clock, vera, PAGO_PAGO, "2026-03-30T09:00")

    second = move(acme, clock, vera, "UTC", "2026-03-30T10:00")

    first.refresh_from_db()
    assert first.withdrawn_at == at("2026-03-30T10:00")
    assert (second.before, second.after) == (KIRITIMATI, "UTC")
    assert periods(acme)[1] == "03-31 10:00 05-01 00:00 UTC"


def test_choosing_the_present_zone_takes_the_change_back(clock, vera):
    acme = seated_in(KIRITIMATI, clock)
    beat(acme, clock, "2026-03-29T12:00")
    planned = periods(acme)
    move(acme, clock, vera, PAGO_PAGO, "2026-03-30T09:00")

    withdrawn = move(acme, clock, vera, KIRITIMATI, "2026-03-30T10:00")

    assert (withdrawn.after, withdrawn.withdrawn_at) == (PAGO_PAGO, at("2026-03-30T10:00"))
    assert periods(acme) == planned
    zone_changes.apply_all(now=at("2026-04-02T00:00"))
    assert zone_of(acme) == KIRITIMATI


@pytest.mark.parametrize(
    ("time_zone", "reason", "error"),
    [
        ("Mars/Olympus", REASON, zoning.NoSuchZone),
        ("Europe/Berlin", REASON, zoning.SameZone),
        (PAGO_PAGO, "moved", ReasonMissing),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(clock, vera, time_zone, reason, error):
    acme = seated_in("Europe/Berlin", clock)

    with pytest.raises(error):
        zoning.change(company=acme, time_zone=time_zone, by=vera, reason=reason, now=clock())
    assert not ZoneChange.objects.exists()
    assert not AuditEvent.objects.filter(company=acme, action="CHANGED").exists()


def test_the_zone_that_is_ahead_already_is_refused(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    with pytest.raises(zoning.AheadAlready):
        move(acme, clock, vera, PAGO_PAGO, "2026-03-10T10:00")


def test_closing_a_company_withdraws_what_was_ahead(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    change = move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    closing.close(company=acme, by=vera, reason=REASON, now=clock())

    change.refresh_from_db()
    assert change.withdrawn_at == clock()
    with pytest.raises(CompanyClosed):
        move(acme, clock, vera, "UTC", "2026-03-10T10:00")


def test_it_is_on_the_trail_with_before_after_and_reason(clock, vera):
    acme = seated_in("Europe/Berlin", clock)

    move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    event = AuditEvent.objects.get(company=acme, action="CHANGED", subject_type="credits.company")
    assert event.actor_ref == vera.public_id
    assert event.text.reason == REASON
    assert event.text.changes == [
        {"field": "time_zone", "before": "Europe/Berlin", "after": PAGO_PAGO},
        {"field": "from", "before": None, "after": "2026-03-31T22:00:00+00:00"},
    ]


def charge(company, clock, instant: str) -> None:
    clock.set(at(instant))
    charging.charge(
        company=company,
        use=Use("ASK", "Ask anything", None, "API_REQUEST"),
        work=Work(long_calls=1, request_count=1),
        rates=people.rates(),
    )


def used_in_march(company) -> Decimal:
    report = CreditBalanceReport(company=Company.objects.get(pk=company.pk))
    rows = report.rows(DayRange(date(2026, 3, 1), date(2026, 3, 31)))
    return -sum((row.amount for row in rows if row.kind == "CONSUMED"), Decimal(0))


def test_a_preview_says_what_moves_in_numbers_and_changes_nothing(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    charge(acme, clock, "2026-03-10T12:00")
    # 23:30 in Berlin on the last of March; in Pago Pago it is the 31st until 11:00 UTC.
    charge(acme, clock, "2026-03-31T21:30")
    beat(acme, clock, "2026-03-31T23:00")
    charge(acme, clock, "2026-04-01T05:00")

    found = zoning.preview(company=acme, time_zone=PAGO_PAGO, by=vera, reason=REASON, now=clock())

    assert [one.number for one in found.before] == [3, 4]
    assert [one.starts_at for one in found.before] == [
        at("2026-04-30T22:00"),
        at("2026-05-31T22:00"),
    ]
    assert [one.starts_at for one in found.after] == [
        at("2026-04-30T22:00"),
        at("2026-06-01T11:00"),
    ]
    assert (found.month.first, found.month.last) == (date(2026, 3, 1), date(2026, 3, 31))
    assert (found.month.before, found.month.after) == (Decimal(2), Decimal(3))
    assert found.issued_anew == 0
    assert not ZoneChange.objects.exists()
    assert zone_of(acme) == "Europe/Berlin"


def test_a_preview_counts_the_credits_that_are_issued_anew(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    beat(acme, clock, "2026-03-30T12:00")

    found = zoning.preview(company=acme, time_zone=PAGO_PAGO, by=vera, reason=REASON, now=clock())

    assert found.issued_anew == Decimal(20000)
    assert Allocation.objects.get(company=acme, period_number=2).state == "ISSUED"


def test_once_it_counts_reports_name_past_days_by_the_new_zone_and_no_entry_changes(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    charge(acme, clock, "2026-03-10T12:00")
    beat(acme, clock, "2026-03-31T23:00")
    charge(acme, clock, "2026-04-01T05:00")
    entries = list(LedgerEntry.objects.filter(company=acme).order_by("sequence").values())
    move(acme, clock, vera, PAGO_PAGO, "2026-04-10T12:00")
    while_it_is_ahead = used_in_march(acme)

    zone_changes.apply_all(now=at("2026-04-30T22:00"))

    assert (while_it_is_ahead, used_in_march(acme)) == (Decimal(1), Decimal(2))
    assert (
        list(LedgerEntry.objects.filter(company=acme).order_by("sequence").values())[: len(entries)]
        == entries
    )
    assert reconciliation.check(company_id=acme.pk) == []


def test_days_added_up_in_the_old_zone_do_not_spoil_those_of_the_new_one(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    charge(acme, clock, "2026-03-10T12:00")
    charge(acme, clock, "2026-03-10T23:30")
    clock.set(at("2026-03-20T12:00"))
    totals = []
    for name in ("Europe/Berlin", PAGO_PAGO):
        Company.objects.filter(pk=acme.pk).update(time_zone=name)
        company = Company.objects.get(pk=acme.pk)
        days = zones.each_day(date(2026, 3, 9), date(2026, 3, 12), ZoneInfo(name))
        usage_days.add_up(company=company, days=days)
        use = metering.daily(company=company, first=date(2026, 3, 9), last=date(2026, 3, 12))
        totals.append([(row.day.day, row.credits) for row in use])

    assert totals == [[(10, Decimal(1)), (11, Decimal(1))], [(10, Decimal(2))]]
    assert reconciliation.check(company_id=acme.pk) == []
