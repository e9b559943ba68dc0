"""What found nothing in a month is to be unpublished; and how suggestions are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import people
from tests.support.histories import NOW, arrive, kinds, shown, suggested, talk, talks, tracker
from trackers import advice, advising, narrowing, publishing
from trackers.models import AdviceRun, Suggestion, SuggestionKind


def test_what_found_nothing_in_30_days_costs_its_whole_month(acme, alice):
    tracker(acme, alice, "promo", name="Summer promo")
    arrive(acme, talks(40, "price"))

    (one,) = suggested(acme).values()

    assert (one.tracker.name, one.kind) == ("Summer promo", "NO_RESULTS")
    assert (one.credits_before, one.credits_after, one.saved) == (40, 0, 40)
    assert (one.read_count, one.found_count) == (40, 0)
    assert advice.sentence(one) == "Unpublish “Summer promo”"
    assert advice.evidence(one) == "No results in 30 days, in 40 conversations read."


def test_one_result_in_the_month_is_not_none(acme, alice):
    tracker(acme, alice, "promo")
    arrive(acme, [*talks(40, "price"), talk("hit", "promo", day=20)])

    assert kinds(acme) == set()


def test_a_result_of_five_weeks_ago_is_no_result_of_the_month(acme, alice):
    tracker(acme, alice, "promo", name="Summer promo")
    arrive(acme, [*talks(40, "price"), talk("hit", "promo", day=35)])

    assert kinds(acme) == {("Summer promo", "NO_RESULTS")}


def test_a_result_of_a_text_that_changed_since_is_none_of_what_is_there_now(acme, alice):
    tracker(acme, alice, "promo")
    arrive(acme, [*talks(40, "price"), talk("hit", "promo", day=20)])
    assert kinds(acme) == set()

    arrive(acme, [talk("hit", "price", day=20)])

    assert kinds(acme) == {("Promo talk", "NO_RESULTS")}


def test_a_doubt_is_no_proof_that_there_is_nothing(acme, alice):
    tracker(acme, alice, "promo")
    arrive(acme, [*talks(40, "price"), talk("doubt", "perhaps", "promo", day=3)])

    assert kinds(acme) == set()


@pytest.mark.parametrize(("days", "expected"), [(29, set()), (30, {("Promo talk", "NO_RESULTS")})])
def test_nobody_says_30_days_of_a_tracker_that_is_younger(acme, alice, days, expected):
    tracker(acme, alice, "promo", days=days)
    arrive(acme, talks(60, "price"))

    assert kinds(acme) == expected


def test_few_conversations_say_nothing(acme, alice):
    tracker(acme, alice, "promo")
    arrive(acme, talks(29, "price"))

    assert kinds(acme) == set()


def test_what_waits_for_credits_may_hold_the_results(acme, alice):
    tracker(acme, alice, "promo")
    arrive(acme, talks(40, "price"))
    poor = people.company("Poor")
    people.credits_for(poor, "35")
    tracker(poor, people.alice(poor), "promo")
    arrive(poor, talks(100, "price"))

    assert kinds(acme) == {("Promo talk", "NO_RESULTS")}
    assert kinds(poor) == set()


def test_an_unpublished_tracker_costs_nothing_to_save(acme, alice):
    promo = tracker(acme, alice, "promo")
    arrive(acme, talks(40, "price"))
    publishing.unpublish(tracker_id=promo.pk, edit_number=promo.edit_number, by=alice, now=NOW)

    assert kinds(acme) == set()


def test_a_new_version_is_as_young_as_a_new_tracker(acme, alice):
    promo = tracker(acme, alice, "promo", days=60)
    arrive(acme, talks(40, "price"))
    promo.versions.update(published_at=NOW - timedelta(days=13))

    assert kinds(acme) == set()


@pytest.mark.parametrize(("days", "expected"), [(13, set()), (14, {("Promo talk", "NO_RESULTS")})])
def test_what_a_person_changed_is_left_alone_for_two_weeks(acme, alice, days, expected):
    promo = tracker(acme, alice, "promo")
    arrive(acme, talks(40, "price"))
    changed_at = NOW - timedelta(days=days)
    reads = replace(narrowing.of(promo), emails=True)
    narrowing.save(
        tracker=promo, edit_number=promo.edit_number, reads=reads, by=alice, now=changed_at
    )

    assert kinds(acme) == expected


def test_a_suggestion_made_again_keeps_its_id_and_one_that_is_over_goes(acme, alice):
    tracker(acme, alice, "promo", name="Summer promo")
    arrive(acme, talks(40, "price"))
    before = suggested(acme)["Summer promo", "NO_RESULTS"]

    arrive(acme, [talk("more", "price", day=0.2)])
    again = suggested(acme)["Summer promo", "NO_RESULTS"]
    arrive(acme, [talk("hit", "promo", day=0.1)])

    assert (again.pk, before.saved, again.saved) == (before.pk, 40, 41)
    assert kinds(acme) == set()
    assert AdviceRun.objects.get(company=acme).computed_at == NOW


def test_a_suggestion_is_shown_only_while_its_tracker_is_as_it_was(acme, alice):
    promo = tracker(acme, alice, "promo")
    arrive(acme, talks(40, "price"))
    advising.refresh(company=acme, now=NOW)
    assert [one.saved for one in shown(acme).suggestions] == [40]

    promo.edit_number += 1
    promo.save()

    page = shown(acme)
    assert (page.suggestions, page.as_of) == ((), NOW)


def test_nobody_has_worked_out_a_company_that_was_never_looked_at(acme):
    page = shown(acme)

    assert (page.suggestions, page.as_of) == ((), None)


def test_every_company_with_trackers_old_enough_is_looked_at_the_longest_ago_first(acme, alice):
    tracker(acme, alice, "promo")
    arrive(acme, talks(40, "price"))
    young, empty = people.company("Young"), people.company("Empty")
    tracker(young, people.alice(young), "promo", days=13)

    count = advising.refresh_all(now=NOW, clock=lambda: NOW)

    assert count == 1
    assert list(AdviceRun.objects.values_list("company", flat=True)) == [acme.pk]
    assert Suggestion.objects.get().kind == SuggestionKind.NO_RESULTS
    assert not empty.advice_runs.exists()


def test_the_hour_s_time_is_not_spent_beyond_its_end(acme, alice):
    tracker(acme, alice, "promo")

    count = advising.refresh_all(now=NOW, clock=lambda: NOW + advising.TIME_MAX * 2)

    assert count == 0
