"""The credits page says early that credits run low, and can be told to be quiet (UX F3)."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from credits import charging, limits
from credits.ledger import Use
from credits.rating import Work
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers.models import Scan

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:credits_page")
HIDE = reverse("admin:hide_banner")


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "100")
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def page(acme, alice):
    return signed_in(alice, acme)


def use(company, calls):
    charging.charge(
        company=company,
        use=Use("ASK", "Ask anything", None, "API_REQUEST"),
        work=Work(long_calls=calls, request_count=1),
        rates=people.rates(),
    )


def banners(client) -> list[tuple[str, str]]:
    """Return the state and the level of the banners on the page."""
    read = pages.read(client.get(PAGE))
    return [
        (one["data-status"], one["class"].rpartition("-")[2])
        for one in read.all(tag="div", role="status")
        if "credits-banner" in one.get("class", "")
    ]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (74, []),
        (75, [("used-75", "info")]),
        (90, [("used-90", "warning")]),
        (100, [("used-up", "critical")]),
    ],
)
def test_the_level_rises_with_what_is_used(acme, page, calls, expected):
    use(acme, calls)

    assert banners(page) == expected


def test_it_says_how_much_is_used_and_where_to_narrow(acme, page):
    use(acme, 92)

    answer = page.get(PAGE)

    assert "92 % of the credits are used. See what to narrow" in pages.read(answer).text
    assert reverse("admin:trackers_tracker_changelist") in pages.read(answer).links()


def test_a_viewer_is_not_sent_where_a_viewer_may_not_go(acme):
    use(acme, 92)
    vic = signed_in(people.vic(acme), acme)

    read = pages.read(vic.get(PAGE))

    assert "92 % of the credits are used." in read.text
    assert "See what to narrow" not in read.text


def test_hidden_it_stays_away_until_it_says_something_else(acme, page):
    use(acme, 75)
    key = page.get(PAGE).context["banner"].key

    assert page.post(HIDE, {"key": key}).status_code == 302
    hidden = banners(page)
    use(acme, 15)

    assert (hidden, banners(page)) == ([], [("used-90", "warning")])


def test_hidden_it_comes_again_after_credits_were_added_and_used(acme, page):
    use(acme, 75)
    page.post(HIDE, {"key": page.get(PAGE).context["banner"].key})
    people.credits_for(acme, "100")
    use(acme, 75)

    assert banners(page) == [("used-75", "info")]


def test_what_is_critical_cannot_be_hidden(acme, page):
    use(acme, 100)

    assert page.get(PAGE).context["banner"].key == ""
    page.post(HIDE, {"key": ""})
    assert banners(page) == [("used-up", "critical")]


def test_once_there_are_credits_it_leads_to_the_decision_about_what_waits(acme, alice, page):
    now = timezone.now()
    conversations.published(acme, alice, now=now - timedelta(days=60))
    conversations.ingest(acme, record("a", started_at=now), now=now)
    Scan.objects.update(state="WAITING", price=Decimal("0.5"))

    read = pages.read(page.get(PAGE))

    assert "Decide what happens to it" in read.text
    assert reverse("admin:trackers_waiting") in read.links()
    assert banners(signed_in(people.vic(acme), acme)) == [("waiting", "warning")]
    use(acme, 100)
    assert "Decide what happens to it" not in pages.read(page.get(PAGE)).text


def limit(company, credits, **changes):
    return limits.set(
        company=company,
        subject=limits.of_feature("ASK"),
        window="MONTH",
        credits=Decimal(credits),
        by=None,
        **changes,
    )


def test_a_limit_that_leaves_nothing_is_named(acme, page):
    limit(acme, "30")
    assert banners(page) == []

    use(acme, 30)

    assert banners(page) == [("limit-reached", "warning")]
    text = page.get(PAGE).content.decode()
    assert "The limit of 30.0 credits a month for AI Ask Anything is reached." in text
    assert "What needs more waits or is refused until" in text
    assert banners(signed_in(people.vic(acme), acme)) == []


def test_a_limit_that_only_tells_tells(acme, page):
    limit(acme, "30", is_hard=False)

    use(acme, 35)

    assert banners(page) == [("limit-reached", "warning")]
    text = page.get(PAGE).content.decode()
    assert "35.0 credits are used. It only tells; nothing is refused." in text


def test_an_ended_limit_and_one_of_nothing_are_not_spoken_of(acme, page):
    ended = limit(acme, "30")
    use(acme, 30)
    limits.end(limit=ended, by=None)
    limit(acme, "0")

    assert banners(page) == []


def way_out(client) -> list[str]:
    """Return the links of the banner."""
    answer = client.get(PAGE).content.decode()
    banner = re.search(r'<div class="credits-banner .*?</div>', answer, re.DOTALL)
    return re.findall(r'<a class="credits-link" href="([^"]*)">', banner.group())


@pytest.mark.parametrize("with_waiting", [False, True], ids=["used up", "with work that waits"])
def test_at_zero_the_banner_leads_to_the_request_for_more(acme, alice, page, with_waiting):
    use(acme, 100)
    if with_waiting:
        now = timezone.now()
        conversations.published(acme, alice, now=now - timedelta(hours=1))
        conversations.ingest(acme, record("call", started_at=now), now=now)
        Scan.objects.update(state="WAITING", price="0.500")

    assert way_out(page) == [reverse("admin:billing_purchase_request")]
    assert way_out(signed_in(people.vic(acme), acme)) == []
    to_what_waits = re.escape(reverse("admin:trackers_waiting"))
    panel = rf'<a class="credits-link" href="{to_what_waits}">See what waits</a>'
    assert bool(re.search(panel, page.get(PAGE).content.decode())) == with_waiting
