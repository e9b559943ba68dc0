"""What an erasure is asked for: by id, address or person; and what is not there."""

from __future__ import annotations

import pytest

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import erasure, erasure_requests
from trackers.erasure_requests import NothingToErase
from trackers.models import Conversation, TeamMember

pytestmark = pytest.mark.django_db


def erase(request, now):
    return erasure.erase(request=request, by=None, reason="Asked for by letter", now=now)


def one(company, external_id: str):
    return erasure_requests.by_external_id(company=company, external_id=external_id)


def test_an_address_takes_every_conversation_it_took_part_in_or_owned(acme, now):
    other = [{"id": "c", "name": "Dora", "email": "dora@globex.example", "role": "external"}]
    turn = [{"id": "u0", "speaker": "c", "start": 0.0, "text": "Hello."}]
    conversations.ingest(
        acme,
        record("with-carl"),
        record("with-dora", participants=other, utterances=turn, owner="rep@acme.example"),
        record("owned", participants=other, utterances=turn, owner="lea@acme.example"),
    )

    customer = erasure_requests.by_email(company=acme, email=" Carl@GLOBEX.example ")
    rep = erasure_requests.by_email(company=acme, email="rep@acme.example")

    assert len(customer.conversation_ids) == 1
    assert len(rep.conversation_ids) == 2
    erase(rep, now)
    left = Conversation.objects.filter(erased_at=None).values_list("external_id", flat=True)
    assert list(left) == ["owned"]
    assert not TeamMember.objects.filter(email="rep@acme.example").exists()


def test_a_team_member_that_a_filter_names_stays_as_a_removed_person(acme, now):
    conversations.ingest(acme, record("call-1"))
    member = TeamMember.objects.get(email="rep@acme.example")

    counts = erase(erasure_requests.by_member(company=acme, member_id=member.pk), now)

    member.refresh_from_db()
    assert member.email == f"removed-{member.pk.hex}@removed.invalid"
    assert member.name == f"Removed person #{member.pk.hex[-8:]}"
    assert (counts.members, counts.calls) == (1, 1)
    with pytest.raises(NothingToErase):
        erasure_requests.by_member(company=acme, member_id=member.pk)


def test_a_member_whom_nothing_names_any_more_goes_with_the_last_call(acme, now):
    conversations.ingest(acme, record("call-1"), record("call-2"))

    first = erase(one(acme, "call-1"), now)
    kept = TeamMember.objects.filter(email="rep@acme.example").exists()
    second = erase(one(acme, "call-2"), now)

    assert (first.members, kept, second.members) == (0, True, 1)
    assert not TeamMember.objects.filter(email="rep@acme.example").exists()


def test_a_member_who_can_sign_in_stays_known_when_their_last_call_goes(acme, now):
    conversations.ingest(acme, record("call-1"))
    lou = people.member(acme, "VIEWER", "Lou")
    TeamMember.objects.filter(email="rep@acme.example").update(user=lou)

    counts = erase(one(acme, "call-1"), now)

    assert counts.members == 0
    assert TeamMember.objects.get(user=lou).email == "rep@acme.example"


def test_what_only_mentions_an_address_is_counted_and_taken_on_request(acme, now):
    turns = [{"id": "u0", "speaker": "r", "start": 0.0, "text": "Write to dora@globex.example."}]
    conversations.ingest(acme, record("call-1"), record("call-2", utterances=turns))

    counted = erasure_requests.by_email(company=acme, email="dora@globex.example")
    taken = erasure_requests.by_email(company=acme, email="dora@globex.example", with_mentions=True)

    assert (counted.conversation_ids, counted.mention_count) == ((), 1)
    assert len(taken.conversation_ids) == 1


def test_there_is_nothing_to_erase_of_a_stranger(acme, now):
    conversations.ingest(acme, record("call-1"))
    erase(one(acme, "call-1"), now)

    for ask in (
        lambda: one(acme, "call-1"),
        lambda: one(acme, "call-9"),
        lambda: erasure_requests.by_email(company=acme, email="nobody@nowhere.example"),
    ):
        with pytest.raises(NothingToErase, match="check the spelling and the company"):
            ask()


def test_another_company_s_conversations_are_not_found(acme):
    globex = people.company("Globex")
    conversations.ingest(globex, record("call-1"))

    with pytest.raises(NothingToErase):
        one(acme, "call-1")
