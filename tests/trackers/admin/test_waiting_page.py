"""The page “Waiting for credits” and its dialog (UX F4–F6)."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from credits.models import AuditEvent
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import backfills, waiting
from trackers.models import Backfill, Scan, Tracker

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:trackers_waiting")
DECIDE = reverse("admin:trackers_waiting_decide")
NOW = timezone.now()


@pytest.fixture
def acme():
    """Three calls wait for one tracker and two for another: 2.5 credits."""
    company = people.company()
    alice = people.alice(company)
    for name, count in (("Prices", 3), ("Delivery", 2)):
        conversations.published(company, alice, name, now=NOW - timedelta(days=60))
        wait(company, *(f"{name} {n}" for n in range(count)), only=name)
    return company


@pytest.fixture
def page(acme):
    return signed_in(acme.memberships.get().user, acme)


def wait(company, *names, only):
    """As the worker leaves them at zero: short calls that wait for one tracker."""
    conversations.ingest(company, *(record(name, started_at=NOW) for name in names), now=NOW)
    Scan.objects.exclude(tracker__name=only).filter(state="PENDING").delete()
    Scan.objects.filter(state="PENDING").update(state="WAITING", price="0.500")


def value(response, metric: str) -> str:
    found = re.findall(rf'data-metric="{metric}" data-value="([^"]*)"', response.content.decode())
    assert len(set(found)) == 1, (metric, found)
    return found[0]


def text(response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def asked(page, **form):
    """Fill the form in and send it; return the second page and what confirms it."""
    key = str(page.get(DECIDE).context["form"]["key"].value())
    answer = page.post(DECIDE, form | {"key": key})
    assert "seen" in (answer.context or {}), text(answer)
    return answer, form | {"key": key, "step": "confirm", "seen": answer.context["seen"]}


def test_the_page_counts_the_rows_that_wait_and_says_what_they_need(page, acme):
    people.credits_for(acme, "1.5")

    answer = page.get(PAGE)

    assert value(answer, "waiting-count") == str(Scan.objects.filter(state="WAITING").count())
    assert (value(answer, "waiting-credits"), value(answer, "available")) == ("2.5", "1.5")
    words = text(answer)
    assert "5 readings of calls need 2.5 credits; 1.5 are available." in words
    assert "These are 5 calls, each read by every tracker that waits for it." in words
    assert re.search(r"Prices 3 0 1\.5 \d+ \w+ \d{4} \d\d:\d\d CES?T Waits for a decision", words)


def test_a_conversation_that_two_trackers_wait_for_is_one_conversation_and_two_readings(acme, page):
    """Of three new calls and a mail each is read twice; the five of before once."""
    mail = record("mail", started_at=NOW, kind="email", duration_seconds=0)
    Tracker.objects.update(include_emails=True)
    calls = [record(f"both {n}", started_at=NOW) for n in range(3)]
    conversations.ingest(acme, *calls, mail, now=NOW)
    Scan.objects.filter(state="PENDING").update(state="WAITING", price="0.500")

    words = text(page.get(PAGE))
    credits_page = text(page.get(reverse("admin:credits_page")))

    assert "11 readings of calls and 2 of e-mails need 6.5 credits" in words
    assert "These are 8 calls and 1 e-mail, each read by every tracker that waits for it." in words
    assert credits_page.count("11 readings of calls and 2 of e-mails wait for") == 2


def test_of_one_tracker_the_readings_are_its_conversations(acme, page):
    Scan.objects.filter(tracker__name="Delivery").delete()

    words = text(page.get(PAGE))

    assert "3 calls need 1.5 credits" in words
    assert "These are" not in words


def test_thousands_are_set_apart(page, monkeypatch):
    """4,119 mails of one tracker, without making them."""
    tracker = Tracker.objects.get(name="Prices")
    many = waiting.Queue(tracker.pk, "Prices", False, 1234, 4119, Decimal("1028.9"), NOW)
    monkeypatch.setattr(waiting, "queues", lambda *, company: [many])

    words = text(page.get(PAGE))

    assert "1,234 calls and 4,119 e-mails need 1,028.9 credits" in words
    assert "Prices 1,234 4,119 1,028.9" in words


def test_a_tracker_that_catches_up_is_told_apart(page):
    Tracker.objects.filter(name="Prices").update(catch_up=True)

    assert "Catches up by itself" in text(page.get(PAGE))


def test_the_sidebar_says_how_many_wait(page):
    content = page.get(PAGE).content.decode()

    link = re.search(rf'<a[^>]*href="{PAGE}".*?</a>', content, re.DOTALL)
    assert link is not None
    assert re.sub(r"<[^>]*>", " ", link.group()).split()[-4:] == ["Waiting", "for", "credits", "5"]


def test_at_zero_the_form_says_that_nothing_can_be_read(page, acme):
    first = page.get(DECIDE)
    key = str(first.context["form"]["key"].value())
    empty = page.post(DECIDE, {"key": key, "choice": "NEWEST"})

    said = "No credits are available: nothing of it can be read before some come."
    assert (said in text(first), said in text(empty)) == (True, True)
    assert first.context["form"]["limit"].value() is None


def test_what_is_available_is_still_said_when_the_form_comes_back(page, acme):
    people.credits_for(acme, "1.5")
    key = str(page.get(DECIDE).context["form"]["key"].value())

    again = page.post(DECIDE, {"key": key, "choice": "NEWEST", "limit": "none"})

    assert "For “newest first”. 1.5 credits are available." in text(again)


def test_the_form_estimates_each_choice(page, acme):
    people.credits_for(acme, "1.5")

    words = text(page.get(DECIDE))

    assert "Newest first, up to a number of credits" in words
    assert "All of it (≈ 2.5 credits)" in words
    assert "Prices: 3 calls, ≈ 1.5 credits" in words
    assert "Delivery: 2 calls, ≈ 1.0 credits" in words
    assert "1.5 credits are available." in words


def test_choosing_says_in_numbers_what_it_does_and_does_it_when_confirmed(page, acme):
    people.credits_for(acme, "1.5")
    answer, confirmation = asked(page, choice="ALL")

    assert (value(answer, "picked"), value(answer, "picked-credits")) == ("3", "1.5")
    assert value(answer, "rest") == "2"
    assert Scan.objects.filter(state="WAITING").count() == 5
    done = page.post(DECIDE, confirmation, follow=True)

    assert "3 readings of calls are queued again, for 1.5 credits." in text(done)
    assert Scan.objects.filter(state="PENDING").count() == 3
    assert value(done, "waiting-count") == "2"


def test_a_confirmation_sent_twice_does_not_queue_the_next_ones(page, acme):
    """The calls left are as many and as dear as those of the first confirmation."""
    people.credits_for(acme, "10")
    _, confirmation = asked(page, choice="NEWEST", limit="1")
    page.post(DECIDE, confirmation)

    again = page.post(DECIDE, confirmation)

    assert "moved since you looked" in text(again)
    assert Scan.objects.filter(state="PENDING").count() == 2


def test_the_button_of_the_confirmation_says_what_becomes_of_them(page, acme):
    people.credits_for(acme, "10")

    assert buttons(asked(page, choice="NEWEST", limit="1")[0]) == ["Read them now", "Change"]
    assert buttons(asked(page, choice="SKIP")[0]) == ["Skip for good", "Change"]


def buttons(answer) -> list[str]:
    written = answer.content.decode()
    return [found.strip() for found in re.findall(r'name="step"[^>]*>([^<]+)</button>', written)]


def test_only_the_ticked_trackers_are_skipped(page):
    prices = Tracker.objects.get(name="Prices")
    answer, confirmation = asked(page, choice="SKIP", trackers=[str(prices.pk)])

    assert "A backfill can still take it up" in text(answer)
    page.post(DECIDE, confirmation)

    assert set(Scan.objects.filter(tracker=prices).values_list("state", flat=True)) == {"SKIPPED"}
    assert Scan.objects.filter(state="WAITING").count() == 2


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"choice": "NEWEST"}, "Enter up to how many credits may be used."),
        ({"choice": "NEWEST", "limit": "much"}, "Enter a number, such as 50000 or 12.5."),
        ({"choice": "TRACKERS"}, "Tick the trackers that are to be processed."),
        ({"choice": "TRACKERS", "trackers": ["x"]}, "One of these trackers has nothing waiting"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence_and_nothing_is_done(page, form, sentence):
    key = str(page.get(DECIDE).context["form"]["key"].value())

    answer = page.post(DECIDE, form | {"key": key})

    assert sentence in text(answer)
    assert Scan.objects.filter(state="WAITING").count() == 5
    assert not AuditEvent.objects.filter(action__in=("RESUMED", "SKIPPED")).exists()


def test_with_no_credits_the_choice_can_only_be_to_skip(page):
    answer, confirmation = asked(page, choice="ALL")

    assert "None of it can be paid with what is available. It goes on waiting." in text(answer)
    page.post(DECIDE, confirmation)
    assert Scan.objects.filter(state="WAITING").count() == 5


def test_a_backfill_that_met_zero_is_listed_with_what_it_still_needs(page, acme):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("old"))
    backfill = backfills.launch(
        tracker_id=Tracker.objects.get(name="Prices").pk,
        from_at=NOW - timedelta(days=60),
        to_at=NOW - timedelta(days=1),
        ceiling=None,
        rates=people.rates(),
        by=acme.memberships.get().user,
        now=NOW,
    )
    backfills.wait_at_zero(backfill_id=backfill.pk)

    answer = page.get(PAGE)

    assert (value(answer, "left"), value(answer, "still-needs")) == ("1", "0.5")
    assert reverse("admin:trackers_backfill_change", args=[backfill.pk]) in answer.content.decode()
    assert Backfill.objects.get().state == "WAITING"


def test_an_empty_queue_says_so(acme, page):
    Scan.objects.all().delete()

    assert "Nothing waits for credits." in text(page.get(PAGE))
    assert "Decide what happens" not in text(page.get(PAGE))
    assert "there is nothing to decide" in text(page.get(DECIDE, follow=True))


def test_another_company_sees_none_of_it(acme):
    globex = people.company("Globex")
    gina = signed_in(people.member(globex, "TECH_ADMIN", "Gina"), globex)

    assert "Prices" not in text(gina.get(PAGE))
    assert Scan.objects.filter(state="WAITING").count() == 5


def test_vendor_people_look_but_do_not_decide_and_viewers_do_neither(acme):
    vera, vic = signed_in(people.vera(), acme), signed_in(people.vic(acme), acme)

    assert "Prices" in text(vera.get(PAGE))
    assert (vera.get(DECIDE).status_code, vic.get(PAGE).status_code) == (403, 403)
    assert vic.post(DECIDE, {"choice": "SKIP"}).status_code == 403
    chooses_first = signed_in(people.audrey(), None)
    for address in (PAGE, DECIDE):
        assert "Choose a company first" in text(chooses_first.get(address, follow=True))
