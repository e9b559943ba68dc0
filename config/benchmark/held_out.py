"""Honest figures on data that the shipped coefficients were learned from: leave one tracker out.

Each tracker is judged with coefficients learned from the labels of all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from config.benchmark.folder import Folder, TrackerSpec, UnusableFolder
from trackers.analyzers.base import Calibration, TrackerQuestion
from trackers.analyzers.offline import calibration, labeled, training
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.labeled import LabeledTracker


class HeldOut:
    """Gives calibrations for a folder, each without the tracker's own labels.

    A tracker that is the only labeled one of its kind has nobody to learn from; it keeps the
    shipped coefficients, and ``alone`` names it.

    :raises UnusableFolder: if there are too few labeled trackers to leave one out.
    """

    def __init__(self, folder: Folder) -> None:
        if len(folder.labels) < 2:
            raise UnusableFolder("--leave-one-out needs labels.jsonl with two trackers or more.")
        self.folder = folder
        self.analyzer = OfflineAnalyzer()
        self.alone: set[str] = set()

    def prepare(self) -> None:
        """Compute what all trackers' calibrations have in common; takes a while."""
        _ = self.rows

    def __call__(self, spec: TrackerSpec, question: TrackerQuestion) -> Calibration:
        """Calibrate the product's question for a tracker of the folder."""
        return self.calibrate(spec, [question])

    def calibrate(self, spec: TrackerSpec, questions: Sequence[TrackerQuestion]) -> Calibration:
        """Calibrate several questions of one tracker of the folder."""
        own = [one for one in self.trackers if one.question.id == spec.id]
        combiners = {}
        for tracker in own:
            others = [
                rows
                for (tracker_id, kind), several in self.rows.items()
                if kind == tracker.kind and tracker_id != spec.id
                for rows in several
            ]
            if others:
                combiners[tracker.kind] = training.train(
                    others, mode=self.analyzer.mode, kind=tracker.kind
                )
            else:
                self.alone.add(spec.id)
        sample = [text for tracker in own for text in tracker.conversations]
        learned = self.analyzer.calibrate(questions, sample)
        return calibration.with_combiners(learned, combiners)

    @cached_property
    def trackers(self) -> list[LabeledTracker]:
        return labeled.load(self.folder.path)

    @cached_property
    def rows(self) -> dict[tuple[str, str], list[training.Rows]]:
        """The rows of each tracker that has answers of both kinds to learn from."""
        return {
            (one.question.id, one.kind): training.tracker_rows(one, self.analyzer)
            for one in self.trackers
            if {False, True} == set(one.answers.values())
        }
