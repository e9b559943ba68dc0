"""Who reads a conversation for a version: the matcher of keywords, or the analyzer in use."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from trackers import analyzers, calibrating, verifying
from trackers.analyzers.base import Calibration, ConversationText, Finding, Side
from trackers.keywords import Matcher
from trackers.models import Tracker, TrackerKind, TrackerVersion

Reader = Callable[[ConversationText], Finding]


def prepare(version_id: UUID) -> Calibration | None:
    """Get ready to read for a version; slow only where an analyzer has to learn the corpus.

    Returns None for keywords, which need nothing.
    """
    kind = TrackerVersion.objects.values_list("kind", flat=True).get(pk=version_id)
    return None if kind == TrackerKind.KEYWORD else calibrating.of_version(version_id)


def reader(*, tracker: Tracker, version: TrackerVersion, calibration: Calibration | None) -> Reader:
    """Return what reads one conversation for a version, with the settings the tracker has.

    ``calibration`` is what ``prepare`` returned. Not to be shared between threads.
    """
    if version.kind == TrackerKind.KEYWORD:
        matcher = Matcher(tuple(version.terms), version.related_forms, Side(version.side))
        return lambda text: matcher.read(str(version.pk), text)
    assert calibration is not None
    analyzer = analyzers.in_use()
    question = calibrating.question_of(tracker, version)

    def read(text: ConversationText) -> Finding:
        found = analyzer.evaluate(text, [question], calibration)
        return verifying.finding(found, question=question, text=text)

    return read
