"""What a company could save, from a history in which the right answers are known (SPEC §6)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits.advice import Advice
from credits.models import Company
from tests.support import people
from tests.support.histories import NOW, WordAnalyzer, arrive, talk, tracker
from trackers import advice, advising, analyzers, publishing
from trackers.models import AdviceRun, Suggestion, SuggestionKind

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", WordAnalyzer)


@pytest.fixture
def acme():
    acme = people.company()
    people.credits_for(acme, "100000")
    return acme


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def spread(count: int, *, first: float = 0.5, last: float = 29.5) -> list[float]:
    """So many days ago, evenly over the month behind."""
    return [first + (last - first) * place / max(count - 1, 1) for place in range(count)]


def talks(count: int, *words: str, tag: str = "", **changes):
    return [
        talk(f"{tag}{number}", *words, day=day, **changes)
        for number, day in enumerate(spread(count))
    ]


def suggested(company, now=NOW) -> dict[tuple[str, str], Suggestion]:
    """Keep and return what is suggested, by the tracker's name and the kind."""
    advising.refresh(company=company, now=now)
    rows = Suggestion.objects.filter(company=company).select_related("tracker", "twin")
    return {(row.tracker.name, row.kind): row for row in rows}


def shown(company) -> Advice:
    """What the credits page is told, asked for in another query."""
    asked = advice.suggested(company=company)
    row = Company.objects.filter(pk=company.pk).annotate(answer=asked.value).get()
    return asked.read(row.answer)


def kinds(company, now=NOW) -> set[tuple[str, str]]:
    return set(suggested(company, now))


# No results


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


# A filter that had kept the results


def emea_and_apac(found: int = 60, missed: int = 1):
    """100 calls in EMEA, most with the word, and 100 in APAC, nearly none."""
    return [
        *talks(found, "price", tag="hit", team="EMEA"),
        *talks(100 - found, "nothing", tag="no", team="EMEA"),
        *talks(missed, "price", tag="far-hit", team="APAC"),
        *talks(100 - missed, "nothing", tag="far", team="APAC"),
    ]


def test_a_filter_is_tried_on_the_month_and_counts_what_it_had_lost(acme, alice):
    tracker(acme, alice, "price", name="Pricing")
    arrive(acme, emea_and_apac())

    one = suggested(acme)["Pricing", "FILTER"]

    assert (one.field, one.is_excluded, one.words) == ("TEAM", False, "team is EMEA")
    assert (one.credits_before, one.credits_after, one.saved) == (200, 100, 100)
    assert (one.conversations_before, one.conversations_after) == (200, 100)
    assert (one.found_count, one.lost_count) == (61, 1)
    assert advice.sentence(one) == "Narrow “Pricing”: team is EMEA"
    assert advice.evidence(one) == (
        "With this filter, 30 days had cost 50 % less and lost 1 of 61 results."
    )


def test_no_filter_is_kept_that_loses_more_than_one_result_in_fifty(acme, alice):
    tracker(acme, alice, "price", name="Pricing", include_emails=True)
    arrive(acme, emea_and_apac(missed=3))

    assert ("Pricing", "FILTER") not in kinds(acme)


def test_one_value_is_left_out_where_most_are_to_stay(acme, alice):
    tracker(acme, alice, "price", name="Pricing")
    teams = ("EMEA", "APAC", "LATAM", "Nordics")
    arrive(
        acme,
        [
            *(one for team in teams for one in talks(15, "price", tag=f"{team}-hit", team=team)),
            *(one for team in teams for one in talks(15, "nothing", tag=f"{team}-no", team=team)),
            *talks(60, "nothing", tag="support", team="Support"),
        ],
    )

    one = suggested(acme)["Pricing", "FILTER"]

    assert (one.field, one.is_excluded, one.words) == ("TEAM", True, "team is not Support")
    assert (one.saved, one.lost_count, one.found_count) == (60, 0, 60)


def test_of_several_fields_the_one_that_saves_most_is_named(acme, alice):
    tracker(acme, alice, "price", name="Pricing")
    stage = {"deal": {"name": "Robots", "stage": "closed"}}
    arrive(
        acme,
        [
            *talks(40, "price", tag="a", team="EMEA"),
            *talks(40, "nothing", tag="b", team="APAC", **stage),
            *talks(40, "nothing", tag="c", team="EMEA", **stage),
        ],
    )

    one = suggested(acme)["Pricing", "FILTER"]

    assert (one.words, one.saved) == ("deal stage is evaluation", 80)


