"""What makes a version, what is a setting, and what is refused (SPEC §3, §5)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, changes, configuring, filters, publishing, scanning
from trackers.configuring import FilterValue, NotSaved, Question, Settings
from trackers.models import (
    FilterField,
    Scan,
    Team,
    TeamMember,
    Tracker,
    TrackerFilter,
    TrackerVersion,
)

pytestmark = pytest.mark.django_db

SETTINGS = Settings(name="Pricing objection")
QUESTION = Question(question="Did the customer object to the price?", side="CUSTOMER")


def save(
    company, by, *, tracker=None, settings=SETTINGS, question=QUESTION, edit_number=None, at=None
):
    return configuring.save(
        company=company,
        tracker_id=tracker and tracker.pk,
        edit_number=edit_number or (tracker and tracker.edit_number),
        settings=settings,
        question=question,
        by=by,
        now=at or timezone.now(),
    )


def team_filter(company, name="EMEA Sales", *, is_excluded=False) -> FilterValue:
    team = Team.objects.get(company=company, name=name)
    return FilterValue(FilterField.TEAM, team.pk, is_excluded)


def publish(tracker, by):
    return publishing.publish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=by, now=timezone.now()
    )


def test_a_new_tracker_is_a_draft_with_version_1(acme, alice):
    tracker = save(acme, alice)

    version = TrackerVersion.objects.get(tracker=tracker)
    assert (tracker.state, tracker.edit_number, tracker.created_by) == ("DRAFT", 1, alice)
    assert (version.number, version.question, version.side) == (
        1,
        "Did the customer object to the price?",
        "CUSTOMER",
    )
    assert version.published_at is None
    assert tracker.history.get().history_user == alice


def test_the_question_of_a_draft_changes_in_place(acme, alice):
    tracker = save(acme, alice)

    save(acme, alice, tracker=tracker, question=replace(QUESTION, question="Is it too dear?"))

    version = TrackerVersion.objects.get(tracker=tracker)
    assert (version.number, version.question) == (1, "Is it too dear?")


@pytest.mark.parametrize(
    "change",
    [
        {"question": "Is it too dear?"},
        {"details": "Discounts count."},
        {"side": "ANY"},
        {"answer_type": "TEXT"},
        {"answer_type": "CATEGORY", "choices": ("yes", "rather not")},
    ],
)
def test_a_changed_question_is_a_draft_beside_the_version_in_force(acme, alice, change):
    tracker = publish(save(acme, alice), alice)

    saved = save(acme, alice, tracker=tracker, question=replace(QUESTION, **change))

    draft = publishing.draft_version(saved)
    assert (saved.state, saved.version_in_force.number) == ("PUBLISHED", 1)
    assert saved.version_in_force.question == "Did the customer object to the price?"
    assert (draft.number, draft.published_at) == (2, None)
    assert publish(saved, alice).version_in_force == draft


def test_a_question_put_back_drops_the_draft(acme, alice):
    tracker = publish(save(acme, alice), alice)
    tracker = save(acme, alice, tracker=tracker, question=replace(QUESTION, side="ANY"))

    tracker = save(acme, alice, tracker=tracker)

    assert publishing.draft_version(tracker) is None
    assert [version.number for version in tracker.versions.all()] == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Prices"},
        {"description": "For the sales review."},
        {"include_emails": True},
        {"examples": ("Too dear.",)},
        {"counter_examples": ("A good price.",)},
        {"catch_up": True},
        {"campaign_end_date": date(2027, 6, 30)},
    ],
)
def test_settings_take_effect_at_once_and_make_no_version(acme, alice, change):
    tracker = publish(save(acme, alice), alice)

    save(acme, alice, tracker=tracker, settings=replace(SETTINGS, **change))

    tracker.refresh_from_db()
    ((name, value),) = change.items()
    stored = getattr(tracker, name)
    assert (tuple(stored) if isinstance(stored, list) else stored) == value
    assert [version.number for version in tracker.versions.all()] == [1]
    assert tracker.edit_number == 3


def test_changed_settings_never_make_a_conversation_payable_again(acme, alice, now, monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("a"), record("b"))
    tracker = publish(save(acme, alice), alice)
    history = {"from_at": now - timedelta(days=60), "to_at": now, "ceiling": None}
    first = backfills.launch(
        tracker_id=tracker.pk, rates=people.rates(), by=alice, now=now, **history
    )
    scanning.run_batch(version_id=first.version_id, backfill_id=first.pk, clock=timezone.now)

    changed = Settings(
        name="Prices",
        include_emails=True,
        examples=("Too dear.",),
        filters=frozenset({team_filter(acme)}),
    )
    save(acme, alice, tracker=tracker, settings=changed)

    with pytest.raises(backfills.NothingToScan):
        backfills.launch(tracker_id=tracker.pk, rates=people.rates(), by=alice, now=now, **history)
    assert UsageEvent.objects.get(company=acme).amount == Decimal("1.000")
    assert balances.now(company=acme).remaining == Decimal("9.000")
    assert reconciliation.check() == []


def test_changed_examples_or_filters_make_the_analyzer_learn_anew(acme, alice):
    conversations.ingest(acme, record("a"))
    tracker = publish(save(acme, alice), alice)
    TrackerVersion.objects.filter(tracker=tracker).update(calibration={"old": True})

    save(acme, alice, tracker=tracker, settings=replace(SETTINGS, examples=("Too dear.",)))

    assert TrackerVersion.objects.get(tracker=tracker).calibration is None


def test_saving_what_is_there_changes_nothing(acme, alice):
    conversations.ingest(acme, record("a"))
    settings = replace(SETTINGS, filters=frozenset({team_filter(acme)}))
    tracker = save(acme, alice, settings=settings)

    save(acme, alice, tracker=tracker, settings=settings)

    tracker.refresh_from_db()
    assert (tracker.edit_number, tracker.history.count()) == (1, 1)
    assert configuring.settings_of(tracker) == settings


def test_filters_are_exchanged_and_the_history_says_from_what_to_what(acme, alice):
    conversations.ingest(acme, record("a"), record("b", team="Support"))
    tracker = save(acme, alice, settings=replace(SETTINGS, filters=frozenset({team_filter(acme)})))

    settings = replace(
        SETTINGS,
        filters=frozenset(
            {
                team_filter(acme, "Support"),
                FilterValue(FilterField.DEAL_STAGE, "evaluation"),
                FilterValue(FilterField.ACCOUNT_TYPE, "prospect"),
            }
        ),
    )
    tracker = save(acme, alice, tracker=tracker, settings=settings)

    assert filters.in_words(tracker) == (
        "team is Support and account type is prospect and deal stage is evaluation"
    )
    assert changes.filters_in_words(tracker) == {
        tracker.edit_number: (
            "team is EMEA Sales",
            "team is Support and account type is prospect and deal stage is evaluation",
        )
    }
    assert tracker.history.latest("history_id").history_change_reason is None


def test_a_stale_form_is_refused_with_who_and_when(acme, alice):
    tracker = save(acme, alice)
    lee = people.member(acme, "BUSINESS_ADMIN", "Lee")
    at = datetime(2026, 11, 24, 9, 2, tzinfo=UTC)
    save(acme, lee, tracker=tracker, settings=replace(SETTINGS, name="Prices"), at=at)

    with pytest.raises(NotSaved, match=r"Lee changed this at 10:02 CET on 24 Nov 2026"):
        save(acme, alice, tracker=tracker, edit_number=1)

    tracker.refresh_from_db()
    assert tracker.name == "Prices"


@pytest.mark.parametrize(
    ("settings", "question", "message", "field"),
    [
        (
            {},
            {"question": "  "},
            (
                "Not saved: a tracker needs a question. Say who did what, such as “Did the "
                "customer ask for a discount?”"
            ),
            "question",
        ),
        ({"name": " "}, {}, "Not saved: give the tracker a name.", "name"),
        (
            {"include_calls": False},
            {},
            "Not saved: choose calls, e-mails or both.",
            "include_calls",
        ),
        (
            {},
            {"answer_type": "CATEGORY", "choices": ("price", "Price")},
            "Not saved: an answer that is one of several choices needs at least two of them.",
            "choices",
        ),
        (
            {"examples": ("x",) * 51},
            {},
            "Not saved: at most 50 examples; these are 51.",
            "examples",
        ),
        (
            {"examples": ("x" * 501,)},
            {},
            "Not saved: examples of at most 500 characters each.",
            "examples",
        ),
        (
            {"name": "Taken"},
            {},
            "Not saved: there is another tracker named “Taken”. Choose another name.",
            "name",
        ),
    ],
)
def test_a_tracker_that_cannot_be_is_refused_in_one_sentence_and_nothing_is_written(
    acme, alice, settings, question, message, field
):
    save(acme, alice, settings=replace(SETTINGS, name="Taken"))
    tracker = save(acme, alice)

    for one in (None, tracker):
        with pytest.raises(NotSaved) as refusal:
            save(
                acme,
                alice,
                tracker=one,
                settings=replace(SETTINGS, **settings),
                question=replace(QUESTION, **question),
            )
        assert (str(refusal.value), refusal.value.field) == (message, field)

    assert Tracker.objects.filter(company=acme).count() == 2
    assert Tracker.history.filter(company=acme).count() == 2
    assert configuring.settings_of(Tracker.objects.get(pk=tracker.pk)) == SETTINGS


@pytest.mark.parametrize("field", [FilterField.TEAM, FilterField.USER])
def test_a_filter_by_a_row_of_another_company_is_refused(acme, alice, field):
    other = people.company("Globex")
    conversations.ingest(other, record("a"))
    rows = {FilterField.TEAM: Team, FilterField.USER: TeamMember}
    theirs = rows[field].objects.filter(company=other).first()

    for value in (theirs.pk, uuid.uuid4()):
        settings = replace(SETTINGS, filters=frozenset({FilterValue(field, value)}))
        with pytest.raises(NotSaved, match=f"the company has no {field.label.lower()} chosen"):
            save(acme, alice, settings=settings)

    assert Tracker.objects.count() == 0


@pytest.mark.parametrize("field", [FilterField.ACCOUNT_TYPE, FilterField.DEAL_STAGE])
def test_a_filter_by_a_text_no_conversation_has_is_refused(acme, alice, field):
    conversations.ingest(acme, record("a"))
    settings = replace(SETTINGS, filters=frozenset({FilterValue(field, "nowhere")}))

    with pytest.raises(NotSaved, match=f"the company has no {field.label.lower()} “nowhere”"):
        save(acme, alice, settings=settings)

    assert Tracker.objects.count() == 0


def test_filters_that_together_match_nothing_are_refused_and_the_old_ones_stay(acme, alice):
    conversations.ingest(
        acme,
        record("a"),
        record("b", team="Support", deal={"name": "Other", "stage": "closed"}),
    )
    good = replace(SETTINGS, filters=frozenset({team_filter(acme)}))
    tracker = save(acme, alice, settings=good)
    bad = frozenset({team_filter(acme), FilterValue(FilterField.DEAL_STAGE, "closed")})

    with pytest.raises(NotSaved, match="no conversation passes these filters"):
        save(acme, alice, tracker=tracker, settings=replace(SETTINGS, name="New", filters=bad))

    tracker.refresh_from_db()
    assert (tracker.name, tracker.edit_number) == ("Pricing objection", 1)
    assert TrackerFilter.objects.get().team.name == "EMEA Sales"


def test_another_company_s_tracker_cannot_be_changed(acme, alice):
    theirs = conversations.tracker(people.company("Globex"))

    with pytest.raises(Tracker.DoesNotExist):
        save(acme, alice, tracker=theirs)


def test_a_version_that_scans_is_kept_when_the_question_changes(acme, alice, now):
    tracker = publish(save(acme, alice), alice)
    conversations.ingest(acme, record("a", started_at=timezone.now()))

    save(acme, alice, tracker=tracker, question=replace(QUESTION, side="ANY"))

    assert Scan.objects.get().state == "PENDING"
