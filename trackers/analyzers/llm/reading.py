"""Make findings of answers: quotes held against what was said, pieces put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trackers.analyzers.base import (
    AnswerType,
    Confidence,
    Evidence,
    Finding,
    Side,
    TrackerQuestion,
    Verdict,
)
from trackers.analyzers.llm import quoted, quotes, transcripts
from trackers.analyzers.llm.prompts import ANSWERS, EVIDENCE_MAX
from trackers.analyzers.llm.transcripts import Line

NONE = "none"
_CONFIDENT, _FAIRLY = 0.8, 0.5
_VALUE_LENGTH_MAX = 500
CONSIDERED_MAX = 12


def is_evaluation(answer: dict[str, Any], names: Iterable[str]) -> bool:
    """Tell whether an answer has the form that was asked for, with an answer to each question."""
    given = answer.get("answers")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        return False
    said = _by_name(given)
    return all(name in said and _verdict(said[name]) is not None for name in names)


def findings(
    answer: dict[str, Any], questions: Mapping[str, TrackerQuestion], lines: Sequence[Line]
) -> dict[str, Finding]:
    """Return what a piece says to each question, by the question's name in the request."""
    given = _by_name(answer["answers"])
    return {name: _finding(given[name], question, lines) for name, question in questions.items()}


def merged(found: Sequence[Finding]) -> Finding:
    """Put together what the pieces of a conversation say: any yes is a yes.

    Where one piece is unsure, and none says yes, the whole is: it is never taken for a no.
    """
    for verdict in (Verdict.YES, Verdict.UNSURE):
        alike = [one for one in found if one.verdict is verdict]
        if alike:
            # The first of equals, so that the same answers make the same finding.
            best = max(alike, key=lambda one: one.score)
            rest = [evidence for one in alike if one is not best for evidence in one.evidence]
            return _with(best, [*best.evidence, *rest])
    return max(found, key=lambda one: one.score)


def silence(question: TrackerQuestion) -> Finding:
    """Return the finding where nobody on the question's side said anything."""
    return Finding(question.id, Verdict.NO, 0.0, Confidence.HIGH, _in_words(question, Verdict.NO))


def verified(
    given: Any, lines: Sequence[Line], side: Side, *, count_max: int
) -> list[tuple[Line, Evidence]]:
    """Return the passages of an answer that somebody did say, each once, in its order.

    A quote counts only on the line that the answer names, and only if that line was sent.
    """
    found: dict[tuple[str, int, int], tuple[Line, Evidence]] = {}
    # Looking for what nobody said takes long: a model that goes on inventing is not followed.
    for one in given[:CONSIDERED_MAX] if isinstance(given, list) else []:
        if not isinstance(one, dict):
            continue
        name, quote = one.get("utterance_id"), one.get("quote")
        if not isinstance(name, str) or not isinstance(quote, str):
            continue
        for line in lines:
            if line.name != name or not transcripts.may_quote(line, side):
                continue
            text = line.utterance.text
            place = quotes.find(quote, text)
            if place is not None:
                evidence = Evidence(line.utterance.id, *place, text[place[0] : place[1]])
                found.setdefault((evidence.utterance_id, *place), (line, evidence))
            break
    return list(found.values())[:count_max]


def _by_name(given: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the answers by the question's name, the first of each; what has no name is none."""
    return {
        one["tracker_id"]: one for one in reversed(given) if isinstance(one.get("tracker_id"), str)
    }


def _verdict(given: dict[str, Any]) -> Verdict | None:
    answer = given.get("answer")
    folded = answer.strip().casefold() if isinstance(answer, str) else ""
    return Verdict(folded.upper()) if folded in ANSWERS else None


def _finding(given: dict[str, Any], question: TrackerQuestion, lines: Sequence[Line]) -> Finding:
    verdict = _verdict(given) or Verdict.UNSURE
    sure = _share(given.get("confidence"))
    value = _value(given.get("value"), question, lines)
    proof = verified(given.get("evidence"), lines, question.side, count_max=EVIDENCE_MAX)
    is_missing = question.answer_type is AnswerType.CATEGORY and value is None
    if verdict is Verdict.YES and (not proof or is_missing):
        # Nothing is found that nobody can be shown.
        verdict, sure = Verdict.UNSURE, 0.0
    score = {Verdict.YES: 0.5 + sure / 2, Verdict.NO: 0.5 - sure / 2}.get(verdict, 0.5)
    return Finding(
        question_id=question.id,
        verdict=verdict,
        score=score,
        confidence=_band(sure),
        answer=_in_words(question, verdict, value),
        evidence=tuple(evidence for _, evidence in proof),
    )


def _with(finding: Finding, evidence: Iterable[Evidence]) -> Finding:
    distinct = {(one.utterance_id, one.start, one.end): one for one in evidence}
    return Finding(
        finding.question_id,
        finding.verdict,
        finding.score,
        finding.confidence,
        finding.answer,
        tuple(distinct.values())[:EVIDENCE_MAX],
    )


def _share(value: Any) -> float:
    """Return a confidence between 0 and 1; 0.5 for what is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        return 0.5
    # Compared before it becomes a float, which not every whole number fits.
    return round(float(min(max(value, 0), 1)), 3)


def _band(sure: float) -> Confidence:
    if sure >= _CONFIDENT:
        return Confidence.HIGH
    return Confidence.MEDIUM if sure >= _FAIRLY else Confidence.LOW


def _value(value: Any, question: TrackerQuestion, lines: Sequence[Line]) -> str | None:
    """Return the choice as it is written on the tracker, or the text; None where there is none.

    A text that quotes what nobody said is none.
    """
    text = " ".join(plain(value).split()) if isinstance(value, str) else ""
    if question.answer_type is AnswerType.CATEGORY:
        by_folded = {choice.casefold(): choice for choice in question.choices}
        return by_folded.get(text.casefold())
    if question.answer_type is AnswerType.TEXT and not quoted.is_said(
        text, transcripts.said(lines)
    ):
        return None
    return text[:_VALUE_LENGTH_MAX] or None


def _in_words(question: TrackerQuestion, verdict: Verdict, value: str | None = None) -> str:
    found = value if verdict is Verdict.YES and value else ""
    match question.answer_type:
        case AnswerType.CATEGORY:
            return found or NONE
        case AnswerType.TEXT:
            return found
        case _:
            return verdict.value


def plain(text: str) -> str:
    """Return a model's text as it can be stored: neither NUL nor half a character."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
