"""Calls in the shape of Gong's API: two halves of each, in seconds or milliseconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from trackers.importers import formats, gong
from trackers.importers.reading import MemoryFile, TooManyRows

NOW = datetime(2026, 11, 26, tzinfo=UTC)
CALL = "7782342274025937895"


def call(call_id: str = "7782342274025937895", **changes):
    """One entry of ``calls``, as the API's documentation shows it."""
    meta = {
        "id": call_id,
        "url": f"https://example.invalid/call?id={call_id}",
        "title": "Discovery with Globex",
        "scheduled": "2026-11-20T14:00:00Z",
        "started": "2026-11-20T15:02:11+01:00",
        "duration": 1800,
        "primaryUserId": "234599484848423",
        "direction": "Conference",
        "isPrivate": False,
    }
    parties = [
        {
            "id": "56825452554556",
            "emailAddress": "Rita@acme.example",
            "name": "Rita Rep",
            "userId": "234599484848423",
            "speakerId": "6432345678555530067",
            "affiliation": "Internal",
        },
        {
            "id": "56825452554557",
            "emailAddress": "carl@globex.example",
            "name": "Carl Customer",
            "speakerId": "6432345678555530068",
            "affiliation": "External",
        },
    ]
    context = [
        {
            "system": "Salesforce",
            "objects": [
                {
                    "objectType": "Account",
                    "objectId": "0013601230sV7grAAC",
                    "fields": [
                        {"name": "Name", "value": "Globex"},
                        {"name": "Type", "value": "prospect"},
                    ],
                },
                {
                    "objectType": "Opportunity",
                    "objectId": "0063601230sV7grAAC",
                    "fields": [
                        {"name": "Name", "value": "Globex robots"},
                        {"name": "StageName", "value": "evaluation"},
                    ],
                },
            ],
        }
    ]
    return {"metaData": meta | changes.pop("meta", {}), "parties": parties, "context": context} | (
        changes
    )


def transcript(
    call_id: str = "7782342274025937895", *, factor: int = 1000, until: float = 1700, **changes
):
    """One entry of ``callTranscripts``; ``factor`` is of its times to seconds."""
    monologues = [
        {
            "speakerId": "6432345678555530067",
            "topic": "Pricing",
            "sentences": [
                {"start": 2 * factor, "end": 5 * factor, "text": "Here is our proposal."},
                {"start": 5 * factor, "end": 9 * factor, "text": "It has three parts."},
            ],
        },
        {
            "speakerId": "6432345678555530068",
            "topic": "Pricing",
            "sentences": [
                {
                    "start": (until - 4) * factor,
                    "end": until * factor,
                    "text": "That is too expensive.",
                }
            ],
        },
    ]
    return {"callId": call_id, "transcript": monologues} | changes


def extensive(*calls):
    return {"requestId": "4al018gzaztcr8nbukw", "records": {"totalRecords": 1}, "calls": calls}


def transcripts(*found):
    return {"requestId": "4al018gzaztcr8nbukw", "callTranscripts": found}


def file(content, name: str = "answer.json") -> MemoryFile:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return MemoryFile(name, data)


def read(*contents, **options):
    """Return the reader of files with these contents, and what it read."""
    files = [file(content, f"{number}.json") for number, content in enumerate(contents, start=1)]
    reader = gong.Reader(files, arrived_at=NOW, **options)
    return reader, list(reader)


def reasons(reader) -> list[str]:
    return [str(bad) for bad in reader.bad_lines]


def test_both_halves_make_a_call():
    reader, (record,) = read(extensive(call()), transcripts(transcript()))

    assert (record.id, record.kind, record.source) == ("7782342274025937895", "call", "gong")
    assert record.title == "Discovery with Globex"
    assert record.started_at == datetime(2026, 11, 20, 14, 2, 11, tzinfo=UTC)
    assert record.duration_seconds == 1800
    assert record.owner == "rita@acme.example"
    assert (record.account.name, record.account.type) == ("Globex", "prospect")
    assert (record.deal.name, record.deal.stage) == ("Globex robots", "evaluation")
    assert [(one.id, one.name, one.email, one.role) for one in record.participants] == [
        ("6432345678555530067", "Rita Rep", "rita@acme.example", "internal"),
        ("6432345678555530068", "Carl Customer", "carl@globex.example", "external"),
    ]
    assert [(turn.id, turn.speaker, turn.start, turn.text) for turn in record.utterances] == [
        ("u0", "6432345678555530067", 2.0, "Here is our proposal. It has three parts."),
        ("u1", "6432345678555530068", 1696.0, "That is too expensive."),
    ]
    assert reader.notes == ["Transcript times were read as milliseconds in 1 calls."]
    assert (reader.count, reader.bad_lines) == (1, [])


