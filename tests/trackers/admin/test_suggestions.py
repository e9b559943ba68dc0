"""What could be saved: shown with its figures, done in two steps, and taken back (UX §1b)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.security.acting import agreed, seen
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import advice, advising, configuring, narrowing
from trackers.models import AdviceRun, Narrowing, Suggestion, Team, TrackerFilter

pytestmark = pytest.mark.django_db

CREDITS, LIST = reverse("admin:credits_page"), reverse("admin:trackers_suggestion_changelist")


@pytest.fixture
def acme():
    acme = people.company()
    people.credits_for(acme, "1000")
    return acme


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def tracker(acme, alice):
    """Four long calls, two of each team, and ten e-mails in the month behind: 5.0 credits."""
    now = timezone.now()
    long = {"duration_seconds": 900}
    calls = [
        record(f"{team}-{n}", started_at=now - timedelta(days=5 + n), team=team, **long)
        for team in ("EMEA", "APAC")
        for n in (1, 2)
    ]
    mail = {"kind": "email", "duration_seconds": 0, "team": "EMEA"}
    mails = [record(f"mail-{n}", started_at=now - timedelta(days=n), **mail) for n in range(1, 11)]
    conversations.ingest(acme, *calls, *mails)
    return conversations.published(acme, alice, include_emails=True)


def suggest(tracker, kind="EMAILS", **changes) -> Suggestion:
    run, _ = AdviceRun.objects.get_or_create(
        company=tracker.company, defaults={"computed_at": timezone.now()}
    )
    emea = Team.objects.get(company=tracker.company, name="EMEA")
    of_kind = {
        "EMAILS": {"credits_after": 4, "conversations_after": 4},
        "NO_RESULTS": {"found_count": 0},
        "DUPLICATE": {},
        "FILTER": {
            "credits_after": 3,
            "conversations_after": 12,
            "field": "TEAM",
            "values": [str(emea.pk)],
            "words": "team is EMEA",
        },
    }[kind]
    row = {
        "conversations_before": 14,
        "conversations_after": 0,
        "credits_before": 5,
        "credits_after": 0,
        "read_count": 14,
        "found_count": 3,
    }
    return Suggestion.objects.create(
        company=tracker.company,
        run=run,
        tracker=tracker,
        kind=kind,
        edit_number=tracker.edit_number,
        **(row | of_kind | changes),
    )


def apply_url(suggestion: Suggestion) -> str:
    return reverse("admin:trackers_suggestion_apply", args=[suggestion.pk])


def tracker_url(page: str, tracker) -> str:
    return reverse(f"admin:trackers_tracker_{page}", args=[tracker.pk])


# Where they are shown


def test_the_credits_page_names_each_saving_with_its_reason_and_leads_to_it(acme, alice, tracker):
    suggestion = suggest(tracker)

    page = pages.read(signed_in(alice, acme).get(CREDITS))

    (one,) = page.all(data_metric="suggestion")
    assert (one["data-kind"], one["data-value"]) == ("EMAILS", "1.0")
    assert "Leave e-mails out of “Pricing objection”" in page.text
    assert "No results in 10 e-mails of 30 days; all 3 results are from calls." in page.text
    assert "saves ≈ 1.0 a month" in page.text
    assert apply_url(suggestion) in page.links()
    assert LIST in page.links()


def test_a_viewer_reads_what_could_be_saved_and_is_led_nowhere(acme, tracker):
    suggestion = suggest(tracker)
    vic = signed_in(people.vic(acme), acme)

    page = pages.read(vic.get(CREDITS))

    assert "Leave e-mails out of “Pricing objection”" in page.text
    assert apply_url(suggestion) not in page.links()
    assert vic.get(LIST).status_code == 403
    assert vic.get(apply_url(suggestion)).status_code == 403


def test_the_credits_page_says_when_it_looked_and_found_nothing(acme, alice):
    client = signed_in(alice, acme)
    assert "Once a tracker has run for two weeks" in pages.read(client.get(CREDITS)).text

    advising.refresh(company=acme, now=timezone.now())

    assert "Nothing to save was found in the 30 days before" in pages.read(client.get(CREDITS)).text


def test_the_dearest_five_are_on_the_page_and_all_on_their_own(acme, alice, tracker):
    for number in range(6):
        other = conversations.published(acme, alice, f"Other {number}")
        suggest(other, "NO_RESULTS", credits_before=10 + number)
    client = signed_in(alice, acme)

    few = pages.read(client.get(CREDITS))
    all_of_them = pages.read(client.get(LIST))

    shown = [one["data-value"] for one in few.all(data_metric="suggestion")]
    assert shown == ["15.0", "14.0", "13.0", "12.0", "11.0"]
    assert "All suggestions (1 more)" in few.text
    listed = [one["data-value"] for one in all_of_them.all(data_metric="saved")]
    assert listed == ["15.0", "14.0", "13.0", "12.0", "11.0", "10.0"]
    assert "Worked out" in all_of_them.text


def test_the_list_is_worked_out_where_the_hourly_job_is_late(acme, alice, tracker):
    assert not acme.advice_runs.exists()

    signed_in(alice, acme).get(LIST)

    assert acme.advice_runs.count() == 1


def test_the_list_takes_as_many_queries_for_many_as_for_few(acme, alice, tracker):
    client = signed_in(alice, acme)
    suggest(tracker)
    client.get(LIST)
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)

    for number in range(5):
        suggest(conversations.published(acme, alice, f"Other {number}"), "NO_RESULTS")

    with CaptureQueriesContext(connection) as many:
        assert pages.read(client.get(LIST)).all(data_metric="saved")
    assert len(many) == len(few)


# What one does


def test_the_page_says_in_numbers_what_a_suggestion_changes_and_changes_nothing(
    acme, alice, tracker
):
    suggestion = suggest(tracker)

    answer = signed_in(alice, acme).get(apply_url(suggestion))

    page = pages.read(answer)
    assert pages.confirming_button(answer) == "Apply"
    assert "Calls and e-mails → Calls" in page.text
    assert (page.figure("conversations-before"), page.figure("conversations-after")) == ("14", "4")
    assert (page.figure("credits-before"), page.figure("credits-after")) == ("5.0", "4.0")
    assert "(−20 %)" in page.text
    assert "not enough use yet to say" in page.text
    tracker.refresh_from_db()
    assert (tracker.include_emails, tracker.edit_number) == (True, suggestion.edit_number)


def test_leaving_emails_out_is_done_and_taken_back(acme, alice, tracker):
    client = signed_in(alice, acme)

    answer = seen(client, apply_url(suggest(tracker)))

    assert answer["Location"] == tracker_url("change", tracker)
    tracker.refresh_from_db()
    assert (tracker.include_calls, tracker.include_emails) == (True, False)
    after = client.get(answer["Location"]).content.decode()
    assert f'<a class="credits-link" href="{tracker_url("undo", tracker)}">Undo</a>' in after

    undo = client.get(tracker_url("undo", tracker))
    assert "Calls → Calls and e-mails" in pages.read(undo).text
    seen(client, tracker_url("undo", tracker))
    tracker.refresh_from_db()
    assert (tracker.include_calls, tracker.include_emails) == (True, True)


def test_a_filter_is_added_beside_those_there_are(acme, alice, tracker):
    TrackerFilter.objects.create(
        company=acme, tracker=tracker, field="DEAL_STAGE", text="evaluation"
    )
    client = signed_in(alice, acme)

    page = pages.read(client.get(apply_url(suggestion := suggest(tracker, "FILTER"))))
    seen(client, apply_url(suggestion))

    assert "deal stage is evaluation → team is EMEA and deal stage is evaluation" in page.text
    assert (page.figure("credits-before"), page.figure("credits-after")) == ("5.0", "3.0")
    words = [(row.field, str(row.team or row.text)) for row in tracker.filters.all()]
    assert sorted(words) == [("DEAL_STAGE", "evaluation"), ("TEAM", "EMEA")]


def test_unpublishing_a_tracker_without_results_leads_back_to_publishing(acme, alice, tracker):
    client = signed_in(alice, acme)
    suggestion = suggest(tracker, "NO_RESULTS")
    asked = client.get(apply_url(suggestion))
    page = pages.read(asked)

    answer = seen(client, apply_url(suggestion))

    assert pages.confirming_button(asked) == "Unpublish"
    assert "Published → Unpublished" in page.text
    assert (page.figure("credits-before"), page.figure("credits-after")) == ("5.0", "0.0")
    tracker.refresh_from_db()
    assert tracker.state == "UNPUBLISHED"
    after = client.get(answer["Location"]).content.decode()
    assert f'href="{tracker_url("publish", tracker)}">Publish it again</a>' in after


def test_what_was_suggested_for_a_tracker_as_it_was_is_not_done_to_another(acme, alice, tracker):
    client = signed_in(alice, acme)
    suggestion = suggest(tracker)
    shown = client.get(apply_url(suggestion))
    sent = {field.name: str(field.value()) for field in shown.context["form"].hidden_fields()}
    narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=narrowing.Reads(calls=False, emails=True, filters=frozenset()),
        by=alice,
        now=timezone.now(),
    )

    answer = client.post(
        apply_url(suggestion), sent | {"step": "confirm", "seen": shown.context["seen"]}
    )

    assert "This tracker was changed since" in pages.read(answer).text
    tracker.refresh_from_db()
    assert (tracker.include_calls, tracker.include_emails) == (False, True)
    opened = client.get(apply_url(suggestion), follow=True)
    assert "This tracker was changed since" in pages.read(opened).text
    assert opened.redirect_chain[-1][0] == LIST


# Narrowing by hand, and undoing


def test_narrowing_shows_before_and_after_from_the_tracker_s_own_page(acme, alice, tracker):
    client = signed_in(alice, acme)
    narrow = tracker_url("narrow", tracker)
    assert narrow in pages.read(client.get(tracker_url("change", tracker))).links()
    emea = Team.objects.get(company=acme, name="EMEA")
    form = {"edit_number": str(tracker.edit_number), "include_calls": "on", "teams": str(emea.pk)}
    key = client.get(narrow).context["form"]["key"].value()

    page = pages.read(client.post(narrow, form | {"key": str(key)}))
    assert "all conversations → team is EMEA" in page.text
    assert "Calls and e-mails → Calls" in page.text
    assert (page.figure("credits-before"), page.figure("credits-after")) == ("5.0", "2.0")
    assert not tracker.filters.exists()

    agreed(client, narrow, **form)

    tracker.refresh_from_db()
    assert (tracker.include_emails, tracker.filters.get().team) == (False, emea)
    kept = Narrowing.objects.get(is_undoable=True)
    assert (kept.made_by, kept.emails_before, kept.filters_before) == (alice, True, [])


def test_a_form_that_changes_nothing_says_so(acme, alice, tracker):
    form = {"edit_number": str(tracker.edit_number), "include_calls": "on", "include_emails": "on"}
    client = signed_in(alice, acme)
    key = client.get(tracker_url("narrow", tracker)).context["form"]["key"].value()

    page = client.post(tracker_url("narrow", tracker), form | {"key": str(key)})

    assert "nothing would change" in pages.read(page).text


def test_a_stale_form_is_refused_with_who_changed_it(acme, alice, tracker):
    client = signed_in(people.bob(acme), acme)
    form = {"edit_number": str(tracker.edit_number), "include_calls": "on"}
    configuring.save(
        company=acme,
        tracker_id=tracker.pk,
        edit_number=tracker.edit_number,
        settings=configuring.Settings(name="Renamed", include_emails=True),
        question=configuring.question_of(tracker.version_in_force),
        by=alice,
        now=timezone.now(),
    )

    page = pages.read(agreed(client, tracker_url("narrow", tracker), **form))

    assert "Alice changed this at" in page.text
    tracker.refresh_from_db()
    assert tracker.include_emails


def narrowed(tracker, alice):
    return narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=narrowing.Reads(calls=True, emails=False, filters=frozenset()),
        by=alice,
        now=timezone.now(),
    )


def undo_links(client, tracker) -> list[str]:
    page = client.get(tracker_url("history", tracker)).content.decode()
    return re.findall(r'href="([^"]*/undo/\?change=[^"]+)"', page)


def test_the_history_offers_undo_of_the_last_change_and_only_to_who_may(acme, alice, tracker):
    narrowed(tracker, alice)

    (link,) = undo_links(signed_in(alice, acme), tracker)
    of_vendor = undo_links(signed_in(people.vera(), acme), tracker)

    assert link.endswith(str(Narrowing.objects.get(is_undoable=True).pk))
    assert of_vendor == []


def test_undo_is_refused_once_what_the_tracker_reads_was_changed_again(acme, alice, tracker):
    client = signed_in(alice, acme)
    first = narrowed(tracker, alice)
    (link,) = undo_links(client, tracker)
    shown = client.get(link)
    sent = {field.name: str(field.value()) for field in shown.context["form"].hidden_fields()}
    emea = Team.objects.get(company=acme, name="EMEA")
    narrowing.save(
        tracker=first,
        edit_number=first.edit_number,
        reads=narrowing.of(first).filtered("TEAM", [str(emea.pk)], is_excluded=False),
        by=alice,
        now=timezone.now(),
    )

    answer = client.get(link, follow=True)
    posted = client.post(
        tracker_url("undo", tracker),
        sent | {"step": "confirm", "seen": shown.context["seen"]},
        follow=True,
    )

    assert len(undo_links(client, tracker)) == 1
    assert link not in undo_links(client, tracker)
    assert "What the tracker reads was changed after that" in pages.read(answer).text
    assert "What the tracker reads was changed after that" in pages.read(posted).text
    assert answer.redirect_chain[-1][0] == tracker_url("history", tracker)
    tracker.refresh_from_db()
    assert (tracker.include_emails, tracker.filters.get().team) == (False, emea)


def test_an_undone_change_can_be_done_again(acme, alice, tracker):
    client = signed_in(alice, acme)
    narrowed(tracker, alice)
    seen(client, undo_links(client, tracker)[0])

    seen(client, undo_links(client, tracker)[0])

    tracker.refresh_from_db()
    assert not tracker.include_emails


def test_what_is_left_of_a_suggestion_is_hidden_after_it_was_done(acme, alice, tracker):
    client = signed_in(alice, acme)
    seen(client, apply_url(suggest(tracker)))

    assert list(advice.standing()) == []
    assert pages.read(client.get(CREDITS)).all(data_metric="suggestion") == []
