"""The built-in analyzer's answers: what it quotes, from where, and when it finds nothing."""

from __future__ import annotations

import pytest

from trackers.analyzers.base import Affiliation, ConversationText, Kind, UtteranceText
from trackers.analyzers.offline import asking, embedding, packing

ORDINARY = [
    "Good morning everybody.",
    "The train was late again today.",
    "Shall we begin with the slides?",
    "I will share my screen in a second.",
    "Can you all see it now?",
    "Great, thank you very much.",
    "We had a long weekend at the lake.",
    "My sister came to visit with her dog.",
    "Let me find the right window.",
    "There it is at last.",
    "We can go on then.",
    "Next slide, please.",
]


def conversation(name: str, *texts: str) -> ConversationText:
    return ConversationText(
        name,
        Kind.CALL,
        tuple(
            UtteranceText(f"{name}-{at}", Affiliation.NON_COMPANY, text)
            for at, text in enumerate(texts)
        ),
    )


@pytest.fixture(params=["vectors", "words alone"])
def embedder(request):
    return embedding.load() if request.param == "vectors" else None


def test_it_quotes_what_resembles_the_question_from_the_right_conversation(embedder):
    texts = [
        conversation("a", *ORDINARY),
        conversation("b", *ORDINARY, "The licence is too expensive for our budget.", *ORDINARY),
    ]

    answer = asking.answer("Is the licence too expensive?", texts, embedder)

    best = answer.citations[0]
    assert best.conversation_id == "b"
    assert best.evidence.quote == "The licence is too expensive for our budget."
    assert best.evidence.utterance_id == "b-12"
    assert "b-12" in best.utterance_ids
    assert len(best.utterance_ids) == 6
    assert "1. Customer: “The licence is too expensive for our budget.”" in answer.text


def test_the_words_a_question_only_asks_with_find_nothing(embedder):
    texts = [
        conversation(
            "a",
            "What did you think, team, what did the group say, what was discussed?",
            *ORDINARY * 2,
            "The battery lasts two years.",
            *ORDINARY,
        )
    ]

    answer = asking.answer("What did the group think and say of the battery?", texts, embedder)

    assert answer.citations[0].evidence.quote == "The battery lasts two years."


def test_passages_do_not_overlap_and_are_five_at_most(embedder):
    texts = [conversation("a", *(["The price is high.", *ORDINARY] * 12))]

    answer = asking.answer("What about the price?", texts, embedder)

    said = [one for citation in answer.citations for one in citation.utterance_ids]
    assert len(answer.citations) == 5
    assert len(said) == len(set(said))


def test_it_says_that_it_found_nothing(embedder):
    answer = asking.answer("Zyzzyva quux?", [conversation("a", *ORDINARY)], embedder)

    assert answer.citations == ()
    assert answer.text == asking.NOTHING


@pytest.mark.parametrize("texts", [[], [conversation("a")], [conversation("a", "…", "–")]])
def test_without_a_word_there_is_nothing_to_read(texts, embedder):
    answer = asking.answer("What about the price?", texts, embedder)

    assert (answer.text, answer.citations) == (asking.NO_CONVERSATION, ())


def test_a_quote_is_what_stands_in_its_utterance(embedder):
    long = " ".join(["Filler words go on and on."] * 30) + " The discount is 12 percent. And so on."
    texts = [conversation("a", *ORDINARY, long)]

    answer = asking.answer("Which discount?", texts, embedder)

    evidence = answer.citations[0].evidence
    assert evidence.quote == long[evidence.start : evidence.end]
    assert "discount is 12 percent" in evidence.quote
    assert len(evidence.quote) <= 240


def test_stored_vectors_give_the_same_answer():
    embedder = embedding.load()
    plain = conversation("a", *ORDINARY, "We look at two other vendors.", *ORDINARY)
    stored = ConversationText(
        plain.id,
        plain.kind,
        plain.utterances,
        vectors=packing.pack(plain, embedder),
        vector_ids=tuple(one.id for one in plain.utterances),
    )

    assert asking.answer("Which competitors?", [stored], embedder) == asking.answer(
        "Which competitors?", [plain], embedder
    )


def test_a_meaning_without_a_common_word_is_found_by_vectors():
    texts = [conversation("a", *ORDINARY, "It costs too much money for us.", *ORDINARY)]

    answer = asking.answer("price expensive", texts, embedding.load())

    assert answer.citations[0].evidence.quote == "It costs too much money for us."