def test_times_in_seconds_are_known_by_the_call_s_duration():
    reader, (record,) = read(extensive(call()), transcripts(transcript(factor=1)))

    assert [turn.start for turn in record.utterances] == [2.0, 1696.0]
    assert reader.notes == ["Transcript times were read as seconds in 1 calls."]


def test_a_short_transcript_in_milliseconds_follows_the_others():
    """It ends after half a second: 500 could be seconds, of a call of 1,800."""
    short = transcript("2", until=0.5)
    short["transcript"] = short["transcript"][1:]
    short["transcript"][0]["sentences"] = [{"start": 100, "end": 500, "text": "Hello."}]

    reader, (_, second) = read(extensive(call("1"), call("2")), transcripts(transcript("1"), short))

    assert [turn.start for turn in second.utterances] == [0.1]
    assert reader.notes == ["Transcript times were read as milliseconds in 2 calls."]


def test_each_call_that_tells_is_read_in_its_own_unit():
    talkative = transcript("1", factor=1)
    talkative["transcript"][1]["sentences"][0]["text"] = "So many words. " * 20

    reader, records = read(
        extensive(call("1"), call("2")),
        transcripts(talkative, transcript("2", factor=1000)),
    )

    assert [record.utterances[1].start for record in records] == [1696.0, 1696.0]
    assert reader.notes == [
        "Transcript times were read as milliseconds in 1 and seconds in 1 calls."
    ]


def test_a_call_without_duration_is_read_as_the_api_documents():
    _, (record,) = read(extensive(call(meta={"duration": 0})), transcripts(transcript()))

    assert [turn.start for turn in record.utterances] == [2.0, 1696.0]


def test_a_missing_half_costs_its_call_one_sentence():
    reader, records = read(
        extensive(call("1"), call("2")), transcripts(transcript("1"), transcript("3"))
    )

    assert [record.id for record in records] == ["1"]
    assert reasons(reader) == [
        "1.json, line 2: call 2 has no transcript; add the file of /v2/calls/transcript",
        "2.json, line 2: call 3 has only its transcript; add the file of /v2/calls/extensive",
    ]


def test_one_file_may_hold_both_and_pages_in_a_list_or_a_line_each():
    pages = [extensive(call("1")), transcripts(transcript("1"))]
    lines = "\n".join(json.dumps(page) for page in pages).encode()

    for content in (pages, lines, pages[0] | pages[1], b"\xef\xbb\xbf" + lines):
        reader, records = read(content)

        assert ([record.id for record in records], reasons(reader)) == (["1"], [])


def test_a_long_monologue_is_cut_so_that_a_quote_is_found_by_its_time():
    long = transcript()
    long["transcript"] = [
        {
            "speakerId": "6432345678555530068",
            "sentences": [
                {"start": second * 1000, "end": second * 1000 + 900, "text": f"At {second}."}
                for second in (0, 20, 30, 31, 62, 1700)
            ],
        }
    ]

    _, (record,) = read(extensive(call()), transcripts(long))

    assert [(turn.start, turn.text) for turn in record.utterances] == [
        (0.0, "At 0. At 20. At 30."),
        (31.0, "At 31."),
        (62.0, "At 62."),
        (1700.0, "At 1700."),
    ]


def test_an_unknown_affiliation_is_the_company_s_when_it_has_a_user():
    parties = [
        {"speakerId": "6432345678555530067", "affiliation": "Unknown", "userId": "7"},
        {"speakerId": "6432345678555530068", "affiliation": "Unknown"},
    ]

    _, (record,) = read(extensive(call(parties=parties)), transcripts(transcript()))

    assert [one.role for one in record.participants] == ["internal", "external"]


def test_a_speaker_in_no_list_of_parties_counts_as_a_customer_and_is_reported():
    reader, (record,) = read(
        extensive(call(parties=call()["parties"][:1])), transcripts(transcript())
    )

    assert [one.role for one in record.participants] == ["internal", "external"]
    assert "Speakers that no list of parties names: 1. They count as customers." in reader.notes


def test_an_id_that_became_a_number_is_the_same_call():
    _, (record,) = read(
        extensive(call(meta={"id": 7782342274025937895})), transcripts(transcript())
    )

    assert record.id == "7782342274025937895"


