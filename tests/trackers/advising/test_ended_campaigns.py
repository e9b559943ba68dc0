"""What was asked for a campaign is to be unpublished once its last day is behind (UX §1b, B5)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support import people
from tests.support.histories import NOW, arrive, kinds, shown, suggested, talk, talks, tracker
from trackers import advice, advising, publishing
from trackers.models import AdviceRun

LAST_YEAR = date(2026, 12, 31)


def test_a_campaign_that_is_over_costs_its_whole_month_whatever_it_finds(acme, alice):
    tracker(acme, alice, "promo", name="Winter promo", campaign_end_date=date(2026, 12, 24))
    arrive(acme, [*talks(40, "price"), talk("hit", "promo", day=3)])

    (one,) = suggested(acme).values()

    assert (one.tracker.name, one.kind) == ("Winter promo", "ENDED")
    assert (one.credits_before, one.credits_after, one.saved) == (41, 0, 41)
    assert (one.conversations_before, one.conversations_after) == (41, 0)
    assert advice.sentence(one) == "Unpublish “Winter promo”"
    assert advice.evidence(one) == (
        "Its campaign ended on 24 Dec 2026; 1 result in 41 conversations read in 30 days."
    )
    assert [one.evidence for one in shown(acme).suggestions] == [advice.evidence(one)]


@pytest.mark.parametrize(
    "end",
    [None, date(2027, 1, 1), date(2027, 3, 31)],
    ids=["no campaign", "its last day", "still to come"],
)
def test_a_campaign_that_runs_is_left_alone(acme, alice, end):
    tracker(acme, alice, "promo", campaign_end_date=end)
    arrive(acme, [*talks(40, "price"), talk("hit", "promo", day=3)])

    assert kinds(acme) == set()


def test_the_last_day_ends_at_midnight_where_the_company_is(acme, alice):
    acme.time_zone = "Pacific/Auckland"  # 13 hours ahead.
    acme.save()
    tracker(acme, alice, "promo", name="Winter promo", campaign_end_date=LAST_YEAR)
    arrive(acme, [*talks(40, "price"), talk("hit", "promo", day=3)])
    midnight = datetime(2026, 12, 31, 11, tzinfo=UTC)

    assert kinds(acme, midnight - timedelta(seconds=1)) == set()
    assert kinds(acme, midnight) == {("Winter promo", "ENDED")}


def test_a_campaign_s_tracker_need_not_be_old_to_be_over(acme, alice):
    tracker(acme, alice, "promo", name="Flash sale", days=5, campaign_end_date=LAST_YEAR)
    arrive(acme, talks(40, "promo"))

    count = advising.refresh_all(now=NOW, clock=lambda: NOW)

    assert count == 1
    assert [one.sentence for one in shown(acme).suggestions] == ["Unpublish “Flash sale”"]


def test_what_is_over_gets_no_second_reason_and_is_nobody_s_twin(acme, alice):
    tracker(acme, alice, "promo", days=90, name="Winter promo", campaign_end_date=LAST_YEAR)
    tracker(acme, alice, "promo", name="Promotions")
    tracker(acme, alice, "sale", name="Nothing sold", campaign_end_date=LAST_YEAR)
    arrive(acme, [*talks(40, "promo", tag="p"), *talks(5, "price", tag="x")])

    assert kinds(acme) == {("Winter promo", "ENDED"), ("Nothing sold", "ENDED")}


def test_what_is_unpublished_already_or_costs_nothing_is_not_suggested(acme, alice):
    promo = tracker(acme, alice, "promo", campaign_end_date=LAST_YEAR)
    tracker(acme, alice, "sale", days=0, campaign_end_date=LAST_YEAR, language="de")
    arrive(acme, talks(40, "promo"))
    publishing.unpublish(tracker_id=promo.pk, edit_number=promo.edit_number, by=alice, now=NOW)

    assert kinds(acme) == set()


def test_a_company_s_campaigns_are_its_own(acme, alice):
    globex = people.company("Globex")
    tracker(acme, alice, "promo", campaign_end_date=LAST_YEAR)
    arrive(acme, talks(40, "promo"))

    advising.refresh(company=globex, now=NOW)

    assert shown(globex).suggestions == ()
    assert AdviceRun.objects.filter(company=globex).exists()
