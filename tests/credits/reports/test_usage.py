"""The credit usage report, byte for byte; every expected file is written by hand (SPEC §4)."""

from __future__ import annotations

import gc
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from config.demo.clock import seeded_clock
from credits import charging
from credits.ledger import Use
from credits.models import Integration, LedgerEntry, UsageEvent
from credits.rating import Rates, Work
from credits.reports import files
from credits.reports.base import DayRange
from credits.reports.usage import CreditUsageReport
from tests.support import people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db

HEADERS = (
    b"Usage time,Feature type,Feature name,Usage action,Integration,User ID,Credits used,"
    b"Usage breakdown,# of requests\r\n"
)
EVERYTHING = DayRange()
USER = uuid.UUID("01993bb8-0000-7000-8000-000000000001")


@pytest.fixture
def clock():
    with seeded_clock(datetime(2026, 10, 1, tzinfo=UTC)) as clock:
        yield clock


@pytest.fixture
def acme():
    return people.company()


def report(company, **options) -> bytes:
    days = options.pop("days", EVERYTHING)
    file, _ = files.as_file(CreditUsageReport(company=company, **options), days)
    with file:
        return file.read()


def charge(company, name="Pricing objection", work=None, *, action="CONTINUOUS", **options):
    is_free = options.pop("is_free", False)
    kind = options.pop("kind", "TRACKER")
    return charging.charge(
        company=company,
        use=Use(kind, name, uuid.uuid4(), action, **options),
        work=work or Work(long_calls=1),
        rates=people.rates(),
        is_free=is_free,
    )


def test_a_day_of_every_kind_of_use(acme, clock):
    people.credits_for(acme, "12345")
    desk = Integration.objects.create(company=acme, name="Sales desk, EMEA", kind="MCP")
    clock.set(datetime(2026, 10, 2, 6, 5, 4, 999_000, tzinfo=UTC))
    charge(acme, work=Work(long_calls=3, short_calls=7, emails_with_text=20, emails_without_text=6))
    clock.set(datetime(2026, 10, 2, 7, tzinfo=UTC))
    charge(acme, action="BACKFILL", work=Work(long_calls=1100))
    charge(acme, action="PREVIEW", is_free=True)
    clock.set(datetime(2026, 10, 2, 8, tzinfo=UTC))
    charge(
        acme,
        "Ask anything",
        Work(emails_with_text=1, request_count=1),
        kind="ASK",
        action="MCP_REQUEST",
        integration_ref=desk.pk,
        user_ref=USER,
    )
    charge(
        acme,
        "Account brief",
        Work(web_searches=2, request_count=1),
        kind="BRIEF",
        action="API_REQUEST",
    )
    charge(
        acme,
        "Account brief",
        Work(long_calls=2, request_count=9),
        kind="BRIEF",
        action="MANUAL",
        is_free=True,
    )

    assert report(acme) == HEADERS + (
        b"2026-10-02T08:05:04+02:00,AI Tracker,Pricing objection,Continuous,,,8.5,"
        b'"Calls: 10, Emails: 26, Web searches: 0",\r\n'
        b"2026-10-02T09:00:00+02:00,AI Tracker,Pricing objection,Backfill,,,1100.0,"
        b'"Calls: 1100, Emails: 0, Web searches: 0",\r\n'
        b'2026-10-02T10:00:00+02:00,AI Ask Anything,Ask anything,MCP request,"Sales desk, EMEA",'
        b'01993bb8-0000-7000-8000-000000000001,0.1,"Calls: 0, Emails: 1, Web searches: 0",1\r\n'
        b"2026-10-02T10:00:00+02:00,AI Briefer,Account brief,API request,,,10.0,"
        b'"Calls: 0, Emails: 0, Web searches: 2",1\r\n'
    )
    assert report(acme, has_free_use=True) == HEADERS + (
        b"2026-10-02T08:05:04+02:00,AI Tracker,Pricing objection,Continuous,,,8.5,"
        b'"Calls: 10, Emails: 26, Web searches: 0",\r\n'
        b"2026-10-02T09:00:00+02:00,AI Tracker,Pricing objection,Backfill,,,1100.0,"
        b'"Calls: 1100, Emails: 0, Web searches: 0",\r\n'
        b"2026-10-02T09:00:00+02:00,AI Tracker,Pricing objection,Preview,,,0.0,"
        b'"Calls: 1, Emails: 0, Web searches: 0",\r\n'
        b'2026-10-02T10:00:00+02:00,AI Ask Anything,Ask anything,MCP request,"Sales desk, EMEA",'
        b'01993bb8-0000-7000-8000-000000000001,0.1,"Calls: 0, Emails: 1, Web searches: 0",1\r\n'
        b"2026-10-02T10:00:00+02:00,AI Briefer,Account brief,API request,,,10.0,"
        b'"Calls: 0, Emails: 0, Web searches: 2",1\r\n'
        b"2026-10-02T10:00:00+02:00,AI Briefer,Account brief,Manual,,,0.0,"
        b'"Calls: 2, Emails: 0, Web searches: 0",\r\n'
    )


