"""Taking conversations in (SPEC §5): new or history, same or changed, and who is known by what."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from credits import rating
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import ingestion
from trackers.models import (
    Conversation,
    Deal,
    Participant,
    Scan,
    TeamMember,
    Utterance,
)

pytestmark = pytest.mark.django_db


def test_a_conversation_keeps_who_said_what_on_which_side(acme):
    call = conversations.conversation(acme, "call-1")

    assert [
        (turn.external_id, turn.affiliation, turn.start_seconds, turn.text)
        for turn in Utterance.objects.filter(conversation=call).order_by("position")
    ] == [
        ("u0", "COMPANY", Decimal("0.000"), "Here is our proposal."),
        ("u1", "NON_COMPANY", Decimal("4.500"), "That is too expensive for us."),
    ]
    assert (call.team.name, call.owner.email) == ("EMEA Sales", "rep@acme.example")
    assert (call.account_type, call.deal_stage) == ("prospect", "evaluation")
    assert (call.company_text_count, call.non_company_text_count) == (1, 1)


def test_the_same_content_again_changes_nothing(acme):
    first = conversations.ingest(acme, record("call-1"))
    before = Conversation.objects.values().get()

    again = conversations.ingest(acme, record("call-1", started_at=before["started_at"]))

    assert (first.created, first.unchanged) == (1, 0)
    assert (again.created, again.unchanged) == (0, 1)
    assert Conversation.objects.values().get() == before
    assert Utterance.objects.count() == 2


def test_a_changed_text_is_a_new_revision_and_scans_nothing(acme, now):
    conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    start = now - timedelta(days=30)
    conversations.ingest(acme, record("call-1", started_at=start))

    report = conversations.ingest(
        acme,
        record(
            "call-1",
            started_at=start,
            utterances=[{"id": "u0", "speaker": "c", "start": 1.0, "text": "Quite different."}],
        ),
    )

    call = Conversation.objects.get()
    assert (report.revised, call.text_revision) == (1, 2)
    assert (call.company_text_count, call.non_company_text_count) == (0, 1)
    assert list(call.utterances.filter(revision=1).values_list("text", flat=True)) == [
        "Here is our proposal.",
        "That is too expensive for us.",
    ]
    assert Scan.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_seconds": 301},
        {
            "participants": [
                {"id": "r", "name": "Rita Rep", "role": "external"},
                {"id": "c", "name": "Carl Customer", "role": "external"},
            ]
        },
    ],
)
def test_duration_and_sides_belong_to_the_text(acme, now, changes):
    conversations.ingest(acme, record("call-1", started_at=now))

    report = conversations.ingest(acme, record("call-1", started_at=now, **changes))

    assert report.revised == 1


def test_who_changes_sides_is_on_the_new_one_with_what_they_say(acme, now):
    conversations.ingest(acme, record("call-1", started_at=now))
    sides = [{"id": "r", "role": "external"}, {"id": "c", "role": "internal"}]

    conversations.ingest(acme, record("call-1", started_at=now, participants=sides))

    call = Conversation.objects.get()
    people_now = call.participants.order_by("external_id")
    assert list(people_now.values_list("external_id", "affiliation")) == [
        ("c", "COMPANY"),
        ("r", "NON_COMPANY"),
    ]
    said = call.utterances.filter(revision=2).order_by("position")
    assert list(said.values_list("speaker__external_id", "affiliation")) == [
        ("r", "NON_COMPANY"),
        ("c", "COMPANY"),
    ]


def test_changed_details_update_the_conversation_and_keep_its_text(acme, now):
    conversations.ingest(acme, record("call-1", started_at=now))

    report = conversations.ingest(
        acme,
        record(
            "call-1",
            started_at=now,
            title="Renamed",
            team="Support",
            deal={"name": "Globex robots", "stage": "closed won"},
        ),
    )

    call = Conversation.objects.get()
    assert (report.updated, call.text_revision, call.title) == (1, 1, "Renamed")
    assert (call.team.name, call.deal_stage) == ("Support", "closed won")
    assert Deal.objects.get().stage == "closed won"


def test_work_that_has_not_begun_reads_the_newest_text(acme, now):
    conversations.published(acme, people.alice(acme), now=now - timedelta(days=1))
    conversations.ingest(acme, record("call-1", started_at=now))

    conversations.ingest(acme, record("call-1", started_at=now, duration_seconds=900))

    scan = Scan.objects.get()
    assert (scan.state, scan.revision) == ("PENDING", 2)


def test_a_deal_s_stage_is_that_of_its_newest_conversation(acme, now):
    newest, older = now - timedelta(days=1), now - timedelta(days=9)
    won = {"name": "Globex robots", "stage": "closed won"}

    conversations.ingest(acme, record("new", started_at=newest, deal=won))
    conversations.ingest(acme, record("old", started_at=older))

    assert Deal.objects.get().stage == "closed won"
    assert Conversation.objects.get(external_id="old").deal_stage == "evaluation"


def test_members_are_known_by_e_mail_address_whatever_its_case_and_never_by_name(acme, now):
    participants = [
        {"id": "r", "name": "Rita Rep", "email": "REP@acme.example", "role": "internal"},
        {"id": "x", "name": "Rita Rep", "role": "internal"},
        {"id": "c", "name": "rep@acme.example", "role": "external"},
    ]
    conversations.ingest(
        acme, record("call-1", owner="Rep@Acme.example", participants=participants)
    )

    member = TeamMember.objects.get(company=acme)
    linked = Participant.objects.filter(team_member=member)
    assert member.email == "rep@acme.example"
    assert [person.external_id for person in linked] == ["r"]


def guest(email: str = "pat@acme.example", role: str = "internal") -> dict[str, str]:
    return {"id": "p", "name": "Pat", "email": email, "role": role}


def attended(external_id: str, *guests, **changes):
    """A call of Rita's at which others took part as well."""
    usual = json.loads(record(external_id).model_dump_json())["participants"]
    return record(external_id, participants=[*usual, *guests], **changes)


