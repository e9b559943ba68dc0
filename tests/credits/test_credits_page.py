"""The credits page as each person sees it: figures, banners, and nobody else's rows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.demo.clock import seeded_clock
from credits import charging, shown
from credits.admin.overview import comparison
from credits.ledger import Use
from credits.models import Source
from credits.rating import Work
from tests.support import conversations, pages, people
from tests.support.conversations import record

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
QUERIES_MAX = 12


@pytest.fixture
def clock(db):
    with seeded_clock(NOON) as clock:
        yield clock


def charge(company, name: str = "Pricing objection", **work: int) -> None:
    use = Use("TRACKER", name, uuid.uuid4(), "CONTINUOUS")
    charging.charge(company=company, use=use, work=Work(**work), rates=people.rates())


def page_for(client, user) -> pages.Page:
    client.force_login(user)
    answer = client.get("/admin/credits/")
    assert answer.status_code == 200
    return pages.read(answer)


def test_every_figure_is_there_exactly(client, clock):
    acme = people.company("Acme")
    people.credits_for(acme, "1000", expires_at=NOON + people.days(20.5))
    clock.set(NOON - people.days(40) + people.days(80))
    people.credits_for(acme, "1234.5", expires_at=clock() + people.days(40))
    charge(acme, long_calls=2)
    clock.advance(people.days(31))
    charge(acme, long_calls=1, emails_with_text=5)
    charge(acme, "Competitors", short_calls=1)
    rates = people.rates()
    use = Use("TRACKER", "Competitors", uuid.uuid4(), "BACKFILL")
    charging.reserve(company=acme, amount=Decimal("0.125"), use=use, rates=rates)

    page = page_for(client, people.alice(acme))

    assert {
        metric: page.figure(metric)
        for metric in (
            "remaining",
            "total",
            "reserved",
            "available",
            "used-30-days",
            "used-previous-30-days",
            "next-expiry",
            "waiting",
            "sequence",
        )
    } == {
        "remaining": "1230.5",
        "total": "1234.5",
        "reserved": "0.125",
        "available": "1230.375",
        "used-30-days": "2.0",
        "used-previous-30-days": "2.0",
        "next-expiry": "1230.5",
        "waiting": "0.0",
        "sequence": "6",
    }
    assert "Remaining 1,230.5 of 1,234.5" in page.text
    assert "as in the 30 days before (2.0)" in page.text
    assert "as of 20 Jan 2027 13:00 CET · ledger #6" in page.text
    assert page.figure("used-by", data_feature="Pricing objection") == "1.5"
    assert page.figure("used-by", data_feature="Competitors") == "0.5"
    assert "Pricing objection 1.5 75 % new 1 5 –" in page.text
    assert page.figure("used-on", data_day="2027-01-20") == "2.0"
    assert page.figure("used-on", data_day="2027-01-19") == "0.0"
    assert len(page.all(data_metric="used-on")) == 90
    assert len(page.all(data_status="active")) == 1
    assert len(page.all(data_status="expired")) == 1


def test_a_grant_shows_its_first_and_last_day_in_the_company_s_zone(client, clock):
    acme = people.company("Acme", time_zone="America/New_York")
    midnight = datetime(2026, 12, 1, 5, tzinfo=UTC)
    people.credits_for(acme, "5", effective_at=midnight, expires_at=midnight + people.days(31))

    page = page_for(client, people.bob(acme))

    assert "Adjustment Scheduled 5.0 from 1 Dec 2026 5.0 1 Dec 2026 – 31 Dec 2026" in page.text
    assert len(page.all(data_status="scheduled")) == 1


def test_only_those_who_may_see_the_ledger_see_its_last_entries(client, clock):
    acme = people.company("Acme")
    for amount in range(1, 11):
        people.credits_for(acme, str(amount))

    for bob in (people.bob(acme), people.alice(acme)):
        page = page_for(client, bob)
        assert [row["data-entry"] for row in page.elements if "data-entry" in row] == [
            "10",
            "9",
            "8",
            "7",
            "6",
            "5",
            "4",
            "3",
        ]
    page = page_for(client, people.vic(acme))
    assert [row for row in page.elements if "data-entry" in row] == []
    assert "Last ledger entries" not in page.text
    assert page.figure("remaining") == "55.0"


def test_only_vendor_staff_are_offered_to_grant(client, clock):
    acme = people.company("Acme")
    people.credits_for(acme, "5")
    audrey, vera = people.audrey(), people.vera()

    for user in (people.alice(acme), people.bob(acme), people.vic(acme), audrey):
        client.force_login(user)
        client.post("/admin/company/", {"company": acme.pk})
        assert "Grant credits" not in page_for(client, user).text

    grant_url = shown.page_address("admin:credits_creditgrant_add")
    client.force_login(vera)
    client.post("/admin/company/", {"company": acme.pk})
    page = pages.read(client.get("/admin/credits/"))
    assert ("Grant credits" in page.text) == (grant_url is not None)
    assert page.figure("remaining") == "5.0"


def test_nothing_of_another_company_is_on_the_page(client, clock):
    acme, globex = people.company("Acme"), people.company("Canary Corp")
    people.credits_for(acme, "1")
    people.credits_for(globex, "77.777", source=Source.INTRODUCTORY)
    charge(globex, "Canary tracker", long_calls=7)
    charge(acme, "Own tracker", emails_with_text=1)

    answer_page = page_for(client, people.alice(acme))
    html = client.get("/admin/credits/").content.decode()

    assert "Own tracker" in answer_page.text
    assert "Canary" not in html
    assert "77.777" not in html
    assert "70.777" not in html
    assert globex.slug not in html


def test_an_empty_company_is_told_the_next_step(client, clock):
    acme = people.company("Acme")

    page = page_for(client, people.alice(acme))

    assert len(page.all(data_status="no-credits")) == 1
    assert "There are no credits yet. Ask your provider for credits." in page.text
    assert "No credits were granted yet." in page.text
    assert "No credits were used since 12 Oct 2026." in page.text
    assert "The ledger is empty: the first grant writes its first entry." in page.text
    assert page.figure("remaining") == "0.0"
    assert page.figure("next-expiry") == "0.0"


def test_credits_used_up_say_what_happens_now(client, clock):
    acme = people.company("Acme")
    people.credits_for(acme, "1")
    charge(acme, long_calls=1)

    page = page_for(client, people.vic(acme))

    assert len(page.all(tag="div", data_status="used-up")) == 1
    assert (
        "Credits are used up. New conversations wait; nothing is lost. Results you already have "
        "stay visible and free. Ask your provider for credits."
    ) in page.text


def test_credits_all_held_are_not_called_used_up(client, clock):
    acme = people.company("Acme")
    people.credits_for(acme, "1.5")
    people.credits_for(acme, "40", effective_at=NOON + people.days(3))
    use = Use("TRACKER", "Pricing objection", uuid.uuid4(), "BACKFILL")
    charging.reserve(company=acme, amount=Decimal("1.5"), use=use, rates=people.rates())

    page = page_for(client, people.bob(acme))

    assert len(page.all(data_status="all-held")) == 1
    assert "All 1.5 credits left are held for work under way." in page.text
    assert "40.0 more are scheduled, see below." in page.text


def test_work_that_waits_is_counted_and_priced(client, db):
    acme = people.company("Acme")
    alice = people.alice(acme)
    now = datetime.now(UTC)
    tracker = conversations.published(
        acme, alice, include_emails=True, now=now - timedelta(hours=2)
    )
    conversations.ingest(
        acme,
        record("call", started_at=now - timedelta(hours=1)),
        record("mail", started_at=now - timedelta(hours=1), kind="email", duration_seconds=0),
        now=now,
    )
    from trackers import scanning

    while scanning.run_batch(
        version_id=tracker.version_in_force.pk, backfill_id=None, clock=lambda: now
    ):
        pass

    page = page_for(client, alice)

    assert page.figure("waiting") == "0.6"
    assert page.figure("waiting-by") == "0.6"
    assert len(page.all(data_status="waiting")) == 1
    assert (
        "1 call and 1 e-mail wait for credits: 0.6 are needed and 0.0 are available. "
        "Nothing is lost"
    ) in page.text


def test_an_untrusted_name_stays_text(client, clock):
    acme = people.company("Acme")
    acme.name = "<b>Acme</b>"
    acme.save()
    people.credits_for(acme, "5")
    charge(acme, "<script>alert(1)</script>", long_calls=1)

    client.force_login(people.alice(acme))
    html = client.get("/admin/credits/").content.decode()

    assert "<script>alert(1)" not in html
    assert "<b>Acme" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_page_asks_few_questions_however_many_rows_there_are(client, clock):
    acme = people.company("Acme")
    people.credits_for(acme, "1")
    charge(acme, emails_with_text=1)
    client.force_login(people.alice(acme))
    client.get("/admin/credits/")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/credits/")
    for number in range(30):
        people.credits_for(acme, "1", effective_at=NOON + people.days(number % 3))
        charge(acme, f"Tracker {number % 15}", emails_with_text=1)
        clock.advance(timedelta(minutes=7))

    with CaptureQueriesContext(connection) as many:
        client.get("/admin/credits/")

    assert len(many) == len(few) <= QUERIES_MAX


def test_it_asks_as_few_with_a_transaction_of_its_own(client, committed):
    acme = people.company("Acme")
    people.credits_for(acme, "1")
    charge(acme, emails_with_text=1)
    client.force_login(people.alice(acme))
    # Each of the first readers adds a month of closed days up for the next.
    for _ in range(3):
        client.get("/admin/credits/")

    with CaptureQueriesContext(connection) as asked:
        client.get("/admin/credits/")

    assert len(asked) <= QUERIES_MAX
    assert [one["sql"] for one in asked if one["sql"] in ("BEGIN", "COMMIT")] == ["BEGIN", "COMMIT"]


def test_the_page_is_a_reading_not_an_act(client, clock):
    acme = people.company("Acme")
    client.force_login(people.alice(acme))

    assert client.post("/admin/credits/").status_code == 405
    assert "no-store" in client.get("/admin/credits/")["Cache-Control"]


@pytest.mark.parametrize(
    ("total", "previous", "words"),
    [
        ("112", "100", "▲ 12 % against the 30 days before"),
        ("0", "100", "▼ 100 % against the 30 days before"),
        ("100.4", "100", "as in the 30 days before"),
        ("101.5", "100", "▲ 2 % against the 30 days before"),
        ("5", "0", "none in the 30 days before"),
    ],
)
def test_use_is_put_against_the_month_before_in_words(total, previous, words):
    assert comparison(Decimal(total), Decimal(previous)) == words


def test_a_page_that_does_not_exist_here_has_no_address():
    assert shown.page_address("admin:no_such_page") is None
    assert shown.page_address("admin:credits_page") == reverse("admin:credits_page")
