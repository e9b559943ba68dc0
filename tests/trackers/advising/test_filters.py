"""Filters, and leaving e-mails out, are tried on the month behind (SPEC §6)."""

from __future__ import annotations

from decimal import Decimal

from tests.support.histories import arrive, kinds, suggested, talk, talks, tracker
from trackers import advice


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


def test_one_result_where_seven_are_usual_is_chance_and_where_ten_are_it_is_not(acme, alice):
    tracker(acme, alice, "price", name="Pricing")
    history = [
        *talks(49, "price", tag="hit", team="EMEA"),
        *talks(51, "nothing", tag="no", team="EMEA"),
        *talks(1, "price", tag="far-hit", team="APAC"),
        *talks(16, "nothing", tag="far", team="APAC"),
    ]
    arrive(acme, history)
    assert kinds(acme) == set()

    arrive(acme, talks(12, "nothing", tag="more", team="APAC"))

    assert kinds(acme) == {("Pricing", "FILTER")}


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


def test_a_doubt_in_an_email_is_reason_to_read_them_too(acme, alice):
    tracker(acme, alice, "price", include_emails=True)
    arrive(acme, [*mixed(), *talks(1, "perhaps", "price", tag="doubt", kind="email")])

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
