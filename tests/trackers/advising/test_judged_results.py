"""A person's word on a result counts in place of the answer, and a doubt is not lost (SPEC §5, §6).

Whatever is suggested counts results alike: what is there as a person says, what was found, and
what may be there because the answer was unsure and nobody judged it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.histories import NOW, arrive, kinds, suggested, talk, talks, tracker
from trackers import advice, reviewing
from trackers.models import Scan


def say(by, is_right: bool, *, later: float = 0, **which) -> int:
    """Confirm or reject results; return how many."""
    scans = list(Scan.objects.filter(**which).select_related("tracker", "version"))
    for scan in scans:
        at = NOW + timedelta(minutes=later)
        reviewing.judge(scan=scan, is_right=is_right, by=by, now=at)
    return len(scans)


def pricing(acme, alice, *apac):
    """60 of 80 calls in EMEA with the word, and what is given in APAC."""
    tracker(acme, alice, "price", name="Pricing")
    arrive(
        acme,
        [
            *talks(60, "price", tag="hit", team="EMEA"),
            *talks(20, "nothing", tag="no", team="EMEA"),
            *apac,
        ],
    )


def doubts(count: int, **changes):
    return talks(count, "perhaps", "price", tag="doubt", **changes)


def test_thirty_doubts_that_a_person_confirmed_are_results_a_filter_would_lose(acme, alice):
    pricing(acme, alice, *doubts(30, team="APAC"), *talks(10, "nothing", team="APAC"))

    assert say(alice, True, verdict="UNSURE") == 30

    assert kinds(acme) == set()


def test_thirty_doubts_that_nobody_judged_are_not_lost_either(acme, alice):
    pricing(acme, alice, *doubts(30, team="APAC"), *talks(10, "nothing", team="APAC"))

    assert kinds(acme) == set()


def test_what_a_filter_loses_counts_doubts_and_what_was_missed(acme, alice):
    pricing(
        acme,
        alice,
        *doubts(1, team="APAC"),
        *talks(1, "missed", tag="missed", team="APAC"),
        *talks(98, "nothing", tag="far", team="APAC"),
        *talks(40, "price", tag="more", team="EMEA"),
    )
    assert say(alice, False, conversation__external_id="call-missed0") == 1

    one = suggested(acme)["Pricing", "FILTER"]

    assert (one.words, one.found_count, one.lost_count) == ("team is EMEA", 102, 2)
    assert advice.evidence(one) == (
        "With this filter, 30 days had cost 45 % less and lost 2 of 102 results."
    )


@pytest.mark.parametrize("words", [("price",), ("perhaps", "price")], ids=["found", "unsure"])
def test_what_a_person_rejected_is_no_result_to_keep(acme, alice, words):
    pricing(
        acme,
        alice,
        *talks(30, *words, tag="far", team="APAC"),
        *talks(10, "nothing", tag="far-no", team="APAC"),
    )
    assert kinds(acme) == set()

    assert say(alice, False, conversation__team__name="APAC", verdict__in=["YES", "UNSURE"]) == 30

    one = suggested(acme)["Pricing", "FILTER"]
    assert (one.words, one.found_count, one.lost_count) == ("team is EMEA", 60, 0)


def test_the_last_word_counts(acme, alice):
    pricing(acme, alice, *doubts(30, team="APAC"), *talks(10, "nothing", team="APAC"))
    say(alice, False, verdict="UNSURE")
    assert kinds(acme) == {("Pricing", "FILTER")}

    say(alice, True, verdict="UNSURE", later=1)

    assert kinds(acme) == set()


@pytest.mark.parametrize("count", [30, 1])
def test_what_the_tracker_missed_as_a_person_says_is_a_result_of_30_days(acme, alice, count):
    tracker(acme, alice, "promo")
    arrive(acme, talks(40, "price"))
    assert kinds(acme) == {("Promo talk", "NO_RESULTS")}

    missed = list(Scan.objects.values_list("pk", flat=True)[:count])
    assert say(alice, False, pk__in=missed) == count

    assert kinds(acme) == set()


def test_a_person_who_confirms_that_nothing_is_there_leaves_no_results(acme, alice):
    tracker(acme, alice, "promo", name="Summer promo")
    arrive(acme, talks(40, "price"))

    assert say(alice, True) == 40

    assert kinds(acme) == {("Summer promo", "NO_RESULTS")}


def test_a_month_whose_results_were_all_rejected_has_none(acme, alice):
    tracker(acme, alice, "promo", name="Summer promo")
    hits = [talk("hit", "promo", day=3), talk("maybe", "perhaps", "promo", day=2)]
    arrive(acme, [*talks(40, "price"), *hits])
    assert kinds(acme) == set()

    assert say(alice, False, verdict__in=["YES", "UNSURE"]) == 2

    one = suggested(acme)["Summer promo", "NO_RESULTS"]
    assert (one.read_count, one.found_count) == (42, 0)
    assert advice.evidence(one) == "No results in 30 days, in 42 conversations read."


def test_emails_are_judged_by_what_people_say_of_them(acme, alice):
    tracker(acme, alice, "price", name="Pricing", include_emails=True)
    arrive(
        acme,
        [
            *talks(20, "price", tag="hit"),
            *talks(40, "nothing", tag="no"),
            *talks(58, "nothing", tag="no", kind="email"),
            *talks(1, "price", tag="hit", kind="email"),
            *doubts(1, kind="email"),
        ],
    )
    mails = {"conversation__kind": "EMAIL"}
    assert kinds(acme) == set()

    assert say(alice, False, verdict__in=["YES", "UNSURE"], **mails) == 2
    assert kinds(acme) == {("Pricing", "EMAILS")}

    missed = Scan.objects.filter(verdict="NO", **mails).first()
    assert say(alice, False, pk=missed.pk) == 1
    assert kinds(acme) == set()


def rare(acme, alice, *more):
    """A tracker with 2 results in 100 calls, less ``more``, where others have 20 each."""
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "budget", name="Budget", days=90)
    tracker(acme, alice, "rare", name="Rare")
    arrive(
        acme,
        [
            *talks(20, "price", tag="a"),
            *talks(20, "budget", tag="b"),
            *talks(58 - len(more), "nothing", tag="no"),
            *talks(2, "rare", tag="r"),
            *more,
        ],
    )


def test_a_tracker_with_few_results_and_some_doubts_has_not_few(acme, alice):
    rare(acme, alice, *talks(3, "perhaps", "rare", tag="d"))

    assert kinds(acme) == set()

    assert say(alice, False, verdict="UNSURE") == 3
    one = suggested(acme)["Rare", "FEW_RESULTS"]
    assert (one.found_count, one.usual_count) == (2, 20)


def test_the_doubts_of_others_are_no_measure_for_a_tracker(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "budget", name="Budget", days=90)
    tracker(acme, alice, "exact", name="Exact")
    arrive(
        acme,
        [
            *talks(20, "price", "budget", tag="both"),
            *talks(70, "perhaps", "price", "budget", tag="doubt"),
            *talks(10, "exact", tag="e"),
        ],
    )

    assert ("Exact", "FEW_RESULTS") not in kinds(acme)


def two(acme, alice):
    tracker(acme, alice, "price", name="Pricing", days=90)
    tracker(acme, alice, "budget", name="Budget", days=60)


@pytest.mark.parametrize(("only_young", "expected"), [(5, {("Budget", "DUPLICATE")}), (6, set())])
def test_doubts_that_only_the_younger_has_would_be_lost(acme, alice, only_young, expected):
    two(acme, alice)
    arrive(
        acme,
        [
            *talks(20, "price", "budget", tag="both"),
            *talks(only_young, "perhaps", "budget", tag="young"),
            *talks(20, "nothing", tag="no"),
        ],
    )

    found = suggested(acme)

    assert set(found) == expected
    for one in found.values():
        assert (one.found_count, one.lost_count) == (25, 5)
        assert advice.evidence(one) == (
            "Reads the same conversations; “Pricing” has 20 of its 25 results too."
        )


def test_two_trackers_that_doubt_the_same_are_not_the_same(acme, alice):
    two(acme, alice)
    arrive(acme, [*talks(40, "perhaps", "price", "budget"), *talks(10, "nothing", tag="no")])

    assert kinds(acme) == set()


def test_two_trackers_are_the_same_in_what_people_say_they_hold(acme, alice):
    two(acme, alice)
    arrive(
        acme,
        [
            *talks(20, "price", "budget", tag="both"),
            *talks(10, "price", tag="old", team="LATAM"),
            *talks(20, "nothing", tag="no"),
        ],
    )
    assert kinds(acme) == set()

    assert say(alice, False, tracker__name="Budget", conversation__team__name="LATAM") == 10

    one = suggested(acme)["Budget", "DUPLICATE"]
    assert (one.found_count, one.lost_count) == (30, 0)
