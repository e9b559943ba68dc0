"""The vendor's page of one company: how it stands, and every act there is on it (UX §2.3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing import allocations, closing, company_page, fulfilment, purchases
from credits import audit, charging, grants, reconciliation
from credits.audit import Action
from credits.ledger import Use
from credits.models import Membership
from credits.rating import Work
from tests.support import contracts, pages, people, statement
from tests.support.browsing import signed_in
from tests.support.contracts import NOW


def page_of(company) -> str:
    return reverse("admin:credits_company_change", args=[company.pk])


@pytest.fixture
def busy(acme, clock, vera):
    """Ten seats now, twelve from April, this month's credits, an order and a request."""
    kind = contracts.seated(acme, "2026-03-01", 10)
    contracts.count(kind, 12, "2026-04-01", by=vera)
    allocations.run(company=acme, now=clock())
    contracts.fulfilled(acme, vera, "5000", order_reference="PO-7")
    contracts.requested(acme, people.bob(acme), "7000")
    people.credits_for(acme, "300", effective_at=datetime(2026, 4, 10, tzinfo=UTC))
    statement.charge(acme, "120.5")
    statement.reserve(acme, "300")
    return acme


def of(company, clock) -> company_page.CompanyPage:
    return company_page.of(company=company, now=clock())


def test_the_figures_are_those_of_the_ledger(busy, clock):
    page = of(busy, clock)

    assert (page.remaining, page.reserved, page.available) == (
        Decimal("24879.5"),
        Decimal(300),
        Decimal("24579.5"),
    )
    assert page.total == Decimal(25000)
    assert page.used == Decimal("120.5")
    assert (page.scheduled, page.scheduled_count) == (Decimal(300), 1)
    assert page.next_expiry == company_page.Expiry(
        Decimal("19879.5"), datetime(2026, 4, 1, tzinfo=UTC)
    )
    assert sum(one.grant.remaining for one in page.grants) == page.remaining
    assert reconciliation.check() == []


def test_the_next_allocations_say_what_is_issued_when_and_how_much(busy, clock):
    page = of(busy, clock)

    assert [(one.starts_on, one.ends_on, one.issue_at, one.amount) for one in page.ahead] == [
        (date(2026, 4, 1), date(2026, 4, 30), at("2026-03-29"), Decimal(24000)),
        (date(2026, 5, 1), date(2026, 5, 31), at("2026-04-28"), Decimal(24000)),
        (date(2026, 6, 1), date(2026, 6, 30), at("2026-05-29"), Decimal(24000)),
    ]
    assert {one.computation for one in page.ahead} == {"12 Seat × 2,000.0"}
    assert [(count.count, count.effective_on) for count in page.seats_planned] == [
        (12, date(2026, 4, 1))
    ]
    assert [line.seats for line in page.seat_lines] == [10]


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def test_what_is_said_to_come_is_what_comes(busy, clock):
    said = of(busy, clock).ahead[0]

    clock.set(said.issue_at)
    (written,) = allocations.run(company=busy, now=clock())
    issued = of(busy, clock).ahead[0]

    assert (written.starts_at, written.ends_at, written.amount) == (
        *(said.starts_at, said.ends_at, said.amount),
    )
    assert issued.allocation == written
    assert (issued.number, issued.amount, issued.computation) == (
        *(said.number, said.amount, said.computation),
    )


def test_after_the_contract_s_end_nothing_comes(acme, clock, vera):
    contracts.seated(acme, "2026-03-01", 10, ends_on=date(2026, 4, 15))
    allocations.run(company=acme, now=clock())

    assert [one.starts_on for one in of(acme, clock).ahead] == [date(2026, 4, 1)]


def test_a_closed_company_says_what_was_taken_back(busy, clock, vera):
    grant = people.credits_for(busy, "50")
    grants.void(grant=grant, by=vera, reason="Granted by mistake")
    closed = closing.close(company=busy, by=vera, reason="The contract has ended", now=NOW)

    page = of(closed, clock)

    assert page.closing == company_page.Closing(
        voided=Decimal("24879.5"), cancelled=Decimal(300), cancelled_count=1
    )
    assert (page.remaining, page.ahead) == (Decimal(0), ())


# The page itself, on the wall clock: it is asked for by requests.


@pytest.fixture
def shop(db):
    """A company with a running year, an order and use."""
    company = people.company("Shop", time_zone="UTC")
    today = timezone.now().date()
    contracts.seated(company, (today - timedelta(days=9)).isoformat(), 10, period="YEAR")
    allocations.run(company=company, now=timezone.now())
    fulfilment.record(
        company=company,
        amount=Decimal(500),
        by=people.vera(),
        starts_on=today,
        ends_on=today + timedelta(days=364),
        now=timezone.now(),
        order_reference="PO-7",
    )
    use(company)
    return company


def use(company, count: int = 1) -> None:
    for _ in range(count):
        charging.charge(
            company=company,
            use=Use("ASK", "Ask anything", None, "API_REQUEST"),
            work=Work(long_calls=1, request_count=1),
            rates=people.rates(),
        )


def test_every_figure_can_be_read_by_a_script(shop):
    page = pages.read(signed_in(people.vera(), shop).get(page_of(shop)))

    figures = {
        "remaining": "20499.0",
        "total": "20500.0",
        "reserved": "0.0",
        "available": "20499.0",
        "used-30-days": "1.0",
        "scheduled": "0.0",
        "scheduled-grants": "0",
        "next-expiry": "19999.0",
        "seats": "10",
        "purchases": "1",
        "purchases-open": "0",
        "purchase-amount": "500.0",
        "purchase-remaining": "500.0",
        "allocation-amount": "20000.0",
    }
    assert {name: page.figure(name) for name in figures} == figures
    ahead = [one["data-value"] for one in page.all(data_metric="allocation-ahead")]
    assert ahead == ["20000.0"] * 3


