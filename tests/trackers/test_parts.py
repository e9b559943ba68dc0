"""Which part of a call is read: told from times stored at import as from the text (SPEC §3)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import conversations, people
from trackers import calibrating, filters, parts
from trackers.models import Conversation, TrackerVersion

pytestmark = pytest.mark.django_db

TIMES = st.one_of(
    st.none(), st.sampled_from([0.0, 59.9994, 59.9996, 60.0, 119.999, 120.0, 240.0, 300.0, 305.5])
)
TURN = st.tuples(st.sampled_from("rc"), TIMES, st.sampled_from(["Yes.", "7", "–– !", ""]))


def said(*turns) -> list[dict]:
    return [
        {"id": f"u{at}", "speaker": who, "start": start, "text": text}
        for at, (who, start, text) in enumerate(turns)
    ]


def version(part="WHOLE", minutes=None, side="ANY") -> TrackerVersion:
    return TrackerVersion(part=part, part_minutes=minutes, side=side)


def read(conversation, asked) -> list[str]:
    revisions = {conversation.pk: conversation.text_revision}
    text = calibrating.texts_of(revisions, version=asked)[conversation.pk]
    sides = {"ANY": ("COMPANY", "NON_COMPANY"), "REP": ("COMPANY",), "CUSTOMER": ("NON_COMPANY",)}
    return [turn.text for turn in text.utterances if turn.affiliation in sides[asked.side]]


def item(asked) -> str:
    return filters.with_item(Conversation.objects.all(), asked).values_list("item", flat=True).get()


def test_the_first_minutes_end_before_their_last_instant(acme):
    turns = said(("r", 0.0, "zero"), ("c", 119.999, "just before"), ("c", 120.0, "at two minutes"))
    call = conversations.conversation(acme, "call", utterances=turns)

    assert read(call, version("FIRST", 2)) == ["zero", "just before"]
    assert read(call, version("FIRST", 3)) == ["zero", "just before", "at two minutes"]


def test_the_last_minutes_begin_with_their_first_instant(acme):
    turns = said(("r", 179.999, "too early"), ("c", 180.0, "at three minutes"), ("r", 299.0, "end"))
    call = conversations.conversation(acme, "call", utterances=turns, duration_seconds=300)

    assert read(call, version("LAST", 2)) == ["at three minutes", "end"]


def test_a_transcript_longer_than_its_call_ends_with_its_last_words(acme):
    turns = said(("r", 0.0, "begin"), ("c", 899.0, "before"), ("c", 1000.0, "end"))
    call = conversations.conversation(acme, "call", utterances=turns, duration_seconds=300)

    assert read(call, version("LAST", 1)) == ["end"]
    assert read(call, version("LAST", 2)) == ["before", "end"]


def test_words_without_a_time_begin_with_those_before(acme):
    turns = said(("c", None, "no time yet"), ("c", 130.0, "late"), ("c", None, "late as well"))
    call = conversations.conversation(acme, "call", utterances=turns)

    assert read(call, version("FIRST", 1)) == ["no time yet"]
    assert read(call, version("LAST", 4)) == ["late", "late as well"]


def test_what_has_no_times_and_what_is_mail_is_read_whole(acme):
    untimed = said(("r", None, "one"), ("c", None, "two"))
    call = conversations.conversation(acme, "call", utterances=untimed)

    assert read(call, version("LAST", 1)) == ["one", "two"]
    assert item(version("LAST", 1)) == "CALL_SHORT"

    globex = people.company("Globex")
    timed = said(("r", 0.0, "one"), ("c", 4000.0, "two"))
    mail = conversations.conversation(
        globex, "mail", kind="email", duration_seconds=0, utterances=timed
    )
    assert read(mail, version("FIRST", 1)) == ["one", "two"]
    assert mail.company_first_seconds is None


def test_a_part_in_which_the_side_says_nothing_has_no_price(acme):
    turns = said(("r", 0.0, "Hello."), ("c", 90.0, "Hello!"), ("r", 280.0, "Goodbye."))
    conversations.ingest(acme, conversations.record("call", utterances=turns))

    assert item(version("FIRST", 1, "CUSTOMER")) == "CALL_WITHOUT_TEXT"
    assert item(version("FIRST", 2, "CUSTOMER")) == "CALL_SHORT"
    # Exactly two minutes in, the first two are over, as they are for who reads the text.
    Conversation.objects.update(non_company_first_seconds=120, non_company_last_seconds=120)
    assert item(version("FIRST", 2, "CUSTOMER")) == "CALL_WITHOUT_TEXT"
    assert item(version("LAST", 3, "CUSTOMER")) == "CALL_SHORT"
    assert item(version("LAST", 1, "CUSTOMER")) == "CALL_WITHOUT_TEXT"
    assert item(version("LAST", 1, "REP")) == "CALL_SHORT"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    turns=st.lists(TURN, max_size=6),
    duration=st.sampled_from([0, 60, 120, 300, 400]),
    kind=st.sampled_from(["call", "call", "call", "email"]),
    part=st.sampled_from(["WHOLE", "FIRST", "LAST"]),
    minutes=st.integers(1, 6),
    side=st.sampled_from(["ANY", "REP", "CUSTOMER"]),
)
def test_the_database_prices_what_would_be_read_from_counts_and_times_alone(
    turns, duration, kind, part, minutes, side
):
    company = people.company("Hypothetical")
    call = conversations.conversation(
        company, "call", kind=kind, duration_seconds=duration, utterances=said(*turns)
    )
    asked = version(part, None if part == "WHOLE" else minutes, side)

    priced = filters.with_item(Conversation.objects.filter(pk=call.pk), asked).get().item

    is_anything_read = any(parts.is_analyzable(text) for text in read(call, asked))
    assert is_anything_read == (not priced.endswith("_WITHOUT_TEXT"))


def test_times_are_stored_to_the_millisecond_as_they_are_compared(acme):
    turns = said(("c", 59.9996, "rounds up to a minute"), ("r", 10.0, "–"), ("r", 20.0, "a"))
    call = conversations.conversation(acme, "call", utterances=turns)

    assert call.non_company_first_seconds == Decimal("60.000")
    assert (call.company_first_seconds, call.company_last_seconds) == (20, 20)
    assert read(call, version("FIRST", 1, "CUSTOMER")) == []


def test_parts_are_said_in_words():
    assert parts.words(version()) == "the whole call"
    assert parts.words(version("FIRST", 1)) == "the first minute of a call"
    assert parts.words(version("LAST", 5)) == "the last 5 minutes of a call"
