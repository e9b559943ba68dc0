"""Who took part in a call that was imported from Gong is called by Gong's ids again."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.support import conversations
from tests.support.conversations import record
from tests.trackers.api.gong import asking
from tests.trackers.api.gong.asking import post
from tests.trackers.api.gong.test_calls import EVERYTHING, EXTENSIVE, TRANSCRIPT
from tests.trackers.importers import test_gong as gong
from trackers.importers import records
from trackers.models import Conversation, Participant

RITA, CARL = ("56825452554556", "6432345678555530067"), ("56825452554557", "6432345678555530068")
SILENT = {"id": "56825452554558", "name": "Sid Silent", "affiliation": "External"}
PARTIES = [*gong.call()["parties"], SILENT]


def imported(company, parties):
    """Import one call as Gong answers it; return what became of it."""
    call = gong.call(parties=parties)
    _, (found,) = gong.read(gong.extensive(call), gong.transcripts(gong.transcript()))
    return conversations.ingest(company, found)


def asked(company):
    """Return what a client of Gong's API is answered of the one call, and of its transcript."""
    program = asking.of(company)
    calls = post(program, EXTENSIVE, {"filter": {}, "contentSelector": EVERYTHING}).json()
    said = post(program, TRANSCRIPT, {"filter": {}}).json()
    return calls["calls"][0], said["callTranscripts"][0]


def test_a_party_has_its_own_id_and_its_speaker_s_as_gong_had_them(acme):
    imported(acme, PARTIES)

    call, transcript = asked(acme)

    assert [(one["name"], one["id"], one.get("speakerId")) for one in call["parties"]] == [
        ("Rita Rep", *RITA),
        ("Carl Customer", *CARL),
        ("Sid Silent", SILENT["id"], None),
    ]
    assert [one["speakerId"] for one in transcript["transcript"]] == [RITA[1], CARL[1]]
    assert [one["id"] for one in call["interaction"]["speakers"]] == [RITA[0], CARL[0]]


def test_what_is_answered_is_imported_elsewhere_with_the_same_ids(acme, beta):
    imported(acme, PARTIES)
    call, transcript = asked(acme)

    _, (found,) = gong.read(gong.extensive(call), gong.transcripts(transcript))
    conversations.ingest(beta, found)

    ours, theirs = (
        list(rows.order_by("pk").values_list("party_id", "external_id"))
        for rows in (Participant.objects.filter(company=one) for one in (acme, beta))
    )
    assert ours == theirs == [RITA, CARL, ("", SILENT["id"])]


def test_a_call_of_before_gets_the_ids_by_the_same_import_and_keeps_its_text(acme):
    """One whose parties had no other id is as all were stored before that was kept."""
    imported(acme, [one | {"id": one.get("speakerId", one["id"])} for one in PARTIES])
    assert [one["id"] for one in asked(acme)[0]["parties"]] == [RITA[1], CARL[1], SILENT["id"]]

    done = imported(acme, PARTIES)
    again = imported(acme, PARTIES)

    assert (done.revised, done.updated, done.unchanged) == (0, 1, 0)
    assert (again.revised, again.updated, again.unchanged) == (0, 0, 1)
    assert [one["id"] for one in asked(acme)[0]["parties"]] == [RITA[0], CARL[0], SILENT["id"]]
    assert Conversation.objects.get(company=acme).text_revision == 1
    assert Participant.objects.filter(company=acme).count() == 3


def test_a_record_may_name_a_party_s_id_and_one_that_is_no_number_gets_one(acme):
    people = [
        {"id": "r", "name": "Rita", "party_id": "4711", "role": "internal"},
        {"id": "c", "name": "Carl", "party_id": "carl", "role": "external"},
    ]
    conversations.ingest(acme, record("118", participants=people))

    call, transcript = asked(acme)

    rita, carl = call["parties"]
    assert rita["id"] == "4711"
    assert carl["id"].isdigit()
    assert len({rita["speakerId"], carl["speakerId"], rita["id"], carl["id"]}) == 4
    assert [one["speakerId"] for one in transcript["transcript"]] == [
        rita["speakerId"],
        carl["speakerId"],
    ]


def test_a_party_s_id_is_no_part_of_the_text_nor_of_what_came_without_one(acme):
    plain = record("118")
    named = json.loads(plain.model_dump_json())
    named["participants"][0]["party_id"] = "4711"
    other = records.parse(json.dumps(named))

    assert other.text_digest == plain.text_digest
    assert other.metadata_digest != plain.metadata_digest
    # As it was before ids of parties were kept, so that nothing stored is written again.
    of_a_day = record("118", started_at=datetime(2026, 11, 2, tzinfo=UTC))
    assert of_a_day.metadata_digest.hex() == (
        "b83893185e746ef5391f375945ab5405055063cab71509b83028845c3379ffaf"
    )
