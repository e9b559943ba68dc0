"""A simulated reviewer: judge some results by their labels, learn, and measure on all the others.

The labels of what was reviewed are left out of the figures, before and after.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from django.utils import timezone

from config.benchmark.folder import Folder, Label, TrackerSpec
from config.benchmark.held_out import HeldOut
from config.benchmark.running import Run
from credits.models import User
from trackers import analyzers, calibrating, reviewing, teaching
from trackers.analyzers.base import Calibration, ConversationText, TrackerQuestion, Verdict
from trackers.analyzers.offline import metrics
from trackers.models import ConversationKind, Scan, ScanState, Tracker
from trackers.teaching import Lesson, NothingToLearn
from trackers.trials import Calibrate

GROUPS = {"calls": ConversationKind.CALL, "emails": ConversationKind.EMAIL}


@dataclass(frozen=True, slots=True)
class Effect:
    """What reviewing did for one tracker on one kind: F1 on the results nobody reviewed."""

    spec: TrackerSpec
    reviews: int
    judged: int
    f1_before: float
    f1_after: float
    lesson: Lesson | None


def measure(
    folder: Folder,
    run: Run,
    *,
    count: int,
    held_out: HeldOut | None,
    say: Callable[[str], object],
) -> dict[str, Any]:
    """Review ``count`` results of each tracker and kind; return F1 before and after by group.

    Works after a run, in its database. A tracker with too few labels for it is left out.
    """
    report: dict[str, Any] = {"count": count}
    for group, kind in GROUPS.items():
        effects = [
            effect
            for spec in folder.trackers
            if spec.id in run.seconds
            and kind.lower() in spec.kinds
            and (effect := _review(folder, run, spec, kind, count, held_out)) is not None
        ]
        for one in effects:
            say(f"{one.spec.id}: F1 {one.f1_before:.3f} → {one.f1_after:.3f} after {count} reviews")
        report[group] = _summary(effects) | {
            "trackers": {one.spec.id: _of_one(one) for one in effects}
        }
    return report


def _review(
    folder: Folder,
    run: Run,
    spec: TrackerSpec,
    kind: ConversationKind,
    count: int,
    held_out: HeldOut | None,
) -> Effect | None:
    labels = folder.labels.get(spec.id, {})
    tracker = Tracker.objects.select_related("company", "current_version").get(
        pk=run.trackers[spec.id].pk
    )
    scans = _labelled(tracker, kind, labels)
    if len(scans) < 2 * count:
        return None
    # By the tracker's name alone: nothing that was found decides what is reviewed.
    chosen = set(random.Random(spec.id).sample(range(len(scans)), count))
    person = User.objects.get(email="benchmark@tallystick.example")
    for place in sorted(chosen):
        scan = scans[place]
        says = labels[scan.conversation.external_id].answer
        is_right = says == (scan.verdict != Verdict.NO.value)
        reviewing.judge(scan=scan, is_right=is_right, by=person, now=timezone.now())
    rest = [scan for place, scan in enumerate(scans) if place not in chosen]
    right = np.array([labels[scan.conversation.external_id].answer for scan in rest], dtype=bool)
    before = np.array([scan.verdict == Verdict.YES.value for scan in rest], dtype=bool)
    calibrate = _calibrate(spec, held_out)
    lesson = _learn(tracker, person, calibrate)
    after = _found(tracker, rest, calibrate)
    return Effect(
        spec, count, len(rest), metrics.f1(before, right), metrics.f1(after, right), lesson
    )


def _labelled(tracker: Tracker, kind: ConversationKind, labels: dict[str, Label]) -> list[Scan]:
    scans = (
        Scan.objects.filter(tracker=tracker, conversation__kind=kind, state=ScanState.DONE)
        .select_related("conversation", "tracker", "version")
        .defer("version__calibration")
        .order_by("conversation__external_id")
    )
    return [scan for scan in scans if scan.conversation.external_id in labels]


def _calibrate(spec: TrackerSpec, held_out: HeldOut | None) -> Calibrate:
    def without_own_labels(
        questions: Sequence[TrackerQuestion], sample: Sequence[ConversationText]
    ) -> Calibration:
        assert held_out is not None
        return held_out.calibrate(spec, questions)

    return analyzers.in_use().calibrate if held_out is None else without_own_labels


def _learn(tracker: Tracker, person: User, calibrate: Calibrate) -> Lesson | None:
    """Let the tracker learn; None where the reviews teach nothing, as when all say no."""
    try:
        lesson = teaching.prepare(version=tracker.version_in_force, calibrate=calibrate)
        teaching.learn(
            tracker_id=tracker.pk,
            edit_number=tracker.edit_number,
            by=person,
            now=timezone.now(),
            lesson=lesson,
        )
    except NothingToLearn:
        return None
    return lesson


def _found(
    tracker: Tracker, scans: Sequence[Scan], calibrate: Calibrate
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Judge conversations as they would be judged from now on; that changes and costs nothing."""
    tracker.refresh_from_db()
    question = calibrating.question_of(tracker, tracker.version_in_force)
    calibration = calibrate([question], calibrating.sample_of(tracker.version_in_force))
    texts = calibrating.texts_of(
        {scan.conversation_id: scan.revision for scan in scans}, version=tracker.version_in_force
    )
    analyzer = analyzers.in_use()
    verdicts = [
        analyzer.evaluate(texts[scan.conversation_id], [question], calibration)[0].verdict
        for scan in scans
    ]
    return np.array([verdict is Verdict.YES for verdict in verdicts], dtype=bool)


def _summary(effects: Sequence[Effect]) -> dict[str, Any]:
    """Mean over trackers, unweighted."""
    return {
        "f1_before": round(fmean(one.f1_before for one in effects), 4) if effects else None,
        "f1_after": round(fmean(one.f1_after for one in effects), 4) if effects else None,
    }


def _of_one(one: Effect) -> dict[str, Any]:
    return _summary([one]) | {
        "judged": one.judged,
        "examples": len(one.lesson.example_ids) if one.lesson else 0,
        "counter_examples": len(one.lesson.counter_example_ids) if one.lesson else 0,
        "threshold": str(one.lesson.threshold_after) if one.lesson else None,
    }
