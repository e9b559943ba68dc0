"""How long a call was decides its price: what does not say it is never taken for a short one."""

from __future__ import annotations

import pytest

from tests.trackers.importers.test_gong import (
    call,
    extensive,
    read,
    reasons,
    transcript,
    transcripts,
)
from tests.trackers.importers.test_gong_times import said

TAKEN = "Calls without a usable duration: 1. It was taken from their transcript."
MILLISECONDS = "Transcript times were read as milliseconds in 1 calls."


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(3600, 3600), ("3600", 3600), (" 3600 ", 3600), ("125.8", 126), (125.8, 126)],
)
def test_a_duration_may_be_written_as_a_number_or_as_a_text(written, seconds):
    reader, (record,) = read(
        extensive(call(meta={"duration": written})), transcripts(transcript(until=100))
    )

    assert (record.duration_seconds, reader.notes) == (seconds, [MILLISECONDS])


@pytest.mark.parametrize(
    "written",
    [None, -5, 0, "0", "", "1:00:00", "an hour", "-5", "nan", 1e300, True, 604_801, {"s": 1}],
)
def test_a_call_that_does_not_say_how_long_it_was_is_as_long_as_its_transcript(written):
    reader, (record,) = read(
        extensive(call(meta={"duration": written})), transcripts(transcript(until=3599.6))
    )

    assert record.duration_seconds == 3600
    assert reader.notes == [MILLISECONDS, TAKEN]


def test_the_end_of_a_transcript_in_seconds_is_in_seconds():
    words = [{"start": n, "end": n + 1, "text": "So many words to say."} for n in range(60, 199)]
    one = call()
    del one["metaData"]["duration"]

    reader, (record,) = read(extensive(one), transcripts(said("7782342274025937895", *words)))

    assert (record.duration_seconds, record.utterances[0].start) == (199, 60.0)
    assert reader.notes == ["Transcript times were read as seconds in 1 calls.", TAKEN]


def test_a_call_without_a_duration_was_not_of_more_than_a_day():
    """Few words without ends: neither speech nor a duration tells, but 27 hours would be ms."""
    seconds = said("2", {"start": 3, "end": 6, "text": "So, " * 70}, {"start": 700, "text": "Bye."})
    long = said("1", {"start": 0, "text": "Hello."}, {"start": 97_200, "text": "Bye."})

    _, (one, other) = read(
        extensive(call("1", meta={"duration": None}), call("2", meta={"duration": None})),
        transcripts(long, seconds),
    )

    assert (one.duration_seconds, other.duration_seconds) == (97, 700)


def test_a_call_with_neither_a_duration_nor_times_is_left_out_with_the_reason():
    silent = said("2", {"start": "a", "end": None, "text": "Hello."}, {"text": "Bye."})
    at_once = said("3", {"start": 0, "end": 0, "text": "Hello."})

    reader, records = read(
        extensive(*(call(one, meta={"duration": "?"}) for one in ("1", "2", "3"))),
        transcripts(transcript("1"), silent, at_once),
    )

    assert [record.id for record in records] == ["1"]
    assert reasons(reader) == [
        "1.json, line 2: call 2 has no usable duration, nor times in its transcript",
        "1.json, line 3: call 3 has no usable duration, nor times in its transcript",
    ]
    assert reader.notes == [MILLISECONDS, TAKEN]


def test_a_call_that_says_how_long_it_was_needs_no_times():
    reader, (record,) = read(
        extensive(call("1")), transcripts(said("1", {"text": "Hello."}, {"text": "Bye."}))
    )

    assert (record.duration_seconds, reader.bad_lines) == (1800, [])


def test_times_that_are_none_are_left_out_and_counted():
    sentences = [
        {"start": "a", "end": "2000", "text": "One."},
        {"start": -1, "end": 1e300, "text": "Two."},
        {"start": True, "end": None, "text": "Three."},
        {"start": "4000", "text": "Four."},
    ]
    turns = [{"speakerId": "6432345678555530067", "sentences": [one]} for one in sentences]

    reader, (record,) = read(extensive(call("1")), transcripts(transcript("1", transcript=turns)))

    assert [turn.start for turn in record.utterances] == [None, None, None, 4.0]
    assert reader.notes == [
        MILLISECONDS,
        "Transcript times that cannot be read: 4. They were left out.",
    ]
