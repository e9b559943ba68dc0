"""The page “Download credit reports”: what it shows before the file, and the file it gives."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest
from django.urls import reverse

from config.demo.clock import seeded_clock
from credits import charging
from credits.admin.reports import PRESETS
from credits.ledger import Use
from credits.rating import Work
from credits.reports.base import DayRange
from tests.support import people
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

HEADERS = (
    b"Usage time,Feature type,Feature name,Usage action,Integration,User ID,Credits used,"
    b"Usage breakdown,# of requests\r\n"
)


@pytest.fixture
def clock():
    with seeded_clock(datetime(2026, 10, 1, tzinfo=UTC)) as clock:
        yield clock


@pytest.fixture
def acme():
    return people.company()


def charge(company, *, work):
    charging.charge(
        company=company,
        use=Use("TRACKER", "Pricing objection", uuid.uuid4(), "CONTINUOUS"),
        work=work,
        rates=people.rates(),
    )


def test_the_page_shows_rows_and_credits_and_gives_the_file(acme, clock):
    people.credits_for(acme, "10")
    clock.set(datetime(2026, 10, 2, tzinfo=UTC))
    charge(acme, work=Work(long_calls=1))
    charge(acme, work=Work(emails_with_text=4))
    client = signed_in(people.alice(acme))
    choice = {
        "report": "credit-usage",
        "days": "custom",
        "first": "2026-10-02",
        "last": "2026-10-02",
        "format": "csv",
    }
    url = reverse("admin:credits_reports")

    shown = text_of(client.get(url, choice))
    file = client.get(url, choice | {"export": "1"})

    assert 'data-metric="report-rows" data-value="2"' in shown
    assert 'data-metric="report-credits" data-value="1.4"' in shown
    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert file["Content-Disposition"] == (
        f'attachment; filename="credit-usage-{acme.slug}-2026-10-02-to-2026-10-02.csv"'
    )
    assert b"".join(file) == HEADERS + (
        b"2026-10-02T02:00:00+02:00,AI Tracker,Pricing objection,Continuous,,,1.0,"
        b'"Calls: 1, Emails: 0, Web searches: 0",\r\n'
        b"2026-10-02T02:00:00+02:00,AI Tracker,Pricing objection,Continuous,,,0.4,"
        b'"Calls: 0, Emails: 4, Web searches: 0",\r\n'
    )


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        ("2026-11-01", "2026-11-05", "No usage between 1 Nov 2026 and 5 Nov 2026."),
        (
            "2026-12-05",
            "2026-12-01",
            "the first day (5 Dec 2026) is after the last day (1 Dec 2026). Swap them?",
        ),
        (
            "2026-12-05",
            "",
            "The export was not made: choose a first and a last day, or another date range.",
        ),
        ("0001-01-01", "9999-12-31", "Enter a day between the years 2000 and 2199."),
        ("soon", "later", "Enter a day as year-month-day, such as 2026-12-31."),
    ],
)
def test_a_range_without_use_or_sense_is_one_sentence(acme, first, last, sentence):
    client = signed_in(people.alice(acme))
    choice = {
        "report": "credit-usage",
        "days": "custom",
        "first": first,
        "last": last,
        "format": "csv",
    }

    answer = client.get(reverse("admin:credits_reports"), choice)

    assert answer.status_code == 200
    assert sentence in text_of(answer)


@pytest.mark.parametrize("days", ["this-month", "last-month", "last-90-days", "all"])
def test_each_preset_gives_a_file(acme, days):
    client = signed_in(people.alice(acme))
    choice = {"report": "credit-usage", "days": days, "format": "csv", "export": "1"}

    answer = client.get(reverse("admin:credits_reports"), choice)

    assert b"".join(answer) == HEADERS


def test_a_report_needs_a_company(acme):
    client = signed_in(people.vera())

    page = client.get(reverse("admin:credits_reports"))
    stock = client.get(reverse("admin:credits_usageevent_export"))

    assert "Choose a company first" in text_of(page)
    assert stock.status_code == 403


def test_presets_are_local_days():
    today = date(2026, 3, 31)

    assert {code: preset(today) for code, (_, preset) in PRESETS.items()} == {
        "this-month": DayRange(date(2026, 3, 1), date(2026, 3, 31)),
        "last-month": DayRange(date(2026, 2, 1), date(2026, 2, 28)),
        "last-90-days": DayRange(date(2025, 12, 31), date(2026, 3, 31)),
        "all": DayRange(),
    }
