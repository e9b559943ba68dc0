"""Find the passages that resemble a question, over several conversations: words and vectors.

Conversations are cut into windows of a few utterances. Three things are compared over all
windows: BM25 of the question's words, the cosine of its vector, and how many of its words a
window has at all. Each is put on one scale, and they are added. What a question only asks with
("what did they think of …") finds nothing and is left out.

Note [Nothing is learned here]
    The three were weighed by hand on 237 labelled questions of 35 meetings, in quarters only.
    Words count most, as alone they find most; of 16 such weights, those with vectors at a half all
    have evidence in the first window for .51 to .52, the others for .48 to .51. Over halves of the
    meetings, drawn 200 times, these did better than equal ones in 83 of 100. Weights fitted to
    the questions did worse on others of the same source: .42 to .46.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import Affiliation, Answer, Citation, ConversationText, Evidence
from trackers.analyzers.offline import bm25, embedding, lexicon, packing, passages
from trackers.analyzers.offline.embedding import DIMENSIONS, Embedder
from trackers.analyzers.offline.passages import Passage

WINDOW_UTTERANCES = 6
WINDOW_STEP = 3
CITATIONS_MAX = 5
# How many windows are put in order anew. The right one is among them in 92 of 100.
RERANKED = 12
VECTOR_WEIGHT = 0.5
COVERAGE_WEIGHT = 0.25
# A window with none of the question's words is an answer only if a passage of it is this close to
# it; beside an answer it may be less close.
COSINE_ALONE_MIN = 0.4
COSINE_BESIDE_MIN = 0.15

_ASKING = frozenset(
    lexicon.stems(
        sorted(
            lexicon.word_set(
                "ask asked group think thought discuss discussion say said talk mention opinion "
                "opinions summarize summary meeting call email decide decision conclusion team "
                "member members whole attitude tell told know happen happened customer they"
            )
        )
    )
)
_SPEAKERS = {Affiliation.COMPANY: "Our side", Affiliation.NON_COMPANY: "Customer"}
_FOUND = (
    "The built-in analyser quotes passages that resemble your question, best first; it does not "
    "write answers, and does not understand negation, sarcasm or who agreed to what. Check each "
    "quote."
)
NOTHING = (
    "The built-in analyser found no passage that resembles your question. Ask with words that may "
    "have been said, or choose a longer period."
)
NO_CONVERSATION = "There is no call or e-mail to read in this period."


@dataclass(frozen=True, slots=True)
class _Turn:
    """One utterance: its passages, their stems, and the sums of their vectors."""

    id: str
    speaker: str
    passages: tuple[Passage, ...]
    stems: tuple[tuple[str, ...], ...]
    sums: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Window:
    """Utterances ``first`` to ``last`` of one conversation, the last included."""

    conversation: int
    first: int
    last: int
    stems: tuple[str, ...]
    sum: NDArray[np.float32]


# Puts the best windows in a better order: the question, their texts, and their scores so far.
Reranking = Callable[[str, Sequence[str], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class _Query:
    stems: tuple[str, ...]
    vector: NDArray[np.float32] | None


def answer(
    question: str,
    conversations: Sequence[ConversationText],
    embedder: Embedder | None,
    *,
    reranking: Reranking | None = None,
) -> Answer:
    """Quote the passages that resemble a question most, from windows that do not overlap.

    ``reranking`` scores the best twelve anew; the best of these are quoted.
    """
    turns = [_turns(conversation, embedder) for conversation in conversations]
    windows = list(chain.from_iterable(_windows(at, said) for at, said in enumerate(turns)))
    if not windows:
        return Answer(NO_CONVERSATION)
    query = _query(question, embedder)
    best, scores = _best(query, turns, windows, CITATIONS_MAX if reranking is None else RERANKED)
    if reranking is not None and best:
        again = reranking(question, [_text(turns, window) for window in best], scores)
        best = [best[place] for place in np.argsort(-again, kind="stable")]
    best = best[:CITATIONS_MAX]
    cited = [_cite(query, conversations, turns, window) for window in best]
    if not cited:
        return Answer(NOTHING)
    lines = [
        f"{rank}. {speaker}: “{' '.join(citation.evidence.quote.split())}”"
        for rank, (speaker, citation) in enumerate(cited, start=1)
    ]
    return Answer("\n".join((_FOUND, "", *lines)), tuple(citation for _, citation in cited))


def best_windows(
    question: str,
    conversations: Sequence[ConversationText],
    embedder: Embedder | None,
    *,
    count: int,
) -> list[tuple[int, tuple[str, ...]]]:
    """Return the windows that resemble a question most, best first, none of which overlap.

    Each as the place of its conversation and the ids of its utterances. Unlike an answer it has
    windows that resemble the question little, where there are no better ones.
    """
    turns = [_turns(conversation, embedder) for conversation in conversations]
    windows = list(chain.from_iterable(_windows(at, said) for at, said in enumerate(turns)))
    if not windows:
        return []
    scores, _ = _scores(_query(question, embedder), windows)
    chosen: list[_Window] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(chosen) == count:
            break
        if not any(_overlap(windows[index], other) for other in chosen):
            chosen.append(windows[index])
    return [
        (
            one.conversation,
            tuple(turn.id for turn in turns[one.conversation][one.first : one.last + 1]),
        )
        for one in chosen
    ]


def _query(question: str, embedder: Embedder | None) -> _Query:
    """Read a question without the words it only asks with, unless it has no others."""
    stems = lexicon.query(question)
    telling = [stem for stem in stems if stem not in _ASKING] or stems
    words = [word for word in lexicon.tokens(question) if lexicon.stem(word) in telling]
    vector = None
    if embedder is not None:
        vector = embedder.vectors([" ".join(words) or question])[0]
    return _Query(tuple(telling), vector)


def _turns(conversation: ConversationText, embedder: Embedder | None) -> list[_Turn]:
    """Read the utterances in which something was said, as far as a conversation is read."""
    stored = packing.unpack(conversation) if embedder is not None else None
    found = []
    characters_left = passages.CONVERSATION_CHARACTERS_MAX
    for utterance in conversation.utterances:
        characters_left -= len(utterance.text)
        cut = passages.of_utterance(utterance) if characters_left >= 0 else ()
        if not cut:
            continue
        kept = None if stored is None else stored.get(utterance.id)
        if embedder is None:
            sums = np.zeros((len(cut), DIMENSIONS), dtype=np.float32)
        elif kept is None or len(kept) != len(cut):
            sums = packing.rounded(embedder.sums([passage.text for passage in cut]))
        else:
            sums = kept.astype(np.float32)
        found.append(
            _Turn(
                utterance.id,
                _SPEAKERS[utterance.affiliation],
                cut,
                tuple(tuple(lexicon.stems(lexicon.tokens(one.text))) for one in cut),
                sums,
            )
        )
    return found


def _windows(conversation: int, turns: Sequence[_Turn]) -> Iterator[_Window]:
    stems = [tuple(chain.from_iterable(turn.stems)) for turn in turns]
    sums = [turn.sums.sum(axis=0) for turn in turns]
    for first in range(0, len(turns), WINDOW_STEP):
        end = min(first + WINDOW_UTTERANCES, len(turns))
        yield _Window(
            conversation,
            first,
            end - 1,
            tuple(chain.from_iterable(stems[first:end])),
            np.add.reduce(sums[first:end]),
        )
        if end == len(turns):
            return


def _best(
    query: _Query, turns: Sequence[Sequence[_Turn]], windows: Sequence[_Window], count: int
) -> tuple[list[_Window], NDArray[np.float64]]:
    """Return the best windows, none of which overlap, with their scores.

    None where nothing resembles the question; what does so less is only found beside an answer.
    """
    scores, held = _scores(query, windows)
    nearest = _nearest(query, turns, windows)
    if not (held | (nearest >= COSINE_ALONE_MIN)).any():
        return [], np.array([])
    resembles = held | (nearest >= COSINE_BESIDE_MIN)
    chosen: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        others = (windows[other] for other in chosen)
        if resembles[index] and not any(_overlap(windows[index], other) for other in others):
            chosen.append(int(index))
        if len(chosen) == count:
            break
    return [windows[index] for index in chosen], scores[chosen]


def _text(turns: Sequence[Sequence[_Turn]], window: _Window) -> str:
    said = turns[window.conversation][window.first : window.last + 1]
    return " ".join(passage.text for turn in said for passage in turn.passages)


def _scores(
    query: _Query, windows: Sequence[_Window]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the score of each window, and whether it has any of the question's words."""
    counts = [Counter(window.stems) for window in windows]
    holding = bm25.holding_counts(counts, query.stems)
    idfs = {stem: bm25.idf(len(windows), number) for stem, number in holding.items()}
    length_mean = max(float(np.mean([len(window.stems) for window in windows])), 1.0)
    words = bm25.Query(idfs, length_mean).scores([window.stems for window in windows])
    held = np.array([sum(stem in count for stem in query.stems) for count in counts], dtype=float)
    scores = _scaled(words) + COVERAGE_WEIGHT * _scaled(held)
    if query.vector is not None:
        vectors = embedding.unit(np.array([window.sum for window in windows]))
        scores = scores + VECTOR_WEIGHT * _scaled((vectors @ query.vector).astype(np.float64))
    return scores, held > 0


