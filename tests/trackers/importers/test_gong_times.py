"""Whether a transcript's times are seconds or milliseconds is told by the pace of speech."""

from __future__ import annotations

from tests.trackers.importers.test_gong import CALL, call, extensive, read, transcript, transcripts


def said(call_id: str, *sentences: dict):
    """A transcript in which one speaker says these sentences."""
    monologue = {"speakerId": "6432345678555530067", "sentences": list(sentences)}
    return {"callId": call_id, "transcript": [monologue]}


def test_seconds_that_run_on_after_the_call_are_seconds_all_the_same():
    """As milliseconds, 700 words would have been said in a fifth of a second."""
    words = [{"start": n, "end": n + 1, "text": "So many words to say."} for n in range(60, 199)]

    reader, (record,) = read(
        extensive(call(meta={"duration": 60})), transcripts(said(CALL, *words))
    )

    assert record.utterances[-1].start == 184.0
    assert reader.notes == ["Transcript times were read as seconds in 1 calls."]


def test_a_sentence_of_twenty_minutes_is_one_of_a_second_in_milliseconds():
    short = {"start": 1200, "end": 2500, "text": "Hello, can you hear me?"}

    reader, (record,) = read(
        extensive(call(meta={"duration": 3600})), transcripts(said(CALL, short))
    )

    assert record.utterances[0].start == 1.2
    assert reader.notes == ["Transcript times were read as milliseconds in 1 calls."]


def test_a_first_sentence_tells_the_unit_by_its_end():
    greeting = {"start": 0, "end": 4, "text": "Good morning, thanks for joining so early."}
    later = {"start": 900, "text": "Are you still there?"}

    reader, (record,) = read(extensive(call()), transcripts(said(CALL, greeting, later)))

    assert [turn.start for turn in record.utterances] == [0.0, 900.0]
    assert reader.notes == ["Transcript times were read as seconds in 1 calls."]


def test_a_recording_may_be_a_little_longer_than_the_call_says():
    """Times without ends, few words: neither speech nor the call's end tells; the others do."""
    doubtful = said("2", {"start": 1790, "text": "Bye."}, {"start": 1850, "text": "Bye bye."})

    reader, (_, second) = read(
        extensive(call("1"), call("2")), transcripts(transcript("1", factor=1), doubtful)
    )

    assert [turn.start for turn in second.utterances] == [1790.0, 1850.0]
    assert reader.notes == ["Transcript times were read as seconds in 2 calls."]
