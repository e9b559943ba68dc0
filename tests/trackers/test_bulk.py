"""Bulk writing: a new table is counted as soon as it holds a chunk, and keys are checked by key."""

from __future__ import annotations

import gc

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from tests.support import conversations, people
from trackers import bulk, ingestion
from trackers.models import Conversation, Participant

# What the server runs for each row that points to a conversation.
CHECK = (
    "EXPLAIN (GENERIC_PLAN, COSTS OFF) SELECT 1 FROM ONLY trackers_conversation x"
    " WHERE company_id = $1 AND id = $2 FOR KEY SHARE OF x"
)


@pytest.fixture
def acme(committed):
    return people.company()


def plan() -> str:
    with connection.cursor() as cursor:
        cursor.execute(CHECK)
        return "\n".join(row[0] for row in cursor.fetchall())


def counted(table: str) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [table])
        return cursor.fetchone()[0]


def calls(count: int):
    return [conversations.record(f"call {number}") for number in range(count)]


def test_the_first_full_chunk_has_keys_checked_by_key(acme, monkeypatch):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 200)
    before = plan()

    conversations.ingest(acme, *calls(400))

    # Where this fails, the server has learned to tell the indexes of an empty table apart.
    assert "trackers_conversation_company_and_id" not in before
    assert "trackers_conversation_company_and_id" in plan()
    # Counted once, when there were two hundred: not again with each chunk.
    assert counted("trackers_conversation") == 200
    assert counted("trackers_participant") == 400


def test_a_few_conversations_are_not_worth_counting(acme):
    conversations.ingest(acme, *calls(5))

    assert counted("trackers_conversation") == -1


def test_a_copy_breaks_no_rule_and_writes_nothing_that_does(acme):
    one = conversations.conversation(acme, "one")
    other = people.company("Other")
    columns = ("company_id", "conversation_id", "external_id", "name", "email", "affiliation")

    with pytest.raises(IntegrityError, match="same_company"):
        bulk.copy(
            Participant,
            columns,
            [
                (acme.pk, one.pk, "new", "", "", "COMPANY"),
                (other.pk, one.pk, "new too", "", "", "COMPANY"),
            ],
        )

    assert sorted(one.participants.values_list("external_id", flat=True)) == ["c", "r"]


def test_ids_that_were_taken_are_given_to_nobody_else(acme):
    taken = bulk.take_ids(Participant, 3)

    conversations.conversation(acme, "one")

    assert len(set(taken)) == 3
    assert not Participant.objects.filter(pk__in=taken).exists()
    assert Conversation.objects.get().participants.count() == 2


def test_a_long_import_sets_older_objects_aside_until_it_ends(acme, monkeypatch):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 2)
    aside = [
        gc.get_freeze_count() > 0
        for _ in ingestion.ingest(company=acme, records=calls(5), now=timezone.now())
    ]

    assert aside == [True, True, True]
    assert gc.get_freeze_count() == 0


def test_an_import_that_is_left_early_gives_older_objects_back(acme, monkeypatch):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 2)
    running = ingestion.ingest(company=acme, records=calls(5), now=timezone.now())
    next(running)
    running.close()

    assert gc.get_freeze_count() == 0


def test_a_short_import_sets_nothing_aside(acme):
    aside = [
        gc.get_freeze_count()
        for _ in ingestion.ingest(company=acme, records=calls(5), now=timezone.now())
    ]

    assert aside == [0]
