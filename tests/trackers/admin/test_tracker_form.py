"""The tracker's page: configure it, and see what it costs (SPEC §5, UX §1c)."""

from __future__ import annotations

import html
import re
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import configuring, filters, publishing
from trackers.models import Scan, Team, TeamMember, Tracker, TrackerFilter, TrackerVersion

pytestmark = pytest.mark.django_db

LIST = reverse("admin:trackers_tracker_changelist")
ADD = reverse("admin:trackers_tracker_add")


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "100")
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return client


def form(**changes) -> dict:
    return {
        "name": "Pricing objection",
        "description": "",
        "question": "Did the customer object to the price?",
        "details": "",
        "answer_type": "YES_NO",
        "choices": "",
        "side": "CUSTOMER",
        "include_calls": "on",
        "catch_up": "on",
        "examples": "Too dear.\n\n  No budget. \nToo dear.",
        "counter_examples": "",
        "edit_number": "",
    } | changes


def change_url(tracker) -> str:
    return reverse("admin:trackers_tracker_change", args=[tracker.pk])


def value(response, metric: str) -> str:
    found = re.findall(rf'data-metric="{metric}" data-value="([^"]*)"', response.content.decode())
    assert len(set(found)) == 1, (metric, found)
    return found[0]


def errors(response) -> dict:
    return {name: list(found) for name, found in response.context["adminform"].form.errors.items()}


def test_a_tracker_is_made_with_its_filters_and_examples(page, acme, alice):
    conversations.ingest(acme, record("a"), record("b", team="Support"))
    emea = Team.objects.get(company=acme, name="EMEA Sales")

    response = page.post(
        ADD, form(teams=[str(emea.pk)], deal_stages=["evaluation"], include_emails="on")
    )

    tracker = Tracker.objects.get()
    assert response.status_code == 302
    assert response.url == change_url(tracker)
    assert (tracker.company, tracker.state, tracker.created_by) == (acme, "DRAFT", alice)
    assert tracker.examples == ["Too dear.", "No budget."]
    assert tracker.include_emails is True
    assert filters.in_words(tracker) == "team is EMEA Sales and deal stage is evaluation"
    assert tracker.versions.get().side == "CUSTOMER"


def test_the_form_shows_what_is_saved(page, acme):
    conversations.ingest(acme, record("a"), record("b", team="Support"))
    rep = TeamMember.objects.get(company=acme, email="rep@acme.example")
    support = Team.objects.get(company=acme, name="Support")
    page.post(ADD, form(members=[rep.pk], teams_excluded=[support.pk], account_types=["prospect"]))
    tracker = Tracker.objects.get()

    shown = page.get(change_url(tracker)).context["adminform"].form.initial

    assert (shown["question"], shown["examples"], shown["edit_number"]) == (
        "Did the customer object to the price?",
        ("Too dear.", "No budget."),
        1,
    )
    assert (shown["members"], shown["teams_excluded"]) == ([rep.pk], [support.pk])
    assert shown["account_types"] == ["prospect"]


def test_the_page_says_what_a_month_costs_and_what_is_available(page, acme):
    conversations.ingest(
        acme,
        record("long", started_at=timezone.now(), duration_seconds=900),
        record("short", started_at=timezone.now()),
        record("mail", started_at=timezone.now(), kind="email"),
    )
    tracker = conversations.tracker(acme, include_emails=True)

    response = page.get(change_url(tracker))

    assert value(response, "monthly_estimate") == "1.6"
    assert "2 calls, 1 e-mail in the last 30 days" in response.content.decode()
    assert value(response, "available") == "100.0"
    assert 'data-status="DRAFT"' in response.content.decode()


def test_a_changed_question_is_drafted_and_the_page_offers_to_publish_it(page, acme, alice):
    tracker = conversations.published(acme, alice)
    response = page.post(
        change_url(tracker), form(question="Is it too dear?", edit_number=2), follow=True
    )

    assert "version 1 stays in force until you publish it" in response.content.decode()
    assert [one.number for one in tracker.versions.order_by("number")] == [1, 2]
    assert "Publish new version" in response.content.decode()


def test_changed_settings_are_in_force_at_once(page, acme, alice):
    tracker = conversations.published(acme, alice)

    response = page.post(change_url(tracker), form(name="Prices", edit_number=2), follow=True)

    assert "The settings are in force now." in response.content.decode()
    assert "Publish new version" not in response.content.decode()
    assert Tracker.objects.get().name == "Prices"
    assert TrackerVersion.objects.count() == 1


