"""One company's summer, its three reports written by hand, and how they reconcile (SPEC §4).

Berlin is two hours ahead of the instants below. The allocation expires on 1 August at midnight
while ten of its credits are held; the capture comes ten minutes later and takes six of them.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from billing import fulfilment, voiding
from billing.models import Purchase
from billing.reports import PurchaseHistoryReport
from config.demo.clock import seeded_clock
from credits import balances, charging, reconciliation
from credits.ledger import Use
from credits.models import CreditGrant, Integration, Source
from credits.rating import Work
from credits.reports import control
from credits.reports.balance import CreditBalanceReport
from credits.reports.base import DayRange
from credits.reports.control import Control
from credits.reports.usage import CreditUsageReport
from tests.support import pages, people, statement
from tests.support.browsing import signed_in
from tests.support.sheets import EVERYTHING, cells, written

pytestmark = pytest.mark.django_db

JULY = DayRange(date(2026, 7, 1), date(2026, 7, 31))
AUGUST = DayRange(date(2026, 8, 1), date(2026, 8, 31))
TRACKER = uuid.UUID("01993bb8-0000-7000-8000-00000000000a")
PERSON = uuid.UUID("01993bb8-0000-7000-8000-000000000001")

USAGE_HEADERS = (
    "Usage time,Feature type,Feature name,Usage action,Integration,User ID,Credits used,"
    "Usage breakdown,# of requests\r\n"
)
USAGE_OF_JULY = (
    "2026-07-10T11:30:15+02:00,AI Tracker,Pricing objection,Continuous,,,21.0,"
    '"Calls: 20, Emails: 10, Web searches: 0",\r\n'
    "2026-07-10T12:00:00+02:00,AI Tracker,Pricing objection,Continuous,,,0.4,"
    '"Calls: 0, Emails: 4, Web searches: 0",\r\n'
    "2026-07-20T14:00:00+02:00,AI Ask Anything,Ask anything,MCP request,Sales desk,"
    '01993bb8-0000-7000-8000-000000000001,2.5,"Calls: 5, Emails: 0, Web searches: 0",1\r\n'
)
USAGE_OF_AUGUST = (
    "2026-08-01T00:10:00+02:00,AI Tracker,Pricing objection,Backfill,,,6.0,"
    '"Calls: 6, Emails: 0, Web searches: 0",\r\n'
    "2026-08-05T10:00:00+02:00,AI Briefer,Account brief,API request,,,3.0,"
    '"Calls: 3, Emails: 0, Web searches: 0",2\r\n'
)
BALANCE_HEADERS = (
    "Action date,Action,Method,# of credits,Total credits before,Total credits after\r\n"
)
BALANCE_OF_JULY = (
    "2026-07-01,Adding credits,Added,100.0,0.0,100.0\r\n"
    "2026-07-02,Adding credits,Added,50.5,100.0,150.5\r\n"
    "2026-07-10,Consuming credits,Used,21.0,150.5,129.5\r\n"
    "2026-07-10,Consuming credits,Used,0.4,129.5,129.1\r\n"
    "2026-07-20,Consuming credits,Used,2.5,129.1,126.6\r\n"
)
BALANCE_OF_AUGUST = (
    "2026-08-01,Expiring credits,Expired,66.1,126.6,60.5\r\n"
    "2026-08-01,Consuming credits,Used,6.0,60.5,54.5\r\n"
    "2026-08-01,Expiring credits,Expired,4.0,54.5,50.5\r\n"
    "2026-08-05,Consuming credits,Used,3.0,50.5,47.5\r\n"
)
PURCHASES = (
    "Purchase time,# of credits,Availability start date,Expiration date,Remaining credits\r\n"
    "2026-07-02T10:00:00+02:00,50.5,2026-07-01,2027-06-30,47.5\r\n"
    "2026-08-06T09:00:00+02:00,1000.0,2026-09-01,2027-08-31,0.0\r\n"
)


def utc(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


def local(text: str) -> datetime:
    """A cell's time, which has no zone of its own."""
    return datetime.fromisoformat(text)


