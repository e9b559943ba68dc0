"""Honest figures on data that the shipped coefficients were learned from: leave one tracker out.

Each tracker is judged with coefficients learned from the labels of all the others.
"""

from __future__ import annotations

from functools import cached_property

from config.benchmark.folder import Folder, TrackerSpec, UnusableFolder
from trackers.analyzers.base import Calibration
from trackers.analyzers.offline import calibration, labeled, training
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.labeled import LabeledTracker


class HeldOut:
    """Gives calibrations for a folder, each without the tracker's own labels.

    :raises UnusableFolder: if there are too few labelled trackers to leave one out.
    """

    def __init__(self, folder: Folder) -> None:
        if len(folder.labels) < 2:
            raise UnusableFolder("--leave-one-out needs labels.jsonl with two trackers or more.")
        self.folder = folder
        self.analyzer = OfflineAnalyzer()

    def __call__(self, spec: TrackerSpec) -> Calibration:
        own = [one for one in self.trackers if one.question.id == spec.id]
        combiners = {}
        for tracker in own:
            others = [
                rows
                for one in self.trackers
                if one.kind == tracker.kind and one.question.id != spec.id
                for rows in self.rows[one.question.id, one.kind]
            ]
            combiners[tracker.kind] = training.train(
                others, mode=self.analyzer.mode, kind=tracker.kind
            )
        sample = [text for tracker in own for text in tracker.conversations]
        learned = self.analyzer.calibrate([own[0].question], sample)
        return calibration.with_combiners(learned, combiners)

    @cached_property
    def trackers(self) -> list[LabeledTracker]:
        return labeled.load(self.folder.path)

    @cached_property
    def rows(self) -> dict[tuple[str, str], list[training.Rows]]:
        return {
            (one.question.id, one.kind): training.tracker_rows(one, self.analyzer)
            for one in self.trackers
        }
