"""What a month of a tracker counts: which readings are of it, and which only look so."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support import people
from tests.support.histories import NOW, WordAnalyzer, arrive, talk, tracker
from trackers import analyzers, backtests, filters, publishing, reviewing
from trackers.backtests import Tally
from trackers.models import (
    Conversation,
    FilterField,
    Review,
    Scan,
    Tracker,
    TrackerFilter,
    TrackerVersion,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", WordAnalyzer)


@pytest.fixture
def acme():
    acme = people.company()
    people.credits_for(acme, "1000")
    return acme


def month(one: Tracker, now=NOW) -> backtests.Month:
    return backtests.read(trackers=[one], now=now)[one.pk]


def read(count: int, found: int = 0, unsure: int = 0) -> Tally:
    """So many long calls, of 1.0 credit each."""
    return Tally(count, found, unsure, Decimal(count))


def ask_for(word: str, one: Tracker, by, *, days: float) -> Tracker:
    """Publish a new version of a tracker, so many days ago."""
    TrackerVersion.objects.create(
        company=one.company, tracker=one, number=2, question=f"Did they say {word}?", side="ANY"
    )
    at = NOW - timedelta(days=days)
    return publishing.publish(tracker_id=one.pk, edit_number=one.edit_number, by=by, now=at)


def with_two_versions(acme, alice) -> Tracker:
    """A tracker that asked for prices until ten days ago, and for budgets since.

    The version of before found all 4 that it read, the one in force 2 of 3.
    """
    asks = tracker(acme, alice, "price", name="Money talk")
    arrive(acme, [talk(day, "price", day=day) for day in (28, 21, 14, 11)])
    asks = ask_for("budget", asks, alice, days=10)
    arrive(
        acme,
        [
            talk(9, "budget", day=9),
            talk(5, "budget", "price", day=5),
            talk(1, "price", day=1),
        ],
    )
    return asks


def test_only_what_the_version_in_force_read_is_of_the_month(acme, alice):
    asks = with_two_versions(acme, alice)

    counted = month(asks)

    assert Scan.objects.filter(tracker=asks, state="DONE").count() == 7
    assert counted.calls == read(3, found=2)
    assert counted.by_value[FilterField.DEAL_STAGE] == {"evaluation": read(3, found=2)}
    assert backtests.results(asks, now=NOW) == 2


def test_two_trackers_share_what_their_versions_in_force_both_read(acme, alice):
    other = tracker(acme, alice, "price", name="Prices", days=61)
    asks = with_two_versions(acme, alice)

    assert month(other).calls == read(7, found=6)
    assert backtests.shared(asks, other, now=NOW) == Tally(read=3, found=1)
    assert backtests.shared(other, asks, now=NOW) == Tally(read=3, found=1)


def test_what_waits_for_credits_is_not_read():
    poor = people.company("Poor")
    people.credits_for(poor, "2")
    asks = tracker(poor, people.alice(poor), "price")
    arrive(poor, [talk(day, "price", day=day) for day in (4, 3, 2, 1)])

    assert Scan.objects.filter(state="WAITING").count() == 2
    assert month(asks).calls == read(2, found=2)


def test_a_text_that_changed_since_is_not_of_the_month_until_it_is_read_again(acme, alice):
    asks = tracker(acme, alice, "price")
    arrive(acme, [talk("same", "price", day=3), talk("other", "price", day=2)])
    assert month(asks).calls == read(2, found=2)

    arrive(acme, [talk("other", "nothing", day=2)])

    assert month(asks).calls == read(1, found=1)
    assert backtests.results(asks, now=NOW) == 1


def test_a_month_is_the_thirty_days_before_now(acme, alice):
    asks = tracker(acme, alice, "price")
    arrive(acme, [talk(day, "price", day=day) for day in (31, 30, 2, 1)])
    yesterday = NOW - timedelta(days=1)

    # What began 30 days before is of it, and what begins just then is not.
    assert month(asks, yesterday).calls == read(3, found=3)
    assert month(asks, NOW).calls == read(3, found=3)
    assert month(asks, NOW + timedelta(seconds=1)).calls == read(2, found=2)
    assert backtests.results(asks, now=yesterday - timedelta(seconds=1)) == 3


def test_what_a_tracker_would_not_read_today_is_not_of_its_month(acme, alice):
    asks = tracker(acme, alice, "price", include_emails=True)
    arrive(
        acme,
        [talk("call", "price", day=3), talk("mail", "perhaps", "price", day=2, kind="email")],
    )
    assert month(asks).emails == Tally(1, 0, 1, Decimal("0.100"))

    Tracker.objects.filter(pk=asks.pk).update(include_emails=False)
    asks.refresh_from_db()

    assert month(asks).emails == Tally()
    assert month(asks).all == read(1, found=1)


def test_other_filters_are_tried_in_the_place_of_the_tracker_s_own(acme, alice):
    asks = tracker(acme, alice, "price")
    arrive(
        acme,
        [
            talk(1, "price", day=1, account={"name": "Globex", "type": "prospect"}),
            talk(2, "price", day=2, account={"name": "Initech", "type": "customer"}, deal=None),
        ],
    )
    only_prospects = TrackerFilter(
        company=acme, tracker=asks, field=FilterField.ACCOUNT_TYPE, text="prospect"
    )

    assert backtests.results(asks, now=NOW, conditions=[only_prospects]) == 1
    assert backtests.results(asks, now=NOW) == 2


def judge(by, is_right: bool, **which) -> None:
    for scan in Scan.objects.filter(**which).select_related("tracker", "version"):
        reviewing.judge(scan=scan, is_right=is_right, by=by, now=NOW)


def test_what_a_person_says_counts_in_place_of_the_answer(acme, alice):
    asks = tracker(acme, alice, "price")
    words = {"there": ["price"], "doubt": ["perhaps", "price"], "none": ["nothing"]}
    arrive(
        acme,
        [
            talk(f"{name}-{number}", *said, day=number)
            for name, said in words.items()
            for number in (1, 2, 3)
        ],
    )
    assert month(asks).calls == read(9, found=3, unsure=3)
    assert backtests.results(asks, now=NOW) == 6

    for name in words:
        judge(alice, True, conversation__external_id=f"call-{name}-1")
        judge(alice, False, conversation__external_id=f"call-{name}-2")

    # Found: one unjudged, one confirmed, one confirmed doubt, one that was missed.
    assert month(asks).calls == read(9, found=4, unsure=1)
    assert month(asks).by_value[FilterField.DEAL_STAGE] == {
        "evaluation": read(9, found=4, unsure=1)
    }
    assert backtests.results(asks, now=NOW) == 5


def test_a_word_on_another_question_or_an_earlier_text_says_nothing(acme, alice):
    asks = tracker(acme, alice, "price", name="Money talk")
    arrive(acme, [talk("hit", "price", day=3), talk("doubt", "perhaps", "price", day=2)])
    judge(alice, False)
    assert month(asks).calls == read(2)

    Review.objects.filter(conversation__external_id="call-hit").update(asked=b"another")
    assert month(asks).calls == read(2, found=1)

    # As if it was read again at a second text.
    Conversation.objects.filter(external_id="call-doubt").update(text_revision=2)
    Scan.objects.filter(conversation__external_id="call-doubt").update(revision=2)
    assert month(asks).calls == read(2, found=1, unsure=1)


def test_a_word_on_an_earlier_version_counts_where_it_asked_the_same(acme, alice):
    asks = tracker(acme, alice, "price", name="Money talk")
    asks = ask_for("budget", asks, alice, days=10)
    arrive(acme, [talk(1, "budget", day=1)])
    judge(alice, False)
    assert month(asks).calls == read(1)

    Review.objects.update(version=asks.versions.get(number=1))

    assert month(asks).calls == read(1)


def test_what_two_trackers_share_counts_what_people_say_of_each(acme, alice):
    asks = tracker(acme, alice, "price", name="Prices")
    other = tracker(acme, alice, "budget", name="Budgets")
    arrive(
        acme,
        [
            talk("both", "price", "budget", day=4),
            talk("doubt", "perhaps", "price", "budget", day=3),
            talk("one", "price", day=2),
            talk("none", "nothing", day=1),
        ],
    )
    assert backtests.shared(asks, other, now=NOW) == Tally(read=4, found=1, unsure=1)

    judge(alice, True, tracker=asks, verdict="UNSURE")
    assert backtests.shared(asks, other, now=NOW) == Tally(read=4, found=1, unsure=1)
    judge(alice, True, tracker=other, verdict="UNSURE")
    assert backtests.shared(asks, other, now=NOW) == Tally(read=4, found=2)
    judge(alice, False, tracker=other, conversation__external_id="call-one")
    judge(alice, False, tracker=asks, conversation__external_id="call-both")
    assert backtests.shared(asks, other, now=NOW) == Tally(read=4, found=2)


def test_the_months_of_many_trackers_take_four_queries(acme, alice, django_assert_num_queries):
    for word in ("price", "budget", "promo"):
        tracker(acme, alice, word, name=word)
    arrive(acme, [talk(day, "price", day=day) for day in (3, 2, 1)])
    judge(alice, False)
    loaded = Tracker.objects.select_related("current_version").prefetch_related(filters.NAMED)
    asks = list(loaded.order_by("name"))

    with django_assert_num_queries(4):
        months = backtests.read(trackers=asks, now=NOW)

    assert {one.name: months[one.pk].calls.found for one in asks} == {
        "price": 0,
        "budget": 3,
        "promo": 3,
    }


def test_a_company_s_month_is_its_own(acme, alice):
    """Held by keys, too: no reading of one company can name another's tracker."""
    globex = people.company("Globex")
    people.credits_for(globex, "1000")
    ours = tracker(acme, alice, "price")
    theirs = tracker(globex, people.alice(globex), "price")
    arrive(acme, [talk(1, "price", day=1)])
    arrive(globex, [talk(1, "nothing", day=1), talk(2, "price", day=2)])

    months = backtests.read(trackers=[ours, theirs], now=NOW)

    assert months[ours.pk].calls == read(1, found=1)
    assert months[theirs.pk].calls == read(2, found=1)