@pytest.fixture
def acme():
    with seeded_clock(utc(6, 30, 22)) as clock:
        company, vera = people.company(), people.vera()
        people.credits_for(company, "100", source=Source.ALLOCATION, expires_at=utc(7, 31, 22))
        clock.set(utc(7, 2, 8))
        buy(company, vera, clock, "50.5", date(2026, 7, 1), date(2027, 6, 30))
        clock.set(utc(7, 10, 9, 30, 15))
        charge(company, "CONTINUOUS", Work(long_calls=20, emails_with_text=10))
        clock.set(utc(7, 10, 10))
        charge(company, "CONTINUOUS", Work(emails_with_text=4))
        charge(company, "PREVIEW", Work(long_calls=9), is_free=True)
        clock.set(utc(7, 20, 12))
        desk = Integration.objects.create(company=company, name="Sales desk", kind="MCP")
        use = Use("ASK", "Ask anything", None, "MCP_REQUEST", desk.pk, user_ref=PERSON)
        spend(company, use, Work(short_calls=5, request_count=1))
        clock.set(utc(7, 31, 21, 30))
        use = Use("TRACKER", "Pricing objection", TRACKER, "BACKFILL")
        held = charging.reserve(
            company=company,
            amount=Decimal(10),
            use=use,
            rates=people.rates(),
            lease=timedelta(minutes=60),
        )
        clock.set(utc(7, 31, 22, 10))
        charging.capture(reservation=held, work=Work(long_calls=6), rates=people.rates())
        clock.set(utc(8, 5, 8))
        use = Use("BRIEF", "Account brief", None, "API_REQUEST")
        spend(company, use, Work(long_calls=3, request_count=2))
        clock.set(utc(8, 6, 7))
        buy(company, vera, clock, "1000", date(2026, 9, 1), date(2027, 8, 31))
        yield company


def buy(company, by, clock, amount, starts_on, ends_on):
    fulfilment.record(
        company=company,
        amount=Decimal(amount),
        by=by,
        starts_on=starts_on,
        ends_on=ends_on,
        now=clock.instant,
    )


def charge(company, action, work, *, is_free=False):
    use = Use("TRACKER", "Pricing objection", TRACKER, action)
    spend(company, use, work, is_free=is_free)


def spend(company, use, work, *, is_free=False):
    charging.charge(company=company, use=use, work=work, rates=people.rates(), is_free=is_free)


def test_the_three_reports_are_the_files_written_by_hand(acme):
    usage, balance = CreditUsageReport(company=acme), CreditBalanceReport(company=acme)

    assert written(usage).decode() == USAGE_HEADERS + USAGE_OF_JULY + USAGE_OF_AUGUST
    assert written(usage, JULY).decode() == USAGE_HEADERS + USAGE_OF_JULY
    assert written(usage, AUGUST).decode() == USAGE_HEADERS + USAGE_OF_AUGUST
    assert written(balance).decode() == BALANCE_HEADERS + BALANCE_OF_JULY + BALANCE_OF_AUGUST
    assert written(balance, JULY).decode() == BALANCE_HEADERS + BALANCE_OF_JULY
    assert written(balance, AUGUST).decode() == BALANCE_HEADERS + BALANCE_OF_AUGUST
    assert written(PurchaseHistoryReport(company=acme)).decode() == PURCHASES
    # No scans stand behind the trackers' use here, and no seats behind the allocation.
    others = [breach for breach in reconciliation.check() if breach.invariant != "I9"]
    assert {breach.detail for breach in others} == {"was allocated, and no allocation brought it"}


def test_one_row_per_tracker_and_day_adds_up_to_the_same(acme):
    daily = written(CreditUsageReport(company=acme, is_daily=True)).decode()

    assert daily == USAGE_HEADERS + (
        "2026-07-10T00:00:00+02:00,AI Tracker,Pricing objection,Continuous,,,21.4,"
        '"Calls: 20, Emails: 14, Web searches: 0",\r\n'
        "2026-07-20T00:00:00+02:00,AI Ask Anything,Ask anything,MCP request,Sales desk,"
        '01993bb8-0000-7000-8000-000000000001,2.5,"Calls: 5, Emails: 0, Web searches: 0",1\r\n'
        "2026-08-01T00:00:00+02:00,AI Tracker,Pricing objection,Backfill,,,6.0,"
        '"Calls: 6, Emails: 0, Web searches: 0",\r\n'
        "2026-08-05T00:00:00+02:00,AI Briefer,Account brief,API request,,,3.0,"
        '"Calls: 3, Emails: 0, Web searches: 0",2\r\n'
    )
    totals = CreditUsageReport(company=acme, is_daily=True).totals(EVERYTHING)
    assert (totals.row_count, totals.credits) == (4, Decimal("32.9"))


