"""COPY, Python and the stock import-export path write the same bytes, whatever the text and time.

Each example has a company of its own; the histories are written through the ledger.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from config.demo.clock import seeded_clock
from credits import charging
from credits.ledger import Use
from credits.models import Integration, RateItem, Source
from credits.rating import Rates, Work
from credits.reports import files, pieces
from credits.reports.balance import CreditBalanceReport
from credits.reports.base import DayRange
from credits.reports.columns import STARTS_A_FORMULA
from credits.reports.usage import CreditUsageReport
from tests.support import people

pytestmark = pytest.mark.django_db

EVERYTHING = DayRange()
START = datetime(2026, 3, 27, tzinfo=UTC)
MILLS = Rates(card_id=1, amounts=dict.fromkeys(RateItem.values, Decimal("0.001")))
# Zones with the clock's change at night, at midnight, of half an hour, and one whose name is
# also that of a fixed offset. March and October 2026 have a change in each.
ZONES = ["Europe/Berlin", "UTC", "America/St_Johns", "Asia/Beirut", "Australia/Lord_Howe", "CET"]
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
) | st.tuples(
    st.sampled_from(
        [
            *STARTS_A_FORMULA,
            *(f"{apostrophes}{start}" for start in STARTS_A_FORMULA for apostrophes in ("'", "''")),
            *('"', '""', ",", "\r\n", "\n", "'", " =", "\\.", "é"),
        ]
    ),
    st.sampled_from(["1+1", "", '"', ",\n", "SUM(A1)", "\r"]),
).map("".join)
FREE = st.sampled_from(["PREVIEW", "MANUAL", "REUSED"])
PAID = st.sampled_from(["CONTINUOUS", "BACKFILL", "API_REQUEST", "MCP_REQUEST"])
EVENTS = st.lists(
    st.tuples(
        NAMES,
        st.sampled_from(["TRACKER", "ASK", "BRIEF"]),
        PAID | FREE,
        st.integers(1, 4000),
        st.none() | st.integers(1, 3),
        st.none() | st.sampled_from([0, 1]),
        st.timedeltas(timedelta(0), timedelta(hours=30)),
    ),
    max_size=12,
)


@pytest.fixture
def clock():
    with seeded_clock(START) as clock:
        yield clock


def history(clock, zone, events, integrations):
    """A company of its own, with one grant, one expiry and the uses given."""
    clock.set(START)
    company = people.company("Any", time_zone=zone)
    people.credits_for(company, "900")
    people.credits_for(company, "100", expires_at=START + timedelta(days=1))
    people.credits_for(
        company, "50.5", source=Source.PURCHASE, effective_at=START + timedelta(days=2)
    )
    desks = [
        Integration.objects.create(company=company, name=f"{name}{place}", kind="API").pk
        for place, name in enumerate(integrations)
    ]
    trackers = [uuid.uuid4(), uuid.uuid4(), None]
    for place, (name, kind, action, mills, requests, desk, pause) in enumerate(events):
        clock.advance(pause)
        charging.charge(
            company=company,
            use=Use(
                *(kind, name, trackers[place % 3], action),
                integration_ref=None if desk is None else desks[desk],
                user_ref=uuid.uuid5(uuid.NAMESPACE_OID, name) if requests else None,
            ),
            work=Work(emails_with_text=mills, short_calls=mills % 7, request_count=requests),
            rates=MILLS,
            is_free=action in ("PREVIEW", "MANUAL", "REUSED"),
        )
    return company


def in_one(report, days) -> bytes:
    """Return the rows as one statement and one snapshot have them."""
    report.pieces = lambda days: [report.rows(days)]
    return in_pieces(report, days)


def in_pieces(report, days) -> bytes:
    file, _ = files.as_file(report, days)
    with file:
        return file.read()


def by_copy(report) -> bytes:
    assert report.statement(report.rows(EVERYTHING)) is not None
    file, _ = files.as_file(report, EVERYTHING)
    with file:
        return file.read()


def by_python(report) -> bytes:
    report.statement = lambda found: None
    file, _ = files.as_file(report, EVERYTHING)
    with file:
        return file.read()


def by_stock(report) -> bytes:
    queryset = report.rows(EVERYTHING).model.objects.all()
    return report.export(queryset).export("csv").encode()


REPORTS = {
    "usage": lambda company: CreditUsageReport(company=company),
    "usage with free use": lambda company: CreditUsageReport(company=company, has_free_use=True),
    "usage by day": lambda company: CreditUsageReport(
        company=company, has_free_use=True, is_daily=True
    ),
    "balance": lambda company: CreditBalanceReport(company=company),
}


@settings(
    max_examples=25,
    # Shrinking writes hundreds of histories more; the first failure says enough.
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    zone=st.sampled_from(ZONES),
    events=EVENTS,
    integrations=st.tuples(NAMES.filter(lambda name: len(name) < 40), NAMES),
)
def test_the_three_ways_write_the_same_bytes(clock, zone, events, integrations):
    company = history(clock, zone, events, integrations)

    for make in REPORTS.values():
        copied = by_copy(make(company))

        assert copied == by_python(make(company))
        assert copied == by_stock(make(company))


@settings(
    max_examples=25,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    zone=st.sampled_from(ZONES),
    events=EVENTS,
    size=st.integers(1, 5),
    first=st.none() | st.integers(0, 6),
    length=st.integers(0, 6),
)
def test_pieces_of_any_size_are_the_bytes_of_one(
    clock, monkeypatch, zone, events, size, first, length
):
    monkeypatch.setattr(pieces, "ENTRIES_MAX", size)
    company = history(clock, zone, events, ("Desk", "Phone"))
    days = EVERYTHING
    if first is not None:
        day = START.date() + timedelta(days=first)
        days = DayRange(day, day + timedelta(days=length))

    for make in REPORTS.values():
        assert in_pieces(make(company), days) == in_one(make(company), days)
