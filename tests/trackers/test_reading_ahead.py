"""What comes next is read while the database works: each record once, in order, errors in place."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.support import conversations, people
from trackers import bulk, ingestion
from trackers.models import Conversation, Participant
from trackers.reading_ahead import ReadAhead

PARTICIPANT = ("company_id", "conversation_id", "external_id", "name", "email", "affiliation")


@pytest.fixture
def acme(db):
    return people.company()


def ahead_of(items, *, most: int, heavy: int = 100) -> ReadAhead:
    """Items that weigh as much as they have letters."""
    return ReadAhead(items, most=most, weigh=len, heavy=heavy)


def failing_after(*items):
    yield from items
    raise OSError("the disk is gone")


def test_items_come_once_and_in_order_whether_read_ahead_or_not():
    ahead = ahead_of("abcdef", most=2)

    before = [next(ahead), ahead.read_one(), ahead.read_one(), ahead.read_one()]

    assert before == ["a", True, True, False]
    assert list(ahead) == ["b", "c", "d", "e", "f"]
    assert not ahead.read_one()


def test_of_heavy_items_fewer_are_kept():
    ahead = ahead_of(["aaa", "bb", "c", "dddddd", "e"], most=5, heavy=5)

    read = [ahead.read_one(), ahead.read_one(), ahead.read_one()]
    taken = next(ahead)

    assert (read, taken) == ([True, True, False], "aaa")
    # Two are kept of the five that may be: one more makes it six, whatever it weighs.
    assert [ahead.read_one(), ahead.read_one(), ahead.read_one()] == [True, True, False]
    assert list(ahead) == ["bb", "c", "dddddd", "e"]


def test_the_end_that_was_found_ahead_is_the_end():
    ahead = ahead_of("a", most=5)

    assert [ahead.read_one(), ahead.read_one(), ahead.read_one()] == [True, False, False]
    assert list(ahead) == ["a"]
    assert list(ahead) == []


def test_what_goes_wrong_ahead_is_told_where_it_would_have_been():
    ahead = ahead_of(failing_after("a", "b"), most=5)
    while ahead.read_one():
        pass

    assert [next(ahead), next(ahead)] == ["a", "b"]
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)


def test_an_import_reads_the_next_chunk_while_the_database_writes_one(acme, monkeypatch):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 3)
    # However fast the server is: whoever waits for it always finds it busy first.
    monkeypatch.setattr(bulk, "is_answered", lambda answered: False)
    read = []

    def records():
        for number in range(8):
            read.append(number)
            yield conversations.record(f"call {number}")

    running = ingestion.ingest(company=acme, records=records(), now=timezone.now())

    reports = [(next(running).created, len(read)) for _ in range(2)]
    # Three are in and three more read, which is as far ahead as it goes; then six and all eight.
    assert reports == [(3, 6), (6, 8)]
    assert [report.created for report in running] == [8]
    found = Conversation.objects.order_by("external_id").values_list("external_id", flat=True)
    assert list(found) == [f"call {number}" for number in range(8)]


def test_heavy_conversations_are_taken_in_a_few_at_a_time(acme, monkeypatch):
    monkeypatch.setattr(bulk, "is_answered", lambda answered: False)
    # Two lines and two participants of 600 bytes each, beside what was said.
    one = conversations.record("one")
    assert one.weight == 4 * 600 + len("Here is our proposal.That is too expensive for us.")
    monkeypatch.setattr(ingestion, "CHUNK_BYTES", one.weight + 1)
    read = []

    def records():
        for number in range(7):
            read.append(number)
            yield conversations.record(f"call {number}")

    running = ingestion.ingest(company=acme, records=records(), now=timezone.now())

    assert [(next(running).created, len(read)) for _ in range(3)] == [(2, 4), (4, 6), (6, 7)]
    assert [report.created for report in running] == [7]


def test_an_import_that_cannot_be_read_to_its_end_keeps_the_chunks_before(acme, monkeypatch):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 2)
    monkeypatch.setattr(bulk, "is_answered", lambda answered: False)
    records = failing_after(*(conversations.record(f"call {number}") for number in range(5)))

    running = ingestion.ingest(company=acme, records=records, now=timezone.now())

    assert [next(running).created, next(running).created] == [2, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        next(running)
    assert Conversation.objects.count() == 4


ASKING = {
    "a count": lambda: Conversation.objects.count(),
    "rows a few at a time": lambda: list(Conversation.objects.iterator()),
}


@pytest.mark.parametrize("asks", ASKING.values(), ids=ASKING)
def test_reading_that_asks_the_database_meanwhile_is_refused(acme, monkeypatch, asks):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 2)
    monkeypatch.setattr(bulk, "is_answered", lambda answered: False)

    def records():
        for number in range(6):
            asks()
            yield conversations.record(f"call {number}")

    running = ingestion.ingest(company=acme, records=records(), now=timezone.now())

    assert next(running).created == 2
    with pytest.raises(bulk.ConnectionBusy, match="cannot be asked anything"):
        next(running)
    assert Conversation.objects.count() == len(list(Conversation.objects.iterator())) == 2


def test_rows_that_break_a_rule_are_refused_with_other_work_meanwhile(acme):
    one = conversations.conversation(acme, "one")
    work = iter([True, True])
    rows = [(acme.pk, one.pk, name, "", "", "COMPANY") for name in ("new", "new too", "new")]

    with pytest.raises(IntegrityError, match="participant_is_unique_in_a_conversation"):
        bulk.copy(Participant, PARTICIPANT, rows, meanwhile=lambda: next(work, False))


def test_work_ends_when_it_says_so_and_the_rows_are_in(acme, monkeypatch):
    one = conversations.conversation(acme, "one")
    monkeypatch.setattr(bulk, "is_answered", lambda answered: False)
    work = iter([True, True, True])
    rows = [(acme.pk, one.pk, name, "", "", "COMPANY") for name in ("new", "new too")]

    bulk.copy(Participant, PARTICIPANT, rows, meanwhile=lambda: next(work, False))

    assert sorted(one.participants.values_list("external_id", flat=True)) == [
        *("c", "new", "new too", "r"),
    ]


@pytest.mark.parametrize("names", [("new", "new too"), ("new", "new")])
def test_an_interruption_of_other_work_leaves_nothing_half_done(acme, monkeypatch, names):
    one = conversations.conversation(acme, "one")
    monkeypatch.setattr(bulk, "is_answered", lambda answered: False)
    rows = [(acme.pk, one.pk, name, "", "", "COMPANY") for name in names]

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        bulk.copy(Participant, PARTICIPANT, rows, meanwhile=interrupted)

    # The connection takes the next statement, and has none of the rows.
    assert sorted(one.participants.values_list("external_id", flat=True)) == ["c", "r"]