def test_the_offset_changes_when_clocks_go_back(acme, clock):
    people.credits_for(acme, "10")
    for hour in (0, 1):
        clock.set(datetime(2026, 10, 25, hour, 30, tzinfo=UTC))
        charge(acme)

    rows = report(acme).decode().splitlines()[1:]

    assert [row.split(",")[0] for row in rows] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
    ]


def test_a_range_is_of_whole_local_days_also_the_one_of_25_hours(acme, clock):
    people.credits_for(acme, "10")
    instants = [
        datetime(2026, 10, 24, 21, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 22, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    ]
    for instant in instants:
        clock.set(instant)
        charge(acme)

    day = date(2026, 10, 25)
    rows = report(acme, days=DayRange(day, day)).decode().splitlines()[1:]

    assert [row.split(",")[0] for row in rows] == [
        "2026-10-25T00:00:00+02:00",
        "2026-10-25T23:59:59+01:00",
    ]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=cmd()|' /C calc'!A0", b"'=cmd()|' /C calc'!A0"),
        ("+1 800", b"'+1 800"),
        ("-2+3", b"'-2+3"),
        ("@SUM(A1)", b"'@SUM(A1)"),
        ("\t=1", b"'\t=1"),
        ("\r=1", b'"\'\r=1"'),
        ('The "best" price', b'"The ""best"" price"'),
        ("a, b", b'"a, b"'),
        ("two\nlines", b'"two\nlines"'),
        ("two\r\nlines", b'"two\r\nlines"'),
        ("Übergröße 💶", "Übergröße 💶".encode()),
        ("a=b", b"a=b"),
        ("'quoted'", b"'quoted'"),
    ],
)
def test_hostile_names_are_shown_and_not_run(acme, clock, name, cell):
    people.credits_for(acme, "10")
    Integration.objects.create(company=acme, name=name, kind="API", id=USER)
    charge(acme, name, integration_ref=USER, action="API_REQUEST")

    assert report(acme) == HEADERS + (
        b"2026-10-01T02:00:00+02:00,AI Tracker," + cell + b",API request," + cell + b",,1.0,"
        b'"Calls: 1, Emails: 0, Web searches: 0",\r\n'
    )


def test_an_empty_range_is_the_headers_alone(acme):
    assert report(acme, days=DayRange(date(2020, 1, 1), date(2020, 1, 31))) == HEADERS


def test_another_company_s_use_and_integration_names_are_absent(acme, clock):
    beta = people.company("Beta")
    theirs = Integration.objects.create(company=beta, name="Beta desk", kind="API")
    people.credits_for(acme, "10")
    people.credits_for(beta, "10")
    charge(beta, "Beta's tracker", integration_ref=theirs.pk)
    charge(acme, "Ours", integration_ref=theirs.pk)

    assert report(acme) == HEADERS + (
        b"2026-10-01T02:00:00+02:00,AI Tracker,Ours,Continuous,,,1.0,"
        b'"Calls: 1, Emails: 0, Web searches: 0",\r\n'
    )