def test_a_stale_form_is_refused_with_who_changed_it_and_keeps_what_was_typed(page, acme):
    tracker = conversations.tracker(acme)
    lee = people.member(acme, "BUSINESS_ADMIN", "Lee")
    configuring.save(
        company=acme,
        tracker_id=tracker.pk,
        edit_number=1,
        settings=configuring.Settings(name="Lee's"),
        question=configuring.question_of(tracker.versions.get()),
        by=lee,
        now=timezone.now(),
    )

    response = page.post(change_url(tracker), form(name="Mine", edit_number=1))

    assert response.status_code == 200
    (reason,) = errors(response)["__all__"]
    assert reason.startswith("Lee changed this at ")
    assert response.context["adminform"].form["name"].value() == "Mine"
    assert Tracker.objects.get().name == "Lee's"


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        (
            {"question": " "},
            "question",
            (
                "Not saved: a tracker needs a question. Say who did what, such as “Did the "
                "customer ask for a discount?”"
            ),
        ),
        (
            {"include_calls": ""},
            "include_calls",
            "Not saved: choose calls, e-mails or both.",
        ),
        (
            {"name": "Taken"},
            "name",
            "Not saved: there is another tracker named “Taken”. Choose another name.",
        ),
        (
            {"answer_type": "CATEGORY", "choices": "one"},
            "choices",
            "Not saved: an answer that is one of several choices needs at least two of them.",
        ),
        (
            {"account_types": ["prospect"], "deal_stages": ["closed"]},
            "__all__",
            (
                "Not saved: no conversation passes these filters, so the tracker would never run. "
                "Widen them."
            ),
        ),
        (
            {"deal_stages": ["nowhere"]},
            "deal_stages",
            "Select a valid choice. nowhere is not one of the available choices.",
        ),
    ],
)
def test_what_cannot_be_is_an_error_in_one_sentence_and_nothing_is_written(
    page, acme, changes, field, reason
):
    conversations.ingest(
        acme,
        record("a"),
        record(
            "b",
            account={"name": "Initech", "type": "customer"},
            deal={"name": "Other", "stage": "closed"},
        ),
    )
    conversations.tracker(acme, "Taken")

    response = page.post(ADD, form(**changes))

    assert response.status_code == 200
    assert errors(response) == {field: [reason]}
    assert reason.split("“")[0] in response.content.decode()
    assert Tracker.objects.count() == 1
    assert TrackerVersion.objects.count() == 1
    assert TrackerFilter.objects.count() == 0
    assert Tracker.history.count() == 1


def test_a_crafted_filter_by_another_company_s_team_or_member_is_refused(page, acme):
    globex = people.company("Globex")
    conversations.ingest(acme, record("a"))
    conversations.ingest(globex, record("b", team="Canary team"))
    team = Team.objects.get(company=globex)
    member = TeamMember.objects.get(company=globex)

    for name, row in (
        ("teams", team),
        ("teams_excluded", team),
        ("members", member),
        ("members_excluded", member),
    ):
        response = page.post(ADD, form(**{name: [str(row.pk)]}))
        assert list(errors(response)) == [name]

    assert "Canary team" not in page.get(ADD).content.decode()
    assert Tracker.objects.count() == 0


def test_another_company_s_tracker_is_neither_listed_nor_opened_nor_changed(page):
    theirs = conversations.tracker(people.company("Globex"), "Canary tracker")

    assert "Canary tracker" not in page.get(LIST).content.decode()
    for answer in (
        page.get(change_url(theirs), follow=True),
        page.post(change_url(theirs), form(edit_number=1), follow=True),
    ):
        assert "Canary tracker" not in answer.content.decode()
    for name in ("publish", "unpublish", "backfill", "history"):
        url = reverse(f"admin:trackers_tracker_{name}", args=[theirs.pk])
        assert page.get(url).status_code == 404
        assert page.post(url, {"edit_number": 1}).status_code == 404

    theirs.refresh_from_db()
    assert (theirs.name, theirs.state) == ("Canary tracker", "DRAFT")


@pytest.mark.parametrize(("person", "reads"), [("vic", False), ("vera", True), ("audrey", True)])
def test_who_may_not_edit_may_not_change_anything(client, acme, person, reads):
    tracker = conversations.tracker(acme)
    make = getattr(people, person)
    client.force_login(make(acme) if person == "vic" else make())

    shown = client.get(change_url(tracker))
    assert shown.status_code == (200 if reads else 403)
    assert client.get(LIST).status_code == (200 if reads else 403)
    if reads:
        assert "Did the customer object to the price?" in shown.content.decode()
        assert 'name="question"' not in shown.content.decode()
        assert reverse("admin:trackers_tracker_publish", args=[tracker.pk]) not in str(
            shown.content
        )
    assert client.post(change_url(tracker), form(edit_number=1)).status_code == 403
    assert client.post(ADD, form()).status_code == 403
    for name in ("publish", "unpublish", "backfill"):
        url = reverse(f"admin:trackers_tracker_{name}", args=[tracker.pk])
        assert client.post(url, {"edit_number": 1}).status_code == 403

    tracker.refresh_from_db()
    assert (tracker.name, tracker.state, tracker.edit_number) == ("Pricing objection", "DRAFT", 1)