def teams(company) -> dict[str, str | None]:
    rows = TeamMember.objects.filter(company=company).values_list("email", "team__name")
    return dict(rows)


def test_who_takes_part_on_our_side_is_a_member_before_they_own_a_conversation(acme):
    nameless = {"id": "n", "name": "Nobody", "role": "internal"}
    theirs = guest("carla@globex.example", role="external") | {"id": "q"}

    conversations.ingest(acme, attended("call-1", guest("Pat@Acme.example"), nameless, theirs))

    assert teams(acme) == {"rep@acme.example": "EMEA Sales", "pat@acme.example": None}
    pat = TeamMember.objects.get(email="pat@acme.example")
    assert [one.external_id for one in pat.participations.all()] == ["p"]


def test_a_member_s_team_is_that_of_the_first_conversation_they_own(acme, now):
    conversations.ingest(acme, attended("call-1", guest()))
    first = record("call-3", owner="pat@acme.example", team="Support", started_at=now)
    later = record("call-4", owner="pat@acme.example", team="Sales", started_at=now)
    teamless = record("call-2", owner="pat@acme.example", team=None)

    conversations.ingest(acme, teamless)
    assert teams(acme)["pat@acme.example"] is None
    conversations.ingest(acme, first)
    conversations.ingest(acme, later)

    assert teams(acme) == {"rep@acme.example": "EMEA Sales", "pat@acme.example": "Support"}


def test_of_one_import_the_earliest_owned_conversation_says_the_team(acme, now):
    pat = {"owner": "pat@acme.example"}
    conversations.ingest(
        acme,
        record("later", team="Sales", started_at=now, **pat),
        record("first", team="Support", started_at=now - timedelta(days=2), **pat),
        attended("guest", guest(), started_at=now - timedelta(days=3)),
    )

    assert teams(acme)["pat@acme.example"] == "Support"


def test_the_same_address_in_two_companies_is_two_members(acme):
    globex = people.company("Globex")
    conversations.ingest(acme, attended("call-1", guest()))
    conversations.ingest(globex, record("call-1", owner="pat@acme.example", team="Support"))

    assert teams(acme)["pat@acme.example"] is None
    assert teams(globex)["pat@acme.example"] == "Support"


@pytest.mark.parametrize(
    ("age", "queued"),
    [
        (timedelta(minutes=-1), 1),
        (timedelta(0), 1),
        (timedelta(days=7), 1),
        (timedelta(days=7, seconds=1), 0),
    ],
)
def test_a_conversation_is_new_for_seven_days(acme, now, age, queued):
    conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))

    report = conversations.ingest(acme, record("call-1", started_at=now - age), now=now)

    assert report.scans == queued


def test_what_started_before_the_first_publication_is_history(acme, now):
    published_at = now - timedelta(days=2)
    conversations.published(acme, people.alice(acme), now=published_at)

    before = record("before", started_at=published_at - timedelta(microseconds=1))
    report = conversations.ingest(acme, before, record("at", started_at=published_at), now=now)

    assert report.scans == 1
    assert Scan.objects.get().conversation.external_id == "at"


def test_drafts_and_unpublished_trackers_scan_nothing(acme, now):
    conversations.tracker(acme)

    report = conversations.ingest(acme, record("call-1", started_at=now), now=now)

    assert report.scans == 0


def test_the_preview_counts_what_the_import_queues_and_keeps_nothing(acme, now):
    admin = people.alice(acme)
    earlier = now - timedelta(days=60)
    conversations.published(acme, admin, now=earlier)
    conversations.published(acme, admin, "Mails too", include_emails=True, now=earlier)
    silent = [{"id": "u0", "speaker": "c", "start": 0.0, "text": "…"}]
    incoming = [
        record("short", started_at=now),
        record("exactly-600", started_at=now, duration_seconds=600),
        record("long", started_at=now, duration_seconds=601),
        record("mail", started_at=now, kind="email", duration_seconds=0),
        record("silent", started_at=now, utterances=silent),
        record("history", started_at=now - timedelta(days=8)),
    ]

    preview = ingestion.preview(company=acme, records=incoming, now=now, rates=rating.rates_at(now))

    assert Conversation.objects.count() == 0
    # Two trackers read 0.5 + 0.5 + 1 + 0; one of them the e-mail for 0.1.
    assert (preview.conversations, preview.scans) == (5, 9)
    assert preview.credits == Decimal("4.1")
    assert conversations.ingest(acme, *incoming, now=now).scans == 9


def test_what_was_there_before_is_not_new_again(acme, now):
    conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    conversations.ingest(acme, record("call-1", started_at=now), now=now)

    preview = ingestion.preview(
        company=acme,
        records=[record("call-1", started_at=now, duration_seconds=900)],
        now=now,
        rates=rating.rates_at(now),
    )

    assert (preview.conversations, preview.scans, preview.credits) == (0, 0, Decimal("0.000"))