def test_a_month_s_figures_reconcile_by_hand(acme):
    balances.now(company=acme)
    july, august = (control.of(company=acme, days=days) for days in (JULY, AUGUST))

    assert july == Control(
        sequence=9,
        opening=Decimal(0),
        added=Decimal("150.5"),
        used=Decimal("23.9"),
        expired=Decimal(0),
        corrected=Decimal(0),
        closing=Decimal("126.6"),
        usage=Decimal("23.9"),
        broken_links=0,
        granted_remaining=Decimal("47.5"),
        remaining=Decimal("47.5"),
    )
    assert august == Control(
        sequence=9,
        opening=Decimal("126.6"),
        added=Decimal(0),
        used=Decimal("9"),
        expired=Decimal("70.1"),
        corrected=Decimal(0),
        closing=Decimal("47.5"),
        usage=Decimal("9"),
        broken_links=0,
        granted_remaining=Decimal("47.5"),
        remaining=Decimal("47.5"),
    )
    assert july.is_balanced
    assert august.is_balanced


def test_the_json_has_the_same_cells_keyed_by_header(acme):
    found = json.loads(written(CreditBalanceReport(company=acme), JULY, file_format="json"))

    assert len(found) == 5
    assert found[2] == {
        "Action date": "2026-07-10",
        "Action": "Consuming credits",
        "Method": "Used",
        "# of credits": "21.0",
        "Total credits before": "150.5",
        "Total credits after": "129.5",
    }


def test_the_workbook_has_numbers_dates_and_its_control_sheet(acme):
    usage = written(CreditUsageReport(company=acme), JULY, file_format="xlsx")
    purchases = written(PurchaseHistoryReport(company=acme), file_format="xlsx")

    assert cells(usage, "Credit usage")[0] == USAGE_HEADERS.strip().split(",")
    assert cells(usage, "Credit usage")[3] == [
        local("2026-07-20T14:00:00"),
        "AI Ask Anything",
        "Ask anything",
        "MCP request",
        "Sales desk",
        "01993bb8-0000-7000-8000-000000000001",
        2.5,
        "Calls: 5, Emails: 0, Web searches: 0",
        1,
    ]
    assert cells(purchases, "Purchase history")[1] == [
        local("2026-07-02T10:00:00"),
        50.5,
        local("2026-07-01"),
        local("2027-06-30"),
        47.5,
    ]
    assert [tuple(row) for row in cells(usage, "Control")] == [
        ("Figure", "Value", "Check"),
        ("Report", "Credit usage", None),
        ("Company", "Acme", None),
        ("First day", local("2026-07-01"), None),
        ("Last day", local("2026-07-31"), None),
        ("Time zone of all days and times", "Europe/Berlin", None),
        ("Rows", 3, None),
        ("Ledger entries up to", "#9", None),
        ("Opening balance", 0, None),
        ("+ added", 150.5, None),
        ("− used", 23.9, None),
        ("− expired", 0, None),
        ("± corrected", 0, None),
        ("= closing balance", 126.6, "agrees"),
        ("Credits used by the usage report", 23.9, None),
        ("Credits Used by the balance report", 23.9, "agrees"),
        (
            "Rows of the balance report that do not begin with what the row above left",
            0,
            "agrees",
        ),
        ("Remaining credits of all grants, now", 47.5, None),
        ("Remaining credits on the credits page, now", 47.5, "agrees"),
    ]


def test_the_page_states_the_identity_before_the_download(acme):
    choice = {"report": "credit-balance", "days": "custom", "format": "xlsx"}
    days = {"first": "2026-08-01", "last": "2026-08-31"}

    page = pages.read(
        signed_in(people.alice(acme)).get(reverse("admin:credits_reports"), choice | days)
    )

    figures = {
        name: page.figure(f"control-{name}")
        for name in ("opening", "added", "used", "expired", "corrected", "closing", "usage")
    }
    assert figures == {
        "opening": "126.6",
        "added": "0.0",
        "used": "9.0",
        "expired": "70.1",
        "corrected": "0.0",
        "closing": "47.5",
        "usage": "9.0",
    }
    assert page.figure("report-rows") == "4"
    assert page.figure("report-credits") == "-79.1"
    assert page.figure("control-granted-remaining") == "47.5"
    assert page.figure("control-remaining") == "47.5"
    assert page.all(data_status="balanced")


