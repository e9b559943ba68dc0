"""A report in pieces is the report in one: the same bytes, whatever happens between the pieces."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection

from config.demo.clock import seeded_clock
from credits import charging
from credits.ledger import Use
from credits.rating import Work
from credits.reports import control, files, pieces
from credits.reports.balance import CreditBalanceReport
from credits.reports.base import DayRange
from credits.reports.usage import CreditUsageReport
from tests.support import people, statement
from tests.support.exporting import company_with_use

EVERYTHING = DayRange()
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.fixture
def clock(db):
    with seeded_clock(NOON) as clock:
        yield clock


@pytest.fixture
def in_threes(monkeypatch):
    monkeypatch.setattr(pieces, "ENTRIES_MAX", 3)


def content(report, days=EVERYTHING, file_format="csv") -> bytes:
    file = io.BytesIO()
    files.write(report, days, file, file_format=file_format)
    return file.getvalue()


def use_for_free(company) -> None:
    charging.charge(
        company=company,
        use=Use("TRACKER", "Prices", None, "PREVIEW"),
        work=Work(long_calls=1),
        rates=people.rates(),
        is_free=True,
    )


def test_a_long_report_is_cut_and_a_short_one_is_not(clock, monkeypatch):
    acme = company_with_use(count=9)
    report = CreditUsageReport(company=acme)

    whole = list(report.pieces(EVERYTHING))
    monkeypatch.setattr(pieces, "ENTRIES_MAX", 4)
    cut = list(report.pieces(EVERYTHING))

    assert [rows.count() for rows in whole] == [9]
    # Entry 1 is the grant; a use of before it would bear sequence 0.
    assert [rows.count() for rows in cut] == [2, 4, 3]


def test_a_clock_that_was_set_back_loses_no_row(clock, monkeypatch):
    monkeypatch.setattr(pieces, "ENTRIES_MAX", 1)
    acme = company_with_use(count=2)
    clock.advance(timedelta(minutes=9))
    use_for_free(acme)
    clock.set(NOON)
    statement.charge(acme, "1")
    clock.advance(timedelta(hours=1))

    lines = content(CreditUsageReport(company=acme, has_free_use=True)).decode().splitlines()

    assert [line.split(",")[3] for line in lines[1:]] == [
        "API request",
        "API request",
        "Preview",
        "API request",
    ]


@pytest.mark.parametrize("is_daily", [False, True])
def test_what_is_written_between_pieces_is_not_in_the_file(clock, in_threes, is_daily):
    acme = company_with_use(count=4)
    clock.advance(timedelta(days=2))
    statement.charge(acme, "2")
    expected = content(CreditUsageReport(company=acme, has_free_use=True, is_daily=is_daily))

    class Meanwhile(CreditUsageReport):
        def pieces(self, days):
            for piece in super().pieces(days):
                yield piece
                clock.advance(timedelta(seconds=1))
                use_for_free(self.company)
                statement.charge(self.company, "1")

    found = content(Meanwhile(company=acme, has_free_use=True, is_daily=is_daily))

    assert found == expected
    assert len(expected.splitlines()) == (3 if is_daily else 6)


def test_a_day_in_which_a_piece_would_end_is_one_row(clock, monkeypatch):
    monkeypatch.setattr(pieces, "ENTRIES_MAX", 2)
    acme = company_with_use(count=1)
    for _ in range(8):
        clock.advance(timedelta(hours=3))
        statement.charge(acme, "1")

    lines = content(CreditUsageReport(company=acme, is_daily=True)).decode().splitlines()

    # Noon to noon in Berlin: local midnight is at 23:00 in UTC.
    assert [(line.split(",")[0], line.split(",")[6]) for line in lines[1:]] == [
        ("2026-03-28T00:00:00+01:00", "3.1"),
        ("2026-03-29T00:00:00+01:00", "5.0"),
    ]


def test_the_control_sheet_is_of_the_entry_at_which_the_rows_end(clock):
    acme = company_with_use(count=4)
    people.credits_for(acme, "7", expires_at=NOON + timedelta(days=1))
    before = control.of(company=acme, days=EVERYTHING)
    clock.advance(timedelta(days=2))
    statement.charge(acme, "2")
    statement.reserve(acme, "1")

    then = control.of(company=acme, days=EVERYTHING, sequence=before.sequence)
    now = control.of(company=acme, days=EVERYTHING)

    assert then == before
    assert (then.sequence, then.remaining, then.granted_remaining, then.used) == (
        6,
        Decimal("1006.600"),
        Decimal("1006.600"),
        Decimal("0.400"),
    )
    assert (now.sequence, now.remaining, now.expired) == (8, Decimal("997.600"), Decimal("7.000"))
    assert then.is_balanced
    assert now.is_balanced


def test_a_range_without_anything_is_one_empty_piece(clock, in_threes):
    acme = company_with_use(count=9)
    early = DayRange(date(2026, 1, 1), date(2026, 1, 31))

    for report in (CreditUsageReport, CreditBalanceReport):
        assert [rows.count() for rows in report(company=acme).pieces(early)] == [0]
    nobody = people.company()
    assert len(content(CreditUsageReport(company=nobody)).splitlines()) == 1


def test_no_snapshot_is_open_between_two_pieces(committed, in_threes):
    acme = company_with_use(count=8)
    seen = []

    class Watched(CreditUsageReport):
        def pieces(self, days):
            for piece in super().pieces(days):
                seen.append(oldest_seen(committed, connection.connection.info.backend_pid))
                yield piece

    content(Watched(company=acme))

    assert seen == [None, None, None, None]


def oldest_seen(dsn: str, backend: int) -> int | None:
    """Return the oldest transaction whose rows a session keeps for itself; None without any."""
    with psycopg.connect(dsn) as other:
        row = other.execute(
            "SELECT backend_xmin::text::bigint FROM pg_stat_activity WHERE pid = %s", [backend]
        ).fetchone()
    return row[0]