def test_the_list_shows_state_question_filters_and_the_figures_of_30_days(page, acme, alice):
    now = timezone.now()
    tracker = conversations.published(acme, alice, catch_up=False, now=now)
    conversations.ingest(acme, record("a", started_at=now), record("b", started_at=now), now=now)
    Scan.objects.filter(conversation__external_id="a").update(state="WAITING", price=Decimal("0.5"))

    response = page.get(LIST)

    content = response.content.decode()
    assert 'data-status="PUBLISHED"' in content
    assert 'data-status="WAITING"' in content
    assert value(response, "waiting") == "1"
    assert "Did the customer object to the price?" in content
    assert "all conversations" in content
    assert value(response, "credits_30_days") == "0.0"
    assert value(response, "monthly_estimate") == "1.0"
    assert value(response, "results_30_days") == "0"
    assert change_url(tracker) in content


def test_the_list_takes_as_many_queries_for_one_tracker_as_for_many(
    page, acme, alice, django_assert_max_num_queries
):
    conversations.ingest(acme, record("a"), record("b", team="Support"))

    def add(number):
        tracker = conversations.published(acme, alice, f"Tracker {number}")
        for team in Team.objects.filter(company=acme):
            TrackerFilter.objects.create(company=acme, tracker=tracker, field="TEAM", team=team)

    add(0)
    page.get(LIST)
    with django_assert_max_num_queries(30) as of_one:
        page.get(LIST)
    for number in range(1, 8):
        add(number)
    with django_assert_max_num_queries(30) as of_many:
        response = page.get(LIST)

    assert response.content.decode().count("team is EMEA Sales or Support") == 8
    assert len(of_many) == len(of_one)


def test_the_history_says_who_changed_what_from_what_to_what(page, acme):
    page.post(ADD, form())
    tracker = Tracker.objects.get()
    page.post(change_url(tracker), form(name="Prices", include_emails="on", edit_number=1))

    content = page.get(reverse("admin:trackers_tracker_history", args=[tracker.pk])).content

    text = content.decode()
    assert "Name: Pricing objection → Prices" in text
    assert "E-mails: no → yes" in text
    assert "State: " not in text
    assert len(re.findall(r"<td[^>]*>Alice</td>", text)) == 2


def test_the_history_shows_a_whole_change_of_filters_by_what_people_are_called_today(page, acme):
    named = [f"Petra Longname-Of-Many-Letters {number}" for number in (1, 2, 3)]
    members = [
        TeamMember.objects.create(company=acme, email=f"petra-{place}@acme.example", name=name)
        for place, name in enumerate(named)
    ]
    page.post(ADD, form(members=[members[0].pk, members[1].pk]))
    tracker = Tracker.objects.get()
    page.post(change_url(tracker), form(members=[members[2].pk], edit_number=1))
    TeamMember.objects.filter(pk=members[0].pk).update(name="Renamed")

    content = page.get(reverse("admin:trackers_tracker_history", args=[tracker.pk])).content

    said = html.unescape(content.decode())
    assert (
        "Filters: user is Petra Longname-Of-Many-Letters 2 <petra-1@acme.example>"
        " or Renamed <petra-0@acme.example>"
        " → user is Petra Longname-Of-Many-Letters 3 <petra-2@acme.example>."
    ) in said
    assert said.count("Filters: ") == 1
    assert not tracker.history.exclude(history_change_reason=None).exists()


def test_the_history_says_which_version_came_into_force(page, acme, alice):
    tracker = conversations.published(acme, alice)

    content = page.get(reverse("admin:trackers_tracker_history", args=[tracker.pk])).content

    assert "State: Draft → Published" in content.decode()
    assert "Version 1 came into force." in content.decode()


def test_a_tracker_with_a_draft_version_shows_both(page, acme, alice):
    tracker = conversations.published(acme, alice)
    page.post(change_url(tracker), form(side="ANY", edit_number=2))

    content = page.get(change_url(tracker)).content.decode()

    assert re.search(r"Version 2:\s+a draft, not in force", content)
    assert re.search(r"Version 1:\s+in force since", content)
    assert publishing.draft_version(Tracker.objects.get()).number == 2