def test_seconds_since_1970_are_a_time():
    _, (record,) = read(extensive(call(meta={"started": 1518863400.0})), transcripts(transcript()))

    assert record.started_at == datetime(2018, 2, 17, 10, 30, tzinfo=UTC)


BAD = {
    "no parties": (
        (extensive(call(parties=[])), transcripts(transcript())),
        "call 7782342274025937895 has no parties; ask the API to expose them",
    ),
    "parties of another kind": (
        (extensive(call(parties="many")), transcripts(transcript())),
        "has no parties",
    ),
    "no start": (
        (extensive(call(meta={"started": None, "scheduled": None})), transcripts(transcript())),
        "started_at",
    ),
    "no id": ((extensive({"metaData": {}}), transcripts()), "it has no call id"),
    "a call that is no object": ((extensive(7), transcripts()), "it has no call id"),
    "an empty transcript": (
        (extensive(call()), transcripts(transcript(transcript=[]))),
        "has a transcript without a sentence",
    ),
    "a sentence without text": (
        (
            extensive(call()),
            transcripts(transcript(transcript=[{"speakerId": "1", "sentences": [{}]}])),
        ),
        "a sentence of monologue 1 has no text",
    ),
    "a monologue without speaker": (
        (extensive(call()), transcripts(transcript(transcript=[{"sentences": []}]))),
        "monologue 1 has no speakerId",
    ),
    "in the future": (
        (extensive(call(meta={"started": "2027-01-01T00:00:00Z"})), transcripts(transcript())),
        "more than a day after it arrives",
    ),
    "the same call twice and different": (
        (extensive(call(), call(meta={"title": "Other"})), transcripts(transcript())),
        "came before with different content",
    ),
    "a NUL": (
        (extensive(call(meta={"title": "a\0b"})), transcripts(transcript())),
        "title holds a NUL character",
    ),
    "another document": (({"calls_made": 3},), "no answer with a list of “calls” or"),
    "calls that are no list": (({"calls": {"1": call()}},), "no answer with a list of “calls” or"),
    "an id that stands for what was erased": (
        (extensive(call("erased:0badc0de")), transcripts(transcript("erased:0badc0de"))),
        "id begins with “erased:”, which stands for what was erased",
    ),
    "not JSON": ((b"{oops",), "not JSON"),
    "an empty file": ((b"",), "not JSON"),
    "UTF-16": ((json.dumps(extensive(call())).encode("utf-16"),), "is in UTF-16; save it as UTF-8"),
    "Latin-1": ((b'{"calls": [{"metaData": {"title": "Caf\xe9"}}]}',), "not JSON"),
    "gzip": ((b"\x1f\x8b\x08\x00" + b"\0" * 50,), "packed (gzip); unpack it first"),
    "zip": ((b"PK\x03\x04" + b"\0" * 50,), "packed (ZIP); unpack it first"),
    "a lone surrogate": ((b'{"calls": [{"metaData": {"id": "\\ud800"}}]}',), "not JSON"),
    "nested 10,000 deep": ((b'{"calls": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",), "not JSON"),
    "neither a duration nor times": (
        (
            extensive(call(meta={"duration": 10**400})),
            transcripts(
                transcript(transcript=[{"speakerId": "1", "sentences": [{"text": "Hello."}]}])
            ),
        ),
        "call 7782342274025937895 has no usable duration, nor times in its transcript",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_said_in_one_sentence(case):
    contents, sentence = BAD[case]

    reader, records = read(*contents)

    assert sentence in "\n".join(reasons(reader))
    assert all("\n" not in reason and len(reason) < 300 for reason in reasons(reader))
    assert len(records) == (1 if "twice" in case else 0)


def test_reading_anew_gives_the_same():
    reader, first = read(extensive(call("1"), call("2")), transcripts(transcript("1")))

    again = list(reader)

    assert [record.id for record in again] == [record.id for record in first] == ["1"]
    assert (reader.count, len(reader.bad_lines), len(reader.notes)) == (1, 1, 1)


def test_more_rows_than_one_upload_may_have_are_refused():
    with pytest.raises(TooManyRows, match="more than 1 rows"):
        read(extensive(call("1"), call("2")), transcripts(transcript("1")), rows_max=1)


def test_the_format_is_told_from_the_beginning():
    ours = b'{"id": "1", "kind": "call", "utterances": []}\n'

    assert formats.detect([file(extensive(call()))]) == "GONG"
    assert formats.detect([file(transcripts(transcript()))]) == "GONG"
    assert formats.detect([file(ours)]) == "JSONL"
