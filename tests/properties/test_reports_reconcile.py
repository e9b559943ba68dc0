"""The reports reconcile after any history, in any zone, for any range and any split of it (I13).

Everything is read from the files, as a person with a spreadsheet would; the control figures of
the same range are then held against them.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from config.demo.clock import seeded_clock
from credits import balances, charging, grants
from credits.ledger import InsufficientCredits, Use
from credits.models import CreditGrant, RateItem, Reservation, Source
from credits.rating import Rates, Work
from credits.refunds import AlreadyRefunded
from credits.reports import control
from credits.reports.balance import CreditBalanceReport
from credits.reports.base import DayRange
from credits.reports.usage import CreditUsageReport
from tests.support import people
from tests.support.sheets import EVERYTHING, written

pytestmark = pytest.mark.django_db

# Two days before the clocks change in Europe and Beirut; the history runs for about ten.
START = datetime(2026, 3, 27, tzinfo=UTC)
FIRST_DAY = date(2026, 3, 25)
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Beirut", "Pacific/Kiritimati", "CET"]
MILLS = Rates(card_id=1, amounts=dict.fromkeys(RateItem.values, Decimal("0.001")))
WHY = "A reason of at least ten characters"
REFUSED = (
    InsufficientCredits,
    AlreadyRefunded,
    charging.AlreadyCaptured,
    charging.AlreadyReleased,
    charging.ReservationLapsed,
    grants.AlreadyVoided,
    grants.AlreadyCancelled,
    grants.GrantUsedUp,
    grants.GrantExpired,
    grants.GrantNotStarted,
    grants.AdjustmentExceedsAvailable,
)
KINDS = [
    *("issue", "issue", "charge", "charge", "charge", "free", "reserve", "capture", "capture"),
    *("release", "void", "adjust", "refund", "step", "step", "step"),
]
ACTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(1, 9000), st.integers(0, 60)),
    min_size=5,
    max_size=40,
)
SPLITS = st.lists(st.integers(0, 7), min_size=1, max_size=6)


class History:
    """One company's life, act by act; an act that is refused leaves nothing."""

    def __init__(self, clock, zone, person):
        clock.set(START)
        self.clock, self.person = clock, person
        self.company = people.company("Any", time_zone=zone)
        self.events, self.reservations = [], []
        people.credits_for(self.company, "90", source=Source.ALLOCATION)

    def act(self, kind, mills, hours):
        try:
            getattr(self, kind)(mills, hours)
        except REFUSED:
            return

    def step(self, mills, hours):
        self.clock.advance(timedelta(hours=hours % 31, minutes=mills % 60))

    def issue(self, mills, hours):
        source = [Source.PURCHASE, Source.ALLOCATION, Source.ADJUSTMENT][mills % 3]
        begins = self.clock.instant + timedelta(hours=hours % 5)
        ends = None if mills % 4 == 0 else begins + timedelta(hours=1 + hours)
        amount = str(Decimal(mills) / 1000)
        people.credits_for(
            self.company, amount, source=source, effective_at=begins, expires_at=ends
        )

    def charge(self, mills, hours):
        self._spend(mills, "CONTINUOUS" if hours % 2 else "API_REQUEST")

    def free(self, mills, hours):
        self._spend(mills, "PREVIEW", is_free=True)

    def reserve(self, mills, hours):
        self.reservations.append(
            charging.reserve(
                company=self.company,
                amount=Decimal(mills) / 1000,
                use=Use("ASK", "Ask anything", None, "API_REQUEST"),
                rates=MILLS,
                lease=timedelta(minutes=5 + hours % 56),
            )
        )

    def capture(self, mills, hours):
        if self.reservations:
            held = Reservation.objects.get(pk=self.reservations[mills % len(self.reservations)].pk)
            part = 1 + mills % int(held.amount * 1000)
            work = Work(emails_with_text=part)
            self.events.append(charging.capture(reservation=held, work=work, rates=MILLS))

    def release(self, mills, hours):
        if self.reservations:
            held = self.reservations[mills % len(self.reservations)]
            charging.release(reservation=Reservation.objects.get(pk=held.pk))

    def void(self, mills, hours):
        lots = list(CreditGrant.objects.filter(company=self.company).order_by("pk"))
        grants.void(grant=lots[mills % len(lots)], by=self.person, reason=WHY)

    def adjust(self, mills, hours):
        amount = Decimal(mills) / 1000 * (1 if hours % 2 else -1)
        grants.adjust(company=self.company, amount=amount, by=self.person, reason=WHY)

    def refund(self, mills, hours):
        if self.events:
            charging.refund(
                usage_event=self.events[mills % len(self.events)],
                by=self.person,
                reason=WHY,
                replace_expired=hours % 3 == 0,
            )

    def _spend(self, mills, action, *, is_free=False):
        event = charging.charge(
            company=self.company,
            use=Use("ASK", "Ask anything", None, action),
            work=Work(emails_with_text=mills, request_count=1),
            rates=MILLS,
            is_free=is_free,
        )
        self.events += [] if is_free else [event]


