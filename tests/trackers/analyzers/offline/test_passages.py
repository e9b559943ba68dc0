from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trackers.analyzers.offline.samples import alice_says, bob_says, conversation
from trackers.analyzers.base import Side
from trackers.analyzers.offline import passages
from trackers.analyzers.offline.passages import (
    CONVERSATION_CHARACTERS_MAX,
    PASSAGE_CHARACTERS_MAX,
    on_side,
)

TEXTS = st.text(st.sampled_from("ab 7.?!\n\t…é🙂"), max_size=1_000)


@given(TEXTS)
def test_passages_are_short_disjoint_pieces_that_hold_every_letter(text):
    found = on_side(conversation(bob_says(text)), Side.CUSTOMER)

    ends = [0, *(one.end for one in found)]
    for one, previous_end in zip(found, ends, strict=False):
        assert one.text == text[one.start : one.end] == one.text.strip()
        assert 0 < one.end - one.start <= PASSAGE_CHARACTERS_MAX
        assert one.start >= previous_end
    inside = "".join(one.text for one in found)
    assert sum(map(str.isalnum, inside)) == sum(map(str.isalnum, text))


def test_a_short_utterance_is_one_passage():
    found = on_side(conversation(bob_says(" Hello. How are you? ")), Side.ANY)

    assert [(one.start, one.end, one.text) for one in found] == [(1, 20, "Hello. How are you?")]


def test_a_long_utterance_is_cut_after_sentences():
    sentence = "This is a sentence of forty characters. "
    found = on_side(conversation(bob_says(sentence * 12)), Side.ANY)

    assert [one.text for one in found] == [(sentence * 6).strip()] * 2


@pytest.mark.parametrize(
    ("side", "said"),
    [(Side.REP, ["We sell."]), (Side.CUSTOMER, ["I buy."]), (Side.ANY, ["We sell.", "I buy."])],
)
def test_only_the_side_asked_about_is_read(side, said):
    item = conversation(alice_says("We sell."), bob_says("I buy."), bob_says("--"))

    assert [one.text for one in on_side(item, side)] == said


def test_a_conversation_is_read_up_to_the_limit(monkeypatch):
    monkeypatch.setattr(passages, "CONVERSATION_CHARACTERS_MAX", 8)

    found = on_side(conversation(bob_says("I buy it"), bob_says("I pay too")), Side.ANY)

    assert [one.text for one in found] == ["I buy it"]
    assert CONVERSATION_CHARACTERS_MAX == 1_000_000
