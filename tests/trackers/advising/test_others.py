"""A tracker beside the others: one that repeats, one that finds little (SPEC §6)."""

from __future__ import annotations

import pytest

from tests.support.histories import arrive, kinds, suggested, talks, tracker
from trackers import advice


def test_the_younger_of_two_that_find_the_same_is_to_go(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "price", name="Price talks", days=60)
    arrive(acme, [*talks(20, "price", tag="hit"), *talks(20, "nothing", tag="no")])

    (one,) = suggested(acme).values()

    assert (one.tracker.name, one.kind, one.twin.name) == ("Price talks", "DUPLICATE", "Pricing")
    assert (one.saved, one.lost_count) == (40, 0)
    assert advice.evidence(one) == (
        "Reads the same conversations; “Pricing” has 20 of its 20 results too."
    )


def test_of_three_alike_the_oldest_stays(acme, alice):
    for name, days in (("Oldest", 90), ("Middle", 60), ("Youngest", 40)):
        tracker(acme, alice, "price", name=name, days=days)
    arrive(acme, [*talks(20, "price", tag="hit"), *talks(20, "nothing", tag="no")])

    found = suggested(acme)

    assert {name: one.twin.name for (name, _), one in found.items()} == {
        "Middle": "Oldest",
        "Youngest": "Oldest",
    }


@pytest.mark.parametrize(("only_old", "expected"), [(5, 1), (6, 0)])
def test_alike_means_four_results_in_five(acme, alice, only_old, expected):
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "budget", name="Budget", days=60)
    arrive(
        acme,
        [
            *talks(20, "price", "budget", tag="both"),
            *talks(only_old, "price", tag="old"),
            *talks(20, "nothing", tag="no"),
        ],
    )

    assert len(suggested(acme)) == expected


def test_equal_counts_of_other_conversations_are_not_the_same(acme, alice):
    tracker(acme, alice, "price", days=90)
    tracker(acme, alice, "budget", days=60)
    arrive(acme, [*talks(20, "price", tag="a"), *talks(20, "budget", tag="b")])

    assert kinds(acme) == set()


def test_the_same_results_in_other_conversations_read_are_not_the_same(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    other = tracker(acme, alice, "price", name="Calls only", days=60)
    type(other).objects.filter(pk=other.pk).update(include_emails=True)
    arrive(
        acme,
        [
            *talks(20, "price", tag="hit"),
            *talks(20, "nothing", tag="no"),
            *talks(40, "perhaps", "price", tag="mail", kind="email"),
        ],
    )

    assert kinds(acme) == set()


def others(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "budget", name="Budget", days=90)


def test_what_finds_a_fifth_of_the_others_for_its_credits_is_named(acme, alice):
    others(acme, alice)
    tracker(acme, alice, "rare", name="Rare")
    arrive(
        acme,
        [
            *talks(20, "price", tag="a"),
            *talks(20, "budget", tag="b"),
            *talks(58, "nothing", tag="no"),
            *talks(2, "rare", tag="r"),
        ],
    )

    (one,) = suggested(acme).values()

    assert (one.tracker.name, one.kind, one.saved) == ("Rare", "FEW_RESULTS", 100)
    assert advice.evidence(one) == (
        "2 results in 100 conversations read; other trackers find about 20 for as many credits."
    )


def test_a_quarter_of_the_others_is_not_few(acme, alice):
    others(acme, alice)
    tracker(acme, alice, "rare", name="Rare")
    arrive(
        acme,
        [
            *talks(20, "price", tag="a"),
            *talks(20, "budget", tag="b"),
            *talks(55, "nothing", tag="no"),
            *talks(5, "rare", tag="r"),
        ],
    )

    assert kinds(acme) == set()


def test_without_two_others_there_is_nothing_to_compare_with(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "rare", name="Rare")
    arrive(acme, [*talks(40, "price", tag="a"), *talks(60, "rare", "x", tag="no")[:2]])

    assert kinds(acme) == set()
