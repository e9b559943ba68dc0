"""Vectors that were stored give the findings that computing them gives, to the last digit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trackers.analyzers.offline import samples
from trackers.analyzers.base import Affiliation, ConversationText, Kind, Side, UtteranceText
from trackers.analyzers.offline import embedding, packing, passages, reading
from trackers.analyzers.offline.embedding import Embedder

LONG = "We went through the whole list of what it costs, and then some of it again. " * 9


class CountingEmbedder(Embedder):
    """Counts the texts it was asked about."""

    def __init__(self):
        loaded = embedding.load()
        super().__init__(table=loaded._table, tokenizer=loaded._tokenizer)
        self.count = 0

    def sums(self, texts):
        self.count += len(texts)
        return super().sums(texts)


@pytest.fixture
def embedder():
    return CountingEmbedder()


def talk(*said: str) -> ConversationText:
    return ConversationText(
        "talk",
        Kind.CALL,
        tuple(
            UtteranceText(f"u{number}", list(Affiliation)[number % 2], text)
            for number, text in enumerate(said)
        ),
    )


TALKS = [
    talk("Here is our proposal.", "That is too expensive.", LONG, "…", "Fine.", LONG),
    talk("…", "!!"),
    talk("Only one turn"),
    talk(""),
]


def stored(conversation, embedder):
    return replace(conversation, vectors=packing.pack(conversation, embedder))


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("conversation", TALKS)
def test_stored_vectors_are_read_as_computed_ones_are(conversation, side, embedder):
    with_stored = stored(conversation, embedder)
    embedder.count = 0

    found = reading.read(with_stored, side, embedder)

    assert embedder.count == 0
    computed = reading.read(conversation, side, embedder)
    assert found.passages == computed.passages
    if found.vectors is not None or computed.vectors is not None:
        assert np.array_equal(found.vectors, computed.vectors)
        assert np.array_equal(found.whole, computed.whole)


@pytest.mark.parametrize("side", [Side.REP, Side.CUSTOMER])
@pytest.mark.parametrize("conversation", TALKS)
def test_vectors_of_one_side_are_computed_alone_and_completed_later(conversation, side, embedder):
    half = replace(conversation, vectors=packing.pack(conversation, embedder, side))
    embedder.count = 0

    found = reading.read(half, side, embedder)
    assert (embedder.count, packing.pack(half, embedder, side)) == (0, half.vectors)
    completed = packing.pack(half, embedder, Side.ANY)

    (other,) = {Side.REP, Side.CUSTOMER} - {side}
    assert embedder.count == len(passages.on_side(conversation, other))
    assert completed == packing.pack(conversation, embedder)
    assert found.passages == passages.on_side(conversation, side)


def test_a_side_without_vectors_is_computed_by_whoever_reads_it(embedder):
    half = replace(TALKS[0], vectors=packing.pack(TALKS[0], embedder, Side.REP))
    embedder.count = 0

    found = reading.read(half, Side.CUSTOMER, embedder)

    assert embedder.count == len(found) > 0
    assert np.array_equal(found.vectors, reading.read(TALKS[0], Side.CUSTOMER, embedder).vectors)


def test_findings_are_the_same_with_stored_vectors_and_without(analyzer):
    corpus, question = samples.calls(60), samples.PRICE_QUESTION
    calibration = analyzer.calibrate([question], corpus)
    packed = [replace(one, vectors=analyzer.vectors_of(one)) for one in corpus]

    assert analyzer.calibrate([question], packed) == calibration
    for bare, with_stored in zip(corpus, packed, strict=True):
        assert analyzer.evaluate(with_stored, [question], calibration) == analyzer.evaluate(
            bare, [question], calibration
        )


def test_a_passage_takes_512_bytes(embedder):
    one, two = packing.pack(talk("Hello there."), embedder), packing.pack(talk(LONG), embedder)

    assert len(one) == 4 + 2 + 512
    count = len(passages.of_utterance(talk(LONG).utterances[0]))
    assert (count, len(two)) == (3, 4 + 2 + 3 * 512)


@pytest.mark.parametrize("spoilt", [b"", b"\x01", b"\xff" * 64, None])
def test_bytes_that_are_not_of_the_conversation_are_computed_again(spoilt, embedder):
    conversation = replace(TALKS[0], vectors=spoilt)

    found = reading.read(conversation, Side.ANY, embedder)

    assert embedder.count == len(found) > 0


def test_vectors_of_another_text_are_not_taken_for_this_one_s(embedder):
    other = packing.pack(talk("Here.", "That.", "One.", "Two.", "Fine.", "Three."), embedder)
    embedder.count = 0

    found = reading.read(replace(TALKS[0], vectors=other), Side.ANY, embedder)

    assert embedder.count == len(found)


def test_half_precision_holds_the_longest_passage_s_sum(embedder):
    biggest = np.abs(embedder._table).max() * passages.PASSAGE_CHARACTERS_MAX

    assert biggest < np.finfo(np.float16).max
