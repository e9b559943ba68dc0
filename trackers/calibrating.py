"""What an analyzer is told before it reads: the question, the texts, what is ordinarily said.

A version's calibration is stored with it, so that every worker finds the same. It is learned anew
only for conversations still to be read; what was found stays as it was and is never charged again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import MD5

from trackers import filters, language_model, lessons, locks, parts, pretrained, texts, vectors
from trackers.analyzers.base import (
    Analyzer,
    Calibration,
    ConversationText,
    TrackerQuestion,
    UtteranceText,
)
from trackers.analyzers.base import AnswerType as QuestionAnswerType
from trackers.analyzers.base import Side as QuestionSide
from trackers.lessons import Lessons
from trackers.models import Part, Tracker, TrackerKind, TrackerVersion

SAMPLE_SIZE = 400
# A sample of the whole corpus is taken again when there is this many times as much of it: at most
# nine times until it is full, and each time only by one worker.
GROWTH = 2
READ_MAX = 64  # Calibrations that a process keeps as it read them, about 100 kB each.
# What is stored beside a calibration: how many conversations the sample had, and a digest of the
# question with its examples.
SAMPLED, ASKED = "sampled", "asked"


@dataclass(frozen=True, slots=True)
class Stored:
    """A calibration as it is stored; ``sampled`` is None where it does not say of what."""

    calibration: Calibration
    sampled: int | None
    asked: str | None

    @classmethod
    def of(cls, data: dict[str, Any]) -> Stored:
        fields = {key: data[key] for key in data.keys() - {SAMPLED, ASKED}}
        return cls(Calibration(**fields), data.get(SAMPLED), data.get(ASKED))


# By version: where its row was when it was read, and what was read.
_read: OrderedDict[UUID, tuple[str, Stored | None]] = OrderedDict()


def of_version(version_id: UUID) -> Calibration | None:
    """Return the version's corpus statistics, learned by whoever needs them first.

    They are learned again when the corpus, all of which was sampled, has doubled since; and when
    the examples were changed or another analyzer came into use. A calibration that does not say
    what it was learned from is kept. None for keywords, which need nothing.
    """
    version = _load(version_id)
    if version.kind == TrackerKind.KEYWORD:
        return None
    analyzer = language_model.analyzer_of_version(version)
    if analyzer.generative:
        # It learns nothing. What is stored waits for the analyzer that learned it.
        return analyzer.calibrate([question_of(version.tracker, version)], [])
    stored = _stored(version)
    if _is_due(version, stored, analyzer):
        with _alone(version_id):
            # Another worker may have learned it while this one waited.
            version = _load(version_id)
            stored = _stored(version)
            if _is_due(version, stored, analyzer):
                stored = _learn(version, analyzer)
    assert stored is not None
    return stored.calibration


def question_of(
    tracker: Tracker, version: TrackerVersion, *, learned: Lessons | None = None
) -> TrackerQuestion:
    """Put a version and the settings of today as a question to an analyzer.

    The examples are those shipped with a pretrained tracker, then those that somebody typed, then
    those that reviews taught.
    """
    shipped, shipped_counters = pretrained.examples_of(version.pretrained)
    learned = lessons.of(tracker) if learned is None else learned
    return TrackerQuestion(
        id=str(version.pk),
        text=version.question,
        details=version.details,
        answer_type=QuestionAnswerType(version.answer_type),
        choices=tuple(version.choices),
        side=QuestionSide(version.side),
        examples=(*shipped, *tracker.examples, *learned.examples),
        counter_examples=(
            *shipped_counters,
            *tracker.counter_examples,
            *learned.counter_examples,
        ),
        threshold=None if tracker.threshold is None else float(tracker.threshold),
    )


def texts_of(
    revisions: dict[UUID, int], *, version: TrackerVersion
) -> dict[UUID, ConversationText]:
    """Load what a version reads of conversations: its part of them, at the revisions named."""
    found = texts.load(revisions, with_starts=version.part != Part.WHOLE)
    whole = {pk: said.text for pk, said in found.items()}
    if version.kind != TrackerKind.KEYWORD:
        # Of the whole text, so that every part finds its own among them.
        whole = vectors.attached(whole, revisions, side=QuestionSide(version.side))
    if version.part == Part.WHOLE:
        return whole
    return {
        pk: replace(whole[pk], utterances=_part_of(said, version)) for pk, said in found.items()
    }


def _part_of(said: texts.Said, version: TrackerVersion) -> tuple[UtteranceText, ...]:
    turns = said.text.utterances
    end = parts.end_of(said.duration_seconds, [turn.text for turn in turns], said.starts)
    return tuple(parts.cut(turns, said.starts, version=version, kind=said.text.kind, end=end))


def _load(version_id: UUID) -> TrackerVersion:
    """Load a version without its calibration, and where its row is: a changed one is elsewhere."""
    return (
        TrackerVersion.objects.select_related("tracker")
        .defer("calibration")
        .annotate(
            place=RawSQL("trackers_trackerversion.xmin || ' ' || trackers_trackerversion.ctid", [])
        )
        .get(pk=version_id)
    )


def _stored(version: Any) -> Stored | None:
    """Return the calibration of a version from ``_load``; None where it has none yet."""
    kept = _read.get(version.pk)
    if kept is not None and kept[0] == version.place:
        _read.move_to_end(version.pk)
        return kept[1]
    # Of the same row, or of a later one, which is read once more the next time.
    stored = None if version.calibration is None else Stored.of(version.calibration)
    _read[version.pk] = (version.place, stored)
    _read.move_to_end(version.pk)
    while len(_read) > READ_MAX:
        _read.popitem(last=False)
    return stored


def _is_due(version: TrackerVersion, stored: Stored | None, analyzer: Analyzer) -> bool:
    if stored is None:
        return True
    if stored.sampled is None:
        return False
    if stored.calibration.analyzer != analyzer.name:
        return True
    if stored.asked != _digest(question_of(version.tracker, version)):
        return True
    sampled = stored.sampled
    if sampled >= SAMPLE_SIZE:
        return False
    enough = GROWTH * max(sampled, 1)
    return filters.matching(version.tracker)[:enough].count() == enough


def _learn(version: TrackerVersion, analyzer: Analyzer) -> Stored:
    """Calibrate on today's corpus; a backfill that cleared it meanwhile is not overruled.

    What was learned of phrases that were changed or erased meanwhile is used once, never stored.
    """
    was_none = version.calibration is None
    sample = sample_of(version)
    question = question_of(version.tracker, version)
    learned = analyzer.calibrate([question], sample)
    unchanged = TrackerVersion.objects.filter(pk=version.pk, calibration__isnull=was_none)
    asked = _digest(question)
    calibration = {**asdict(learned), SAMPLED: len(sample), ASKED: asked}
    with transaction.atomic():
        locks.share(Tracker, [version.tracker_id])
        today = _load(version.pk)
        if _digest(question_of(today.tracker, today)) == asked:
            unchanged.update(calibration=calibration)
    return Stored.of(calibration)


def _digest(question: TrackerQuestion) -> str:
    """Name what a calibration depends on; a threshold only judges scores."""
    asked = replace(question, threshold=None)
    return hashlib.sha256(repr(asked).encode(errors="surrogatepass")).hexdigest()


def sample_of(version: TrackerVersion) -> list[ConversationText]:
    """Choose conversations the tracker reads, the same ones whoever asks."""
    chosen = (
        filters.matching(version.tracker)
        .order_by(MD5("external_id"))
        .values_list("pk", "text_revision")[:SAMPLE_SIZE]
    )
    revisions = dict(chosen)
    texts = texts_of(revisions, version=version)
    return [texts[pk] for pk in revisions]


@contextmanager
def _alone(version_id: UUID) -> Iterator[None]:
    """Let one worker at a time calibrate a version; the others wait for what it learns.

    An advisory lock of the session: no transaction is open while the analyzer runs, and a worker
    that dies gives it up.
    """
    key = [f"calibration of {version_id}"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", key)
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)
