"""Take from an analyzer only what its texts bear out, whatever it was talked into.

What people say and write may tell a model what to do (prompt injection), so an analyzer's word is
a claim: a quote counts when it stands in the text that was given to it, a yes when a quote bears it
out. Nothing else of the site can be named. What is no finding at all is an analyzer's failure:
nothing is written and nothing charged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from trackers.analyzers.base import (
    Answer,
    AnswerType,
    Citation,
    Confidence,
    ConversationText,
    Evidence,
    Finding,
    TrackerQuestion,
    Verdict,
)

EVIDENCE_MAX = 3
CITATIONS_MAX = 20
ANSWER_LENGTH_MAX = 20_000
UNVERIFIED = (
    "The analyser gave an answer, but its quotes are not in these calls and e-mails, so it is not "
    "shown."
)
_UNSURE_ANSWER = "unsure"


class UnusableFinding(Exception):
    """What an analyzer answered is no finding for the question; nothing was charged."""


def finding(
    found: Sequence[Finding], *, question: TrackerQuestion, text: ConversationText
) -> Finding:
    """Return an analyzer's one finding with the quotes that are in the text, at most three.

    A yes that no quote bears out, or that is none of the choices, is unsure.

    :raises UnusableFinding: it is none, of another question, or without a score of 0 to 1.
    """
    try:
        (one,) = found
        score = float(one.score)
        verdict, confidence = Verdict(one.verdict), Confidence(one.confidence)
    except (TypeError, ValueError, AttributeError) as error:
        raise UnusableFinding(UnusableFinding.__doc__) from error
    is_score = math.isfinite(score) and 0 <= score <= 1
    if one.question_id != question.id or not is_score or not isinstance(one.answer, str):
        raise UnusableFinding(UnusableFinding.__doc__)
    said = {turn.id: turn.text for turn in text.utterances}
    evidence = tuple(quote for quote in one.evidence if _is_said(quote, said))[:EVIDENCE_MAX]
    answer = plain(one.answer)
    is_choice = question.answer_type != AnswerType.CATEGORY or answer in question.choices
    if verdict == Verdict.YES and not (evidence and is_choice):
        verdict, confidence, answer = Verdict.UNSURE, Confidence.LOW, _UNSURE_ANSWER
    return replace(
        one,
        verdict=verdict,
        confidence=confidence,
        score=score,
        answer=answer,
        evidence=evidence,
    )


def answer(given: Answer, *, conversations: Sequence[ConversationText]) -> Answer:
    """Return an analyzer's answer with the citations that are in the conversations it was given.

    Where it cites and none of that is there, its text is not shown either.
    """
    said = {text.id: {turn.id: turn.text for turn in text.utterances} for text in conversations}
    citations = tuple(one for one in given.citations if _is_cited(one, said))[:CITATIONS_MAX]
    if given.citations and not citations:
        return Answer(UNVERIFIED)
    return Answer(plain(given.text), citations)


def plain(text: str) -> str:
    """Return text that the database can keep: no NUL, no half characters, of a bounded length."""
    kept = text[:ANSWER_LENGTH_MAX].replace("\x00", "")
    return kept.encode("utf-8", "replace").decode()


def _is_said(quote: Evidence, said: Mapping[str, str]) -> bool:
    text = said.get(quote.utterance_id)
    return (
        text is not None
        and 0 <= quote.start < quote.end <= len(text)
        and text[quote.start : quote.end] == quote.quote
    )


def _is_cited(one: Citation, said: Mapping[str, Mapping[str, str]]) -> bool:
    """Tell whether a passage is in its conversation, and the run of utterances around it is one."""
    turns = said.get(one.conversation_id)
    if turns is None or not _is_said(one.evidence, turns):
        return False
    places = {utterance_id: place for place, utterance_id in enumerate(turns)}
    run = [places.get(utterance_id, -1) for utterance_id in one.utterance_ids]
    is_run = -1 not in run and run == sorted(set(run))
    return is_run and one.evidence.utterance_id in one.utterance_ids
