"""Who reads a conversation for a version: the matcher of keywords, or the company's analyzer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from trackers import calibrating, language_model, verifying
from trackers.analyzers.base import (
    Analyzer,
    Calibration,
    ConversationText,
    Finding,
    Side,
)
from trackers.keywords import Matcher
from trackers.models import LlmPurpose, Tracker, TrackerKind, TrackerVersion

Reader = Callable[[ConversationText], Finding]


@dataclass(frozen=True, slots=True)
class Asked:
    """A version that is asked, and the settings its tracker has."""

    tracker: Tracker
    version: TrackerVersion


def analyzer_for(
    version: TrackerVersion,
    *,
    run_ref: UUID,
    purpose: LlmPurpose = LlmPurpose.TRACKER,
    beat: Callable[[], object] | None = None,
) -> Analyzer | None:
    """Return the analyzer that reads for a version; None for keywords, which are matched.

    ``run_ref`` and ``purpose`` say what a request to a language model is for; ``beat`` is called
    before each.
    """
    if version.kind == TrackerKind.KEYWORD:
        return None
    return language_model.analyzer_of_version(version, purpose=purpose, run_ref=run_ref, beat=beat)


def reader(
    analyzer: Analyzer | None,
    *,
    tracker: Tracker,
    version: TrackerVersion,
    calibration: Calibration | None,
) -> Reader:
    """Return what reads one conversation for a version, with the settings the tracker has.

    ``calibration`` is what ``calibrating.of_version`` returned. Not to be shared between threads.
    """
    if analyzer is None:
        matcher = Matcher(tuple(version.terms), version.related_forms, Side(version.side))
        return lambda text: matcher.read(str(version.pk), text)
    assert calibration is not None
    question = calibrating.question_of(tracker, version)

    def read(text: ConversationText) -> Finding:
        found = analyzer.evaluate(text, [question], calibration)
        return verifying.finding(found, question=question, text=text)

    return read


def read_together(
    analyzer: Analyzer,
    text: ConversationText,
    asked: Sequence[Asked],
    calibration: Calibration,
) -> list[Finding]:
    """Read one conversation for several versions of one scope, in one go; in their order.

    :raises AnalyzerFailed: for one of them, and then for all.
    :raises UnusableFinding: likewise.
    """
    questions = [calibrating.question_of(one.tracker, one.version) for one in asked]
    found = analyzer.evaluate(text, questions, calibration)
    return [
        verifying.finding(
            [one for one in found if one.question_id == question.id], question=question, text=text
        )
        for question in questions
    ]