def _nearest(
    query: _Query, turns: Sequence[Sequence[_Turn]], windows: Sequence[_Window]
) -> NDArray[np.float64]:
    """Return the cosine of the passage of each window that is closest to the question."""
    if query.vector is None:
        return np.zeros(len(windows))
    closest = [
        [float((embedding.unit(turn.sums) @ query.vector).max()) for turn in said] for said in turns
    ]
    return np.array([max(closest[one.conversation][one.first : one.last + 1]) for one in windows])


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values by how many standard deviations they are above their mean."""
    deviation = float(values.std())
    scaled: NDArray[np.float64] = (values - values.mean()) / (deviation or 1.0)
    return scaled


def _overlap(one: _Window, other: _Window) -> bool:
    return (
        one.conversation == other.conversation
        and one.first <= other.last
        and other.first <= one.last
    )


def _cite(
    query: _Query,
    conversations: Sequence[ConversationText],
    turns: Sequence[Sequence[_Turn]],
    window: _Window,
) -> tuple[str, Citation]:
    """Quote the passage of a window that resembles the question most, with who said it."""
    said = turns[window.conversation][window.first : window.last + 1]
    stems = [stem for turn in said for stem in turn.stems]
    words = np.array([len(set(one).intersection(query.stems)) for one in stems], dtype=float)
    scores = words / max(len(query.stems), 1)
    if query.vector is not None:
        sums = np.concatenate([turn.sums for turn in said])
        scores = scores + embedding.unit(sums) @ query.vector
    place = int(np.argmax(scores))
    for turn in said:
        if place < len(turn.passages):
            passage = turn.passages[place]
            break
        place -= len(turn.passages)
    evidence = Evidence(turn.id, passage.start, passage.end, passage.text)
    citation = Citation(
        conversations[window.conversation].id, tuple(one.id for one in said), evidence
    )
    return turn.speaker, citation
