"""What narrowing would do follows the form while it is filled in, and changes nothing (UX B3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.changes import Watch
from tests.support.conversations import record
from trackers.models import Team, Tracker

pytestmark = pytest.mark.django_db

NOTHING_CHANGES = "This is what the tracker reads already; nothing would change."


@pytest.fixture
def watch(db):
    """See which tables a request changes; made before any row is."""
    return Watch()


@pytest.fixture
def acme():
    acme = people.company("Acme")
    people.credits_for(acme, "1000")
    return acme


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def tracker(acme, alice):
    """Four long calls, two of each team, and ten e-mails of EMEA in 30 days: 5.0 credits."""
    now = timezone.now()
    calls = [
        record(f"{team}-{n}", started_at=now - timedelta(days=5 + n), team=team, **LONG)
        for team in ("EMEA", "APAC")
        for n in (1, 2)
    ]
    mail = {"kind": "email", "duration_seconds": 0, "team": "EMEA"}
    mails = [record(f"mail-{n}", started_at=now - timedelta(days=n), **mail) for n in range(1, 11)]
    conversations.ingest(acme, *calls, *mails)
    return conversations.published(acme, alice, include_emails=True)


LONG = {"duration_seconds": 900}


@pytest.fixture
def page(acme, alice):
    return signed_in(alice, acme)


def url(tracker) -> str:
    return reverse("admin:trackers_tracker_narrow", args=[tracker.pk])


def form_of(page, tracker, **changes) -> dict:
    key = page.get(url(tracker)).context["form"]["key"].value()
    kinds = {"include_calls": "on", "include_emails": "on"}
    return {"key": str(key), "edit_number": str(tracker.edit_number)} | kinds | changes


def look(page, tracker, **changes):
    return page.post(url(tracker), form_of(page, tracker, **changes) | {"step": "look"})


def team(company, name: str = "EMEA") -> str:
    return str(Team.objects.get(company=company, name=name).pk)


def test_the_figures_of_a_chosen_filter_come_alone_and_nothing_is_saved(watch, page, acme, tracker):
    form = form_of(page, tracker, teams=team(acme))
    watch.changed()

    answer = page.post(url(tracker), form | {"step": "look"})

    assert "<html" not in answer.content.decode()
    shown = pages.read(answer)
    assert "Filters all conversations → team is EMEA" in shown.text
    assert "Conversations in 30 days 14 → 12" in shown.text
    # Two of four long calls are 2.0 of 4.0 credits, and all ten e-mails are EMEA's.
    assert "Credits a month ≈ 5.0 → ≈ 3.0 (−40 %)" in shown.text
    assert "Nothing is changed yet." in shown.text
    assert watch.changed() == set()


def test_the_figures_are_those_of_the_second_page(page, acme, tracker):
    form = form_of(page, tracker, teams_excluded=team(acme, "APAC"))

    looked, second = (
        pages.read(page.post(url(tracker), form | {"step": step})) for step in ("look", "")
    )

    for metric, expected in {
        "conversations-before": "14",
        "conversations-after": "12",
        "credits-before": "5.0",
        "credits-after": "3.0",
    }.items():
        assert (looked.figure(metric), second.figure(metric)) == (expected, expected)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"include_calls": "", "include_emails": ""}, "Choose calls, e-mails or both."),
        ({}, NOTHING_CHANGES),
        (
            {"deal_stages": "dreamt of"},
            "Deal stages: Select a valid choice. dreamt of is not one of the available choices.",
        ),
    ],
)
def test_a_form_without_figures_is_answered_with_one_sentence(page, tracker, changes, sentence):
    answer = look(page, tracker, **changes)

    assert answer.status_code == 200
    assert pages.read(answer).text == sentence


def test_another_company_s_values_have_no_figures(page, tracker):
    globex = people.company("Globex")
    strange = Team.objects.create(company=globex, name="Canary")

    answer = look(page, tracker, teams=str(strange.pk))

    said = pages.read(answer).text
    assert said.startswith("Teams: Select a valid choice.")
    assert "Canary" not in said


def test_another_company_s_tracker_is_not_found(page, acme, tracker):
    globex = people.company("Globex")
    strange = conversations.published(globex, people.member(globex, "TECH_ADMIN", "Gina"))

    answer = page.post(url(strange), form_of(page, tracker) | {"step": "look"})

    assert answer.status_code == 404


def test_a_viewer_is_refused_the_figures(page, acme, tracker):
    form = form_of(page, tracker, teams=team(acme))

    answer = signed_in(people.vic(acme), acme).post(url(tracker), form | {"step": "look"})

    assert answer.status_code in (403, 404)
    assert "5.0" not in answer.content.decode()


def test_twenty_teams_take_as_many_queries_as_two(page, acme, tracker):
    made = [Team.objects.create(company=acme, name=f"Team {n:02}") for n in range(20)]
    chosen = [[str(one.pk) for one in made[:count]] for count in (2, 20)]
    few, many = (form_of(page, tracker, teams=teams) | {"step": "look"} for teams in chosen)
    page.post(url(tracker), few)  # The first of all asks for what is kept from then on.

    with CaptureQueriesContext(connection) as for_few:
        page.post(url(tracker), few)
    with CaptureQueriesContext(connection) as for_many:
        answer = page.post(url(tracker), many)

    assert "team is Team 00 or Team 01 or" in pages.read(answer).text
    assert len(for_few) == len(for_many)


def test_the_form_s_page_has_the_script_and_a_region_that_is_read_out(page, tracker):
    shown = pages.read(page.get(url(tracker)))

    (script,) = [one for one in shown.all(tag="script") if "live" in one.get("src", "")]
    assert script["src"] == "/static/credits/live.js"
    assert finders.find("credits/live.js")
    assert shown.all(role="status")
    # Until the script shows it: without one the second page says the same.
    assert [one for one in shown.all(data_live="act_form") if "hidden" in one]


def test_an_act_whose_form_is_not_followed_has_no_such_region(page, tracker):
    shown = pages.read(page.get(reverse("admin:billing_purchase_request")))

    assert not [one for one in shown.elements if "data-live" in one]
    assert "credits/live.js" not in str(shown.elements)


def test_looking_never_confirms(page, acme, tracker):
    form = form_of(page, tracker, teams=team(acme))
    seen = page.post(url(tracker), form).context["seen"]

    page.post(url(tracker), form | {"step": "look", "seen": seen})

    assert not Tracker.objects.get(pk=tracker.pk).filters.exists()