def test_an_empty_purchase_history_says_so(acme):
    choice = {"report": "purchase-history", "days": "custom", "format": "csv"}
    days = {"first": "2026-06-01", "last": "2026-06-30"}
    client = signed_in(people.alice(acme))

    page = pages.read(client.get(reverse("admin:credits_reports"), choice | days))
    file = client.get(reverse("admin:credits_reports"), choice | days | {"export": "1"})

    assert "No purchases between 1 Jun 2026 and 30 Jun 2026." in page.text
    assert b"".join(file).decode() == PURCHASES.splitlines(keepends=True)[0]


def test_what_is_left_of_purchases_and_other_grants_is_the_balance(acme):
    lines = written(PurchaseHistoryReport(company=acme)).decode().splitlines()[1:]
    purchased = sum(Decimal(line.rpartition(",")[2]) for line in lines)
    others = CreditGrant.objects.filter(company=acme).exclude(source=Source.PURCHASE)

    rest = sum(grant.remaining for grant in others)

    assert (purchased, rest) == (Decimal("47.5"), Decimal(0))
    assert balances.now(company=acme).remaining == purchased + rest


STOCK = {
    "credits_usageevent_export": CreditUsageReport,
    "credits_ledgerentry_export": CreditBalanceReport,
    "billing_purchase_export": PurchaseHistoryReport,
}


@pytest.mark.parametrize("url_name", STOCK)
def test_the_stock_export_page_gives_the_same_bytes(acme, url_name):
    client, report = signed_in(people.alice(acme)), STOCK[url_name]
    url = reverse(f"admin:{url_name}")

    assert client.get(url).status_code == 200
    for place, file_format in enumerate(["csv", "json", "xlsx"]):
        answer = client.post(url, {"format": str(place), "resource": "0"})

        assert answer.content == written(report(company=acme), file_format=file_format)
        assert answer["Content-Disposition"] == (
            f'attachment; filename="{report.slug}-{acme.slug}.{file_format}"'
        )


def test_the_stock_export_sums_days_up_as_the_page_does(acme):
    client = signed_in(people.alice(acme))

    answer = client.post(
        reverse("admin:credits_usageevent_export"),
        {"format": "0", "resource": "0", "is_daily": "on"},
    )

    assert answer.content == written(CreditUsageReport(company=acme, is_daily=True))


def test_a_filtered_list_s_workbook_does_not_claim_to_add_up(acme):
    client = signed_in(people.alice(acme))
    url = reverse("admin:credits_ledgerentry_export") + "?kind__exact=EXPIRED"

    book = client.post(url, {"format": "2", "resource": "0"}).content

    assert [row[3] for row in cells(book, "Credit balance")] == ["# of credits", 66.1, 4]
    assert cells(book, "Control")[-1][1] == (
        "These rows were filtered in a list, so they need not add up to the balance."
    )


def test_the_rows_counted_before_a_download_leave_free_use_out(acme):
    paid = CreditUsageReport(company=acme).totals(EVERYTHING)
    with_free = CreditUsageReport(company=acme, has_free_use=True).totals(EVERYTHING)
    daily = CreditUsageReport(company=acme, is_daily=True, has_free_use=True).totals(EVERYTHING)

    assert (paid.row_count, paid.credits) == (5, Decimal("32.9"))
    assert (with_free.row_count, with_free.credits) == (6, Decimal("32.9"))
    assert daily.row_count == 5


def test_a_voided_purchase_is_in_the_file_with_nothing_remaining_though_some_is_held(acme):
    """Both paths: 10 credits are held when 37.5 of the 47.5 that remain are taken back."""
    statement.reserve(acme, "10")
    purchase = Purchase.objects.get(number=1)
    voiding.void(purchase=purchase, by=people.vera(), reason="Ordered twice", now=utc(8, 6, 7))
    report = PurchaseHistoryReport(company=acme)

    stock = report.export(Purchase.objects.filter(company=acme)).csv

    purchase.refresh_from_db()
    assert purchase.grant.remaining == 10
    assert written(report).decode() == PURCHASES.replace("2027-06-30,47.5", "2027-06-30,0.0")
    assert stock == written(report).decode()
    assert report.totals(EVERYTHING).row_count == 2
