"""The form of a new tracker has its cost beside it before anything is saved (UX C4)."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from credits.models import Source
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.changes import Watch
from tests.support.conversations import record
from trackers.models import Team, Tracker

pytestmark = pytest.mark.django_db

ADD = reverse("admin:trackers_tracker_add")
INCOMPLETE = "Before it can be saved, complete: Name, Question."


@pytest.fixture
def watch(db):
    """See which tables a request changes; made before any row is."""
    return Watch()


@pytest.fixture
def acme():
    """A month of 4 long and 16 short calls, 12.0 credits, and of 5 e-mails of Support, 0.5."""
    company = people.company()
    people.credits_for(company, "50", source=Source.ALLOCATION)
    lately = timezone.now() - timedelta(days=3)
    conversations.ingest(
        company,
        *(record(f"long-{n}", started_at=lately, duration_seconds=900) for n in range(4)),
        *(record(f"short-{n}", started_at=lately) for n in range(16)),
        *(record(f"mail-{n}", started_at=lately, kind="email", team="Support") for n in range(5)),
    )
    return company


@pytest.fixture
def page(acme):
    return signed_in(people.alice(acme), acme)


def form(**changes) -> dict:
    return {
        "name": "Pricing objection",
        "question": "Did the customer object to the price?",
        "answer_type": "YES_NO",
        "side": "CUSTOMER",
        "part": "WHOLE",
        "include_calls": "on",
        "include_emails": "on",
    } | changes


def look(page, *, kind: str = "QUESTION", **changes):
    return page.post(f"{ADD}?kind={kind}", form(**changes) | {"step": "look"})


def cost(answer) -> str:
    """Return what the panel says, between its heading and the end of its section."""
    said = answer.content.decode()
    said = said.split('id="tt-cost">Cost</h2>')[-1].split("</section>")[0]
    return " ".join(html.unescape(re.sub(r"<noscript>.*|<[^>]+>", "", said, flags=re.S)).split())


def test_the_empty_form_has_the_cost_of_what_it_begins_with(page):
    said = cost(page.get(ADD))

    assert said.startswith("≈ 12.0 credits a month (")
    assert "20 calls, 0 e-mails in the last 30 days" in said
    assert "Of this period's seat allocation: 24 % of 50.0 credits" in said
    assert "Available now: 50.0 credits" in said
    assert "Call longer than 10 minutes: 1.0" in said


def test_the_cost_of_what_is_in_the_form_comes_alone_and_nothing_is_saved(watch, page):
    watch.changed()

    answer = look(page)

    assert "<html" not in answer.content.decode()
    shown = pages.read(answer)
    # All on one of 30 days: what is not known is how the next month's days will vary.
    figures = ("monthly_estimate", "monthly_low", "monthly_high", "available")
    assert [shown.figure(name) for name in figures] == ["12.5", "0.0", "28.3", "50.0"]
    assert "20 calls, 5 e-mails in the last 30 days" in shown.text
    assert "complete" not in shown.text
    assert watch.changed() == set()


def test_the_saved_tracker_s_page_says_the_same(page, acme):
    support = str(Team.objects.get(company=acme, name="Support").pk)
    before = cost(look(page, teams_excluded=support))

    page.post(ADD, form(teams_excluded=support))

    saved = Tracker.objects.get()
    after = cost(page.get(reverse("admin:trackers_tracker_change", args=[saved.pk])))
    assert before == after
    assert before.startswith("≈ 12.0 credits a month (0.0 to 27.2): 20 calls, 0 e-mails")


def test_what_is_missing_is_said_beside_the_figures_it_does_not_move(page):
    shown = pages.read(look(page, name="", question=""))

    assert shown.figure("monthly_estimate") == "12.5"
    assert shown.text.endswith(INCOMPLETE)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"include_calls": "", "include_emails": ""}, "Choose calls, e-mails or both."),
        ({"part": "FIRST"}, "Say how many minutes of a call, from 1 to 600."),
        (
            {"deal_stages": "dreamt of"},
            "Deal stages: Select a valid choice. dreamt of is not one of the available choices.",
        ),
    ],
)
def test_where_it_is_not_decided_what_is_read_one_sentence_says_so(page, changes, sentence):
    answer = look(page, **changes)

    assert answer.status_code == 200
    assert pages.read(answer).text == sentence


def test_a_form_that_comes_back_keeps_the_cost_of_what_is_in_it(page):
    refused = page.post(ADD, form(name=""))

    assert refused.status_code == 200
    assert cost(refused).startswith("≈ 12.5 credits a month (0.0 to 28.3)")
    assert cost(refused).endswith("Before it can be saved, complete: Name.")


def test_keywords_are_free_whatever_they_read(page):
    shown = pages.read(look(page, kind="KEYWORD", terms=""))

    assert shown.figure("monthly_estimate") == "0.0"
    assert "20 calls, 5 e-mails in the last 30 days" in shown.text
    assert "A keyword or pretrained tracker is free" in shown.text
    assert shown.text.endswith("complete: Words and phrases.")


def test_another_company_s_team_has_no_figures(page):
    strange = Team.objects.create(company=people.company("Globex"), name="Canary")

    said = pages.read(look(page, teams=str(strange.pk))).text

    assert said.startswith("Teams: Select a valid choice.")
    assert "Canary" not in said


def test_who_may_not_add_trackers_is_refused_the_figures(acme):
    viewer = signed_in(people.vic(acme), acme)
    vendor = signed_in(people.vera())

    answers = [look(viewer), look(vendor)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Tracker.objects.exists()


def test_twenty_teams_take_as_many_queries_as_two(page, acme):
    made = [Team.objects.create(company=acme, name=f"Team {n:02}") for n in range(20)]
    look(page, teams=[str(made[0].pk)])  # The first of all asks for what is kept from then on.
    counts = []

    for count in (2, 20):
        with CaptureQueriesContext(connection) as queries:
            answer = look(page, teams=[str(one.pk) for one in made[:count]])
        counts.append(len(queries))

    assert pages.read(answer).figure("monthly_estimate") == "0.0"
    assert counts[0] == counts[1]


def test_the_form_of_a_new_tracker_has_the_script_and_a_saved_one_has_not(page, acme):
    new = pages.read(page.get(ADD))
    tracker = conversations.tracker(acme)
    saved = pages.read(page.get(reverse("admin:trackers_tracker_change", args=[tracker.pk])))

    scripts = [
        [one["src"] for one in shown.all(tag="script") if "live" in one.get("src", "")]
        for shown in (new, saved)
    ]
    assert scripts == [["/static/credits/live.js"], []]
    assert new.all(role="status")
    assert new.all(id=new.all(tag="section", data_live="tracker_form")[0]["data-live"])