def test_results_spread_evenly_call_for_no_filter(acme, alice):
    tracker(acme, alice, "price")
    teams = ("EMEA", "APAC")
    arrive(
        acme,
        [
            *(one for team in teams for one in talks(20, "price", tag=f"{team}-hit", team=team)),
            *(one for team in teams for one in talks(80, "nothing", tag=f"{team}-no", team=team)),
        ],
    )

    assert kinds(acme) == set()


def test_a_small_team_without_results_is_chance(acme, alice):
    tracker(acme, alice, "price")
    arrive(
        acme,
        [
            *talks(30, "price", tag="hit", team="EMEA"),
            *talks(90, "nothing", tag="no", team="EMEA"),
            *talks(16, "nothing", tag="small", team="Labs"),
        ],
    )

    assert kinds(acme) == set()


def test_many_small_values_without_results_are_no_less_chance(acme, alice):
    tracker(acme, alice, "price")
    arrive(
        acme,
        [
            *talks(12, "price", tag="hit", team="EMEA"),
            *talks(88, "nothing", tag="no", team="EMEA"),
            *(talk(f"t{n}", "nothing", day=n, team=f"Team {n}") for n in range(1, 29)),
        ],
    )

    assert kinds(acme) == set()


def test_ten_results_are_too_few_to_divide_but_not_eleven(acme, alice):
    tracker(acme, alice, "price")
    history = [
        *talks(9, "price", tag="hit", team="EMEA"),
        *talks(9, "nothing", tag="no", team="EMEA"),
        *talks(60, "nothing", tag="far", team="APAC"),
    ]
    arrive(acme, history)
    assert kinds(acme) == set()

    arrive(acme, [talk("tenth", "price", day=0.2, team="EMEA")])

    assert kinds(acme) == {("Price talk", "FILTER")}


# No filter


def test_an_unfiltered_tracker_is_offered_most_of_its_results_for_much_less(acme, alice):
    tracker(acme, alice, "price", name="Pricing")
    arrive(
        acme,
        [
            *talks(45, "price", tag="hit", team="EMEA"),
            *talks(55, "nothing", tag="no", team="EMEA"),
            *talks(10, "price", tag="far-hit", team="APAC"),
            *talks(90, "nothing", tag="far", team="APAC"),
        ],
    )

    one = suggested(acme)["Pricing", "NO_FILTER"]

    assert (one.words, one.saved, one.lost_count) == ("team is EMEA", 100, 10)
    assert advice.evidence(one) == (
        "It has no filter. With this one, 30 days had cost 50 % less and lost 10 of 55 results."
    )


# E-mails


def mixed(*, found_in_mails: int = 0, mails: int = 60):
    return [
        *talks(20, "price", tag="hit"),
        *talks(40, "nothing", tag="no"),
        *talks(mails - found_in_mails, "nothing", tag="no", kind="email"),
        *talks(found_in_mails, "price", tag="hit", kind="email"),
    ]


def test_emails_without_results_are_left_out(acme, alice):
    tracker(acme, alice, "price", name="Pricing", include_emails=True)
    arrive(acme, mixed())

    one = suggested(acme)["Pricing", "EMAILS"]

    assert (one.credits_before, one.credits_after) == (Decimal("66"), Decimal("60"))
    assert advice.sentence(one) == "Leave e-mails out of “Pricing”"
    assert advice.evidence(one) == (
        "No results in 60 e-mails of 30 days; all 20 results are from calls."
    )


def test_one_result_in_an_email_is_reason_to_read_them(acme, alice):
    tracker(acme, alice, "price", include_emails=True)
    arrive(acme, mixed(found_in_mails=1))

    assert kinds(acme) == set()


def test_few_emails_say_nothing(acme, alice):
    tracker(acme, alice, "price", include_emails=True)
    arrive(acme, mixed(mails=49))

    assert kinds(acme) == set()


def test_where_calls_give_little_either_emails_are_not_to_blame(acme, alice):
    tracker(acme, alice, "price", include_emails=True)
    arrive(
        acme,
        [
            *talks(1, "price", tag="hit"),
            *talks(59, "nothing", tag="no"),
            *talks(60, "nothing", kind="email"),
        ],
    )

    assert kinds(acme) == set()


# The same as another


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


# Few results for the credits


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


# What is kept


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