def test_the_timeline_has_a_bar_for_each_grant_named_by_its_caption(shop):
    page = pages.read(signed_in(people.vera(), shop).get(page_of(shop)))

    (drawing,) = page.all(tag="svg", role="group")
    assert drawing["aria-labelledby"] == "timeline-caption"
    assert "20,499.0 credits are left on 2 grants; the next to end has 19,999.0" in page.text
    bars = page.all(tag="g", role="img")
    assert [bar["data-value"] for bar in bars] == ["19999.0", "500.0"]
    assert bars[1]["aria-label"].startswith("Purchase, active: ")
    assert bars[1]["aria-label"].endswith(", 500.0 of 500.0 left")


def test_the_same_grants_can_be_had_as_a_table(shop):
    page = pages.read(signed_in(people.vera(), shop).get(page_of(shop) + "?view=table"))

    assert page.all(tag="svg", role="group") == []
    assert [one["data-value"] for one in page.all(data_metric="grant-left")] == ["19999.0", "500.0"]


BUTTONS = [
    "Record purchase",
    "Grant credits",
    "Adjust credits",
    "Record seats",
    "Change the time zone",
    "Close the company",
]


def offered(answer) -> list[str]:
    return [button.label for button in answer.context["buttons"]]


def test_staff_are_offered_the_acts_and_auditors_none(shop):
    staff, auditor = signed_in(people.vera()), signed_in(people.audrey())

    assert offered(staff.get(page_of(shop))) == BUTTONS
    assert offered(auditor.get(page_of(shop))) == []


@pytest.mark.parametrize("current", ["all", "this"])
@pytest.mark.parametrize("label", BUTTONS)
def test_each_button_leads_to_its_act_in_this_company(shop, current, label):
    vera = people.vera()
    client = signed_in(vera, shop if current == "this" else None)
    (button,) = [one for one in client.get(page_of(shop)).context["buttons"] if one.label == label]

    if button.is_here:
        opened = client.get(button.url)
    else:
        choice = {"company": shop.pk, "next": button.url}
        opened = client.post(reverse("admin:choose_company"), choice, follow=True)

    assert opened.status_code == 200
    assert opened.request["PATH_INFO"] == button.url
    assert "Shop" in opened.content.decode()


def test_in_another_company_the_page_shows_nothing_but_the_way_to_it(shop):
    client = signed_in(people.vera(), people.company("Other"))

    before = client.get(page_of(shop))
    choice = {"company": shop.pk, "next": page_of(shop)}
    after = client.post(reverse("admin:choose_company"), choice, follow=True)

    assert pages.read(before).all(data_status="elsewhere")
    assert pages.read(before).all(data_metric="remaining") == []
    assert pages.read(after).figure("remaining") == "20499.0"


@pytest.mark.parametrize("onward", ["https://evil.example/", "//evil.example/", "javascript:x", ""])
def test_choosing_a_company_leads_to_no_other_site(shop, onward):
    client = signed_in(people.vera())

    answer = client.post(reverse("admin:choose_company"), {"company": shop.pk, "next": onward})

    assert answer["Location"] == reverse("admin:credits_page")


def test_a_closed_company_s_page_says_when_by_whom_why_and_offers_no_act(shop):
    vera = people.vera()
    closing.close(company=shop, by=vera, reason="The contract has ended", now=timezone.now())

    answer = signed_in(vera, shop).get(page_of(shop))

    page = pages.read(answer)
    assert page.all(data_status="company-closed")
    assert f"by {vera.email}: The contract has ended" in page.text
    assert page.figure("voided") == "20499.0"
    assert offered(answer) == []
    assert "None: the company is closed." in page.text
    assert page.all(name="name") == page.all(name="_save") == []
    assert not [link for link in page.links() if link.endswith(("/zone/", "/close/"))]


def test_a_company_without_anything_says_what_is_missing(db):
    empty = people.company("Empty")

    page = pages.read(signed_in(people.vera(), empty).get(page_of(empty)))

    for sentence in (
        "No credits were granted yet.",
        "No contract yet",
        "None: there is no contract.",
        "Nothing was requested or bought yet.",
        "Nobody has done anything here yet.",
    ):
        assert sentence in page.text


def test_the_last_acts_are_those_of_this_company(shop):
    other = people.company("Other")
    vera = people.vera()
    audit.record(
        action=Action.CHANGED, by=vera, company=other, subject=other, before={"name": "Rival"}
    )

    page = pages.read(signed_in(vera).get(page_of(shop)))

    assert "Fulfilled purchase #1" in page.text
    assert "Other" not in page.text.split("Last acts")[1].split()


def queries_of(client, company) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(page_of(company))
    assert answer.status_code == 200
    return len(captured)


def test_the_number_of_queries_does_not_grow_with_the_company(shop):
    vera = people.vera()
    client = signed_in(vera)
    before = queries_of(client, shop)

    kind = shop.seat_types.get()
    day = timezone.now().date()
    for number in range(12):
        contracts.count(kind, 20 + number, (day + timedelta(days=number + 1)).isoformat(), by=vera)
        people.credits_for(shop, "5")
        purchases.request(company=shop, amount=Decimal(7), by=vera, now=timezone.now())
    use(shop, 10)

    assert queries_of(client, shop) == before
    assert before <= 40


def test_people_who_have_not_signed_in_can_be_invited_again(shop):
    people.newcomer(shop)

    page = pages.read(signed_in(people.vera()).get(page_of(shop)))

    member = Membership.objects.get(company=shop, user__last_login=None, user__name="Dana")
    again = reverse("admin:credits_company_invite", args=[shop.pk, member.pk])
    assert page.all(tag="form", action=again)