def test_a_free_use_follows_the_entry_it_came_after(acme, clock):
    """At one instant, ids alone do not tell: the free use's own id is the smallest."""
    people.credits_for(acme, "10")
    first, second, third = (uuid.UUID(int=number) for number in (3, 1, 2))
    for usage_id, name, is_free in ((first, "1", False), (second, "2", True), (third, "3", False)):
        charging.charge(
            company=acme,
            use=Use("TRACKER", name, uuid.uuid4(), "PREVIEW" if is_free else "CONTINUOUS"),
            work=Work(long_calls=1),
            rates=people.rates(),
            is_free=is_free,
            usage_id=usage_id,
        )

    rows = report(acme, has_free_use=True).decode().splitlines()[1:]

    assert [row.split(",")[2] for row in rows] == ["1", "2", "3"]


def test_the_report_adds_up_to_what_the_ledger_used(acme, clock):
    people.credits_for(acme, "1000")
    mills = Rates(
        card_id=people.rates().card_id,
        amounts={
            "EMAIL": Decimal("0.001"),
            "CALL_LONG": Decimal("0.333"),
            "CALL_SHORT": Decimal(0),
            "WEB_SEARCH": Decimal(7),
        },
    )
    for count in range(1, 8):
        work = Work(long_calls=count, emails_with_text=count * 3, web_searches=count % 2)
        held = charging.reserve(
            company=acme, amount=Decimal(50), use=Use("TRACKER", "T", None, "BACKFILL"), rates=mills
        )
        charging.capture(reservation=held, work=work, rates=mills)

    lines = report(acme).decode().splitlines()[1:]
    used = sum((Decimal(line.split(",")[6]) for line in lines), Decimal(0))

    entries = LedgerEntry.objects.filter(company=acme, kind="CONSUMED")
    assert used == Decimal("37.408")
    assert used == -sum(entry.amount for entry in entries)
    totals = CreditUsageReport(company=acme).totals(EVERYTHING)
    assert (totals.row_count, totals.credits) == (7, Decimal("37.408"))


def test_the_stock_export_gives_the_same_bytes(acme, clock):
    people.credits_for(acme, "10")
    desk = Integration.objects.create(company=acme, name="=desk", kind="API")
    clock.set(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    charge(acme, 'Hostile "name",\r\n=1', integration_ref=desk.pk)
    charge(acme, "-1", action="API_REQUEST", work=Work(short_calls=1, request_count=1))
    charge(acme, "Preview", action="PREVIEW", is_free=True)
    client = signed_in(people.alice(acme))
    url = reverse("admin:credits_usageevent_export")

    paid = client.post(url, {"format": "0", "resource": "0"})
    all_of_it = client.post(url, {"format": "0", "resource": "0", "include_free_use": "on"})

    assert paid.content == HEADERS + (
        b'2026-10-25T02:30:00+02:00,AI Tracker,"Hostile ""name"",\r\n=1",Continuous,\'=desk,,1.0,'
        b'"Calls: 1, Emails: 0, Web searches: 0",\r\n'
        b"2026-10-25T02:30:00+02:00,AI Tracker,'-1,API request,,,0.5,"
        b'"Calls: 1, Emails: 0, Web searches: 0",1\r\n'
    )
    assert paid.content == report(acme)
    assert all_of_it.content == report(acme, has_free_use=True)
    assert all_of_it.content.count(b"Preview") == 2


def test_the_stock_export_of_nothing_is_the_headers_alone(acme):
    client = signed_in(people.alice(acme))

    answer = client.post(
        reverse("admin:credits_usageevent_export"), {"format": "0", "resource": "0"}
    )

    assert answer.content == HEADERS


def test_rows_are_written_as_they_are_read_and_not_kept(acme, clock):
    gc.collect()  # Those of other tests are none of ours.

    class Counting(CreditUsageReport):
        alive = []

        def dehydrate_requests(self, event):
            self.alive.append(sum(type(found) is UsageEvent for found in gc.get_objects()))
            return event.requests

    people.credits_for(acme, "100")
    for _ in range(40):
        charge(acme)

    files.as_file(Counting(company=acme), EVERYTHING)[0].close()

    assert len(Counting.alive) == 40
    assert max(Counting.alive) <= 2
