"""The database refuses work and conversations that contradict themselves (DESIGN §2–4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from credits.identifiers import new_id
from tests.support import conversations, people
from tests.support.breaking import copy_refused_by, refused_by, update_refused_by
from trackers import backfills, scanning
from trackers.models import (
    CustomerAccount,
    Deal,
    Participant,
    Quote,
    Scan,
    Team,
    TeamMember,
    TrackerFilter,
    Utterance,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "10")
    return company


@pytest.fixture
def call(acme):
    return conversations.conversation(acme, "call-1")


@pytest.fixture
def backfill(acme, call):
    admin = people.alice(acme)
    tracker = conversations.published(acme, admin)
    now = timezone.now()
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=admin,
        now=now,
    )


@pytest.fixture
def queued(backfill):
    return Scan.objects.get(backfill=backfill)


@pytest.fixture
def done(queued):
    scanning.run_batch(
        version_id=queued.version_id, backfill_id=queued.backfill_id, clock=timezone.now
    )
    queued.refresh_from_db()
    return queued


def test_a_scan_is_done_and_charged_or_neither(done):
    rule = "scan_is_done_if_and_only_if_it_is_charged"
    assert update_refused_by(done, usage_event_id=None) == rule
    assert update_refused_by(done, state="PENDING", finished_at=None) == rule
    assert update_refused_by(done, verdict="MAYBE") == rule
    assert update_refused_by(done, price=None) == rule


def test_a_scan_is_leased_while_it_runs_and_finished_when_it_is(queued):
    leased = "scan_is_leased_while_it_runs"
    assert update_refused_by(queued, state="RUNNING") == leased
    assert update_refused_by(queued, lease_token=new_id()) == leased
    finish = "scan_has_a_finish_when_it_is_finished"
    assert update_refused_by(queued, state="SKIPPED") == finish
    assert update_refused_by(queued, finished_at=timezone.now()) == finish


def test_a_text_is_read_once_per_version(queued):
    assert copy_refused_by(queued, id=new_id()) == "scan_reads_a_text_once_per_version"


def test_a_scan_of_a_backfill_names_it(queued):
    assert update_refused_by(queued, action="CONTINUOUS") == "scan_of_a_backfill_names_it"
    assert update_refused_by(queued, backfill_id=None) == "scan_of_a_backfill_names_it"


def test_a_backfill_holds_its_dates_figures_and_end(backfill):
    assert update_refused_by(backfill, to_at=backfill.from_at) == "backfill_ends_after_it_begins"
    assert update_refused_by(backfill, ceiling="-1") == "backfill_ceiling_is_not_negative"
    assert update_refused_by(backfill, state="DONE") == "backfill_has_an_end_when_it_ended"
    assert (
        update_refused_by(backfill, ended_at=timezone.now()) == "backfill_has_an_end_when_it_ended"
    )
    assert copy_refused_by(backfill, id=new_id()) == "tracker_has_one_backfill_at_a_time"
    assert update_refused_by(backfill, state="PAUSED") == "backfill_is_paused_by_a_person"
    assert update_refused_by(backfill, paused_at=timezone.now()) == "backfill_is_paused_by_a_person"


def test_a_tracker_holds_its_state(backfill):
    tracker = backfill.tracker
    published = "tracker_published_once_has_a_version_and_a_date"
    assert update_refused_by(tracker, state="DRAFT") == published
    assert update_refused_by(tracker, current_version_id=None) == published
    assert update_refused_by(tracker, first_published_at=None) == published
    assert update_refused_by(tracker, state="RETIRED") in (published, "tracker_state_is_known")
    assert (
        update_refused_by(tracker, include_calls=False, include_emails=False)
        == "tracker_reads_calls_or_emails"
    )
    assert copy_refused_by(tracker, id=new_id()) == "tracker_name_is_unique_in_a_company"


def test_a_tracker_s_state_is_one_of_three(acme):
    draft = conversations.tracker(acme)

    assert (
        update_refused_by(
            draft,
            state="RETIRED",
            first_published_at=timezone.now(),
            current_version_id=draft.versions.get().pk,
        )
        == "tracker_state_is_known"
    )


def test_a_version_has_a_question_and_a_number(acme):
    version = conversations.tracker(acme).versions.get()

    assert update_refused_by(version, question="") == "version_has_a_question"
    said = {"month_estimate": 2}
    assert update_refused_by(version, **said) == "version_is_estimated_when_it_is_published"
    assert update_refused_by(version, side="EVERYBODY") == "version_side_and_answer_type_are_known"
    assert copy_refused_by(version, id=new_id(), number=2) == "tracker_has_one_draft_version"
    assert (
        copy_refused_by(version, id=new_id(), published_at=timezone.now())
        == "version_number_is_unique_in_a_tracker"
    )


def test_a_filter_s_value_fits_its_field_and_stands_once(acme, call):
    tracker = conversations.tracker(acme)
    team = Team.objects.get(company=acme)
    condition = TrackerFilter.objects.create(company=acme, tracker=tracker, field="TEAM", team=team)

    assert update_refused_by(condition, field="USER") == "filter_value_fits_its_field"
    assert update_refused_by(condition, text="x") == "filter_value_fits_its_field"
    assert copy_refused_by(condition) == "filter_names_a_value_once"


def test_a_quote_is_of_something_and_ranks_once(done):
    quote = Quote.objects.filter(scan=done).first()

    assert copy_refused_by(quote) == "quote_rank_is_unique"
    assert update_refused_by(quote, start=quote.end) == "quote_is_not_empty"


def test_conversations_and_what_they_name_are_unique(acme, call):
    rows = {
        call: "conversation_external_id_is_unique_in_a_company",
        Team.objects.get(company=acme): "team_name_is_unique_in_a_company",
        TeamMember.objects.get(company=acme): "team_member_email_is_unique_in_a_company",
        CustomerAccount.objects.get(company=acme): "account_name_is_unique_in_a_company",
        Deal.objects.get(company=acme): "deal_name_is_unique_in_an_account",
    }
    for row, constraint in rows.items():
        assert copy_refused_by(row, id=new_id()) == constraint
    person = Participant.objects.filter(conversation=call).first()
    assert copy_refused_by(person) == "participant_is_unique_in_a_conversation"
    turn = Utterance.objects.filter(conversation=call).first()
    assert copy_refused_by(turn) == "utterance_has_one_place_in_a_revision"


def test_kinds_and_sides_are_known(call):
    person = Participant.objects.filter(conversation=call).first()
    turn = Utterance.objects.filter(conversation=call).first()

    assert update_refused_by(call, kind="FAX") == "conversation_kind_is_known"
    assert update_refused_by(person, affiliation="BOTH") == "participant_affiliation_is_known"
    assert update_refused_by(turn, affiliation="BOTH") == "utterance_affiliation_is_known"


def test_no_row_names_a_row_of_another_company(done):
    """I16, over every composite key of this app: an existing row with a stranger's company."""
    stranger = people.company("Globex")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, conrelid::regclass::text,"
            " (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[2])"
            " FROM pg_constraint WHERE contype = 'f' AND conname LIKE 'trackers%%same_c%%'"
        )
        keys = cursor.fetchall()
        assert len(keys) == 60
        filled = []
        for name, table, column in keys:
            cursor.execute(f"SELECT id FROM {table} WHERE {column} IS NOT NULL LIMIT 1")
            if row := cursor.fetchone():
                filled.append((name, table, row[0]))

    assert len(filled) >= 20
    for _name, table, pk in filled:
        # Whichever key of the row is looked at first, one that carries the company refuses.
        statement = f"UPDATE {table} SET company_id = %s WHERE id = %s"
        refused = refused_by(statement, [stranger.pk, pk])
        assert refused.endswith(("_same_company", "_same_conversation"))


def test_who_speaks_took_part_in_the_conversation(acme, call):
    other = conversations.conversation(acme, "another")
    turn = Utterance.objects.filter(conversation=call).first()
    key = "trackers_utterance_speaker_id_same_conversation"

    assert update_refused_by(turn, speaker_id=other.participants.first().pk) == key
    assert update_refused_by(turn, conversation_id=other.pk, position=99) == key
    assert update_refused_by(turn, conversation_id=new_id()) == key