def lines(report, days=EVERYTHING):
    text = written(report, days).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def total(rows, column, **wanted):
    return sum((Decimal(row[column]) for row in rows if wanted.items() <= row.items()), Decimal(0))


def reconcile(company, days, opening):
    """Check one range's files against each other and its control; return what it closes with."""
    balance = lines(CreditBalanceReport(company=company), days)
    usage = lines(CreditUsageReport(company=company), days)
    daily = lines(CreditUsageReport(company=company, is_daily=True), days)
    left = opening
    for row in balance:
        assert Decimal(row["Total credits before"]) == left, "LINK is broken"
        left = Decimal(row["Total credits after"])
    added, used, expired = (
        total(balance, "# of credits", Action=f"{verb} credits")
        for verb in ("Adding", "Consuming", "Expiring")
    )
    corrected = sum(
        (
            Decimal(row["Total credits after"]) - Decimal(row["Total credits before"])
            for row in balance
            if row["Action"] == "Correcting credits"
        ),
        Decimal(0),
    )
    assert opening + added - used - expired + corrected == left, "IDENTITY does not hold"
    assert total(usage, "Credits used") == used, "USAGE differs from Used"
    assert total(daily, "Credits used") == used, "DAILY differs from Used"
    figures = control.of(company=company, days=days)
    assert (figures.opening, figures.closing) == (opening, left), "CONTROL differs"
    found = (figures.added, figures.used, figures.expired, figures.corrected)
    assert found == (added, used, expired, corrected), "CONTROL differs"
    assert figures.is_balanced, "CONTROL is not balanced"
    return left, balance, usage


def run(clock, *, examples):
    person = people.vera()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(zone=st.sampled_from(ZONES), acts=ACTS, splits=SPLITS)
    def any_history(zone, acts, splits):
        history = History(clock, zone, person)
        for kind, mills, hours in acts:
            history.act(kind, mills, hours)
        company = history.company
        whole = reconcile(company, EVERYTHING, Decimal(0))

        cuts = sorted({FIRST_DAY + timedelta(days=1 + days) for days in splits})
        last_day = date(2026, 12, 31)
        starts = [FIRST_DAY, *cuts]
        ends = [*(cut - timedelta(days=1) for cut in cuts), last_day]
        left, balance, usage = Decimal(0), [], []
        for first, last in zip(starts, ends, strict=True):
            left, rows, uses = reconcile(company, DayRange(first, last), left)
            balance += rows
            usage += uses

        assert (left, balance, usage) == whole, "SPLIT differs from the whole"
        assert left == balances.now(company=company).remaining, "PAGE differs"

    any_history()


@pytest.fixture
def clock():
    with seeded_clock(START) as clock:
        yield clock


def test_the_reports_reconcile_for_any_history_range_and_split(clock):
    run(clock, examples=25)


def off_by_a_day(report_class, monkeypatch):
    """Let a report read the days of UTC instead of its company's."""
    in_range = report_class._in_range

    def utc_days(self, days):
        zone, self.zone = self.zone, UTC
        try:
            return in_range(self, days)
        finally:
            self.zone = zone

    monkeypatch.setattr(report_class, "_in_range", utc_days)


@pytest.mark.parametrize("report_class", [CreditUsageReport, CreditBalanceReport])
def test_a_report_of_other_days_than_the_control_s_is_found_out(clock, monkeypatch, report_class):
    off_by_a_day(report_class, monkeypatch)

    # Only a use in the hours between two midnights tells; 25 histories have not always one.
    with pytest.raises(AssertionError, match=r"LINK|IDENTITY|USAGE|DAILY|CONTROL"):
        run(clock, examples=125)


def test_an_entry_that_forgets_what_was_left_is_found_out(clock, monkeypatch):
    rows = CreditBalanceReport.filter_export

    def unordered(self, queryset, **options):
        return rows(self, queryset).order_by("occurred_at", "kind", "amount")

    monkeypatch.setattr(CreditBalanceReport, "filter_export", unordered)

    with pytest.raises(AssertionError, match="LINK"):
        run(clock, examples=25)
