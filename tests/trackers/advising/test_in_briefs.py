"""What a published brief shows cannot be unpublished, so nobody is told to (SPEC §5, §6)."""

from __future__ import annotations

from datetime import date

import pytest
from django.utils import timezone

from tests.support import briefs as support
from tests.support import people
from tests.support.histories import arrive, kinds, talks, tracker
from trackers import briefs


def nothing_found(acme, alice):
    return tracker(acme, alice, "promo", name="Shown")


def campaign_over(acme, alice):
    return tracker(acme, alice, "price", name="Shown", days=5, campaign_end_date=date(2026, 12, 24))


def repeats_another(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    return tracker(acme, alice, "price", name="Shown", days=60)


def finds_little(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "budget", name="Budget", days=90)
    return tracker(acme, alice, "rare", name="Shown")


MONTHS = {
    nothing_found: ("NO_RESULTS", talks(40, "price")),
    campaign_over: ("ENDED", talks(40, "price")),
    repeats_another: (
        "DUPLICATE",
        [*talks(20, "price", tag="hit"), *talks(20, "nothing", tag="no")],
    ),
    finds_little: (
        "FEW_RESULTS",
        [
            *talks(20, "price", tag="a"),
            *talks(20, "budget", tag="b"),
            *talks(58, "nothing", tag="no"),
            *talks(2, "rare", tag="r"),
        ],
    ),
}


@pytest.mark.parametrize("asks", MONTHS, ids=lambda one: one.__name__)
def test_what_a_published_brief_shows_is_not_to_be_unpublished(acme, alice, asks):
    kind, month = MONTHS[asks]
    one = asks(acme, alice)
    arrive(acme, month)
    assert kinds(acme) == {("Shown", kind)}

    brief = support.brief(acme, alice, support.of_tracker(one))
    assert kinds(acme) == set()

    briefs.unpublish(brief_id=brief.pk, edit_number=brief.edit_number, by=alice, now=timezone.now())
    assert kinds(acme) == {("Shown", kind)}


def test_a_brief_that_nobody_may_run_yet_holds_nothing(acme, alice):
    one = tracker(acme, alice, "promo", name="Summer promo")
    arrive(acme, talks(40, "price"))

    support.brief(acme, alice, support.of_tracker(one), published=False)

    assert kinds(acme) == {("Summer promo", "NO_RESULTS")}


def test_what_a_brief_shows_may_still_read_less(acme, alice):
    one = tracker(acme, alice, "price", name="Pricing")
    support.brief(acme, alice, support.of_tracker(one))
    arrive(
        acme,
        [
            *talks(60, "price", tag="hit", team="EMEA"),
            *talks(40, "nothing", tag="no", team="EMEA"),
            *talks(100, "nothing", tag="far", team="APAC"),
        ],
    )

    assert kinds(acme) == {("Pricing", "FILTER")}


def test_the_briefs_of_a_company_hold_its_own_trackers_only(acme, alice):
    globex = people.company("Globex")
    ben = people.alice(globex)
    ours = tracker(acme, alice, "promo")
    support.brief(acme, alice, support.of_tracker(ours))
    support.brief(globex, ben, support.RISKS)

    assert briefs.trackers_shown(company=acme) == {ours.pk}
    assert briefs.trackers_shown(company=globex) == set()
