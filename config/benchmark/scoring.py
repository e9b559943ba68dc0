"""How good the findings in the database are, and what they cost, against a folder's labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.benchmark.folder import Folder, Label, TrackerSpec
from config.benchmark.running import Run
from credits.amounts import ZERO, text
from trackers.analyzers.offline import metrics
from trackers.models import ConversationKind, Quote, Scan, ScanState, Tracker, Verdict

MEASURES = (
    "precision",
    "recall",
    "f1",
    "f1_always_yes",
    "auc",
    "evidence_hit_at_1",
    "evidence_hit_at_3",
    "unsure_share",
    "yes_among_unsure",
    "yes_among_not_found",
)
GROUPS = {"calls": ConversationKind.CALL, "emails": ConversationKind.EMAIL}


@dataclass(frozen=True, slots=True)
class Result:
    """One scan that is done, by the folder's ids; ``quoted`` are utterance ids, best first."""

    conversation: str
    is_yes: bool
    score: float
    price: Decimal
    quoted: tuple[str, ...]
    is_unsure: bool = False


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One tracker on one kind of conversations; a measure is None where labels cannot tell."""

    spec: TrackerSpec
    results: list[Result]
    seconds: float
    measures: dict[str, float | None]


def report(folder: Folder, run: Run) -> dict[str, Any]:
    """Return the figures under ``calls`` and ``emails``: all of a kind, and each source beside."""
    found: dict[str, Any] = {}
    for group, kind in GROUPS.items():
        evaluated = [
            _evaluate(spec, kind, folder.labels.get(spec.id, {}), run)
            for spec in folder.trackers
            if spec.id in run.seconds and kind.lower() in spec.kinds
        ]
        sources = sorted({one.spec.source for one in evaluated})
        found[group] = _summary(evaluated) | {
            "sources": {
                source: _summary([one for one in evaluated if one.spec.source == source])
                for source in sources
            },
            "trackers": {one.spec.id: _summary([one]) for one in evaluated},
        }
    return found


def _evaluate(
    spec: TrackerSpec, kind: ConversationKind, labels: dict[str, Label], run: Run
) -> Evaluated:
    tracker = run.trackers[spec.id]
    results = _results(tracker, kind)
    total = Scan.objects.filter(tracker=tracker, state=ScanState.DONE).count()
    # A tracker of both kinds scans them in one backfill; its time is shared by their numbers.
    seconds = run.seconds[spec.id] * len(results) / total if total else 0.0
    return Evaluated(spec, results, seconds, measure(results, labels))


def measure(results: list[Result], labels: dict[str, Label]) -> dict[str, float | None]:
    """Compare results with labels; unsure counts as no, what has no label counts for nothing."""
    labelled = [one for one in results if one.conversation in labels]
    measures: dict[str, float | None] = dict.fromkeys(MEASURES)
    if not labelled:
        return measures
    right = np.array([labels[one.conversation].answer for one in labelled], dtype=bool)
    quality = metrics.quality(np.array([one.is_yes for one in labelled], dtype=bool), right)
    measures |= {
        "precision": quality.precision,
        "recall": quality.recall,
        "f1": quality.f1,
        "f1_always_yes": metrics.always_yes_f1(right),
    }
    measures |= _unsure(labelled, right)
    if 0 < right.sum() < len(right):
        scores = np.array([one.score for one in labelled])
        measures["auc"] = metrics.area_under_curve(scores, right)
    shown = [
        (one.quoted, evidence)
        for one in labelled
        if labels[one.conversation].answer and (evidence := labels[one.conversation].evidence)
    ]
    for count in (1, 3):
        hits = [not evidence.isdisjoint(quoted[:count]) for quoted, evidence in shown]
        measures[f"evidence_hit_at_{count}"] = fmean(hits) if hits else None
    return measures


def _unsure(labelled: list[Result], right: NDArray[np.bool_]) -> dict[str, float | None]:
    """Tell how often nothing is decided, and how much likelier a yes is there than at a no."""
    unsure = np.array([one.is_unsure for one in labelled], dtype=bool)
    passed_over = ~unsure & ~np.array([one.is_yes for one in labelled], dtype=bool)
    return {
        "unsure_share": float(unsure.mean()),
        "yes_among_unsure": float(right[unsure].mean()) if unsure.any() else None,
        "yes_among_not_found": float(right[passed_over].mean()) if passed_over.any() else None,
    }


def _summary(evaluated: list[Evaluated]) -> dict[str, Any]:
    """Mean over trackers, unweighted; distinct conversations; credits as a string."""
    results = [result for one in evaluated for result in one.results]
    seconds = sum(one.seconds for one in evaluated)
    return {
        "conversations": len({result.conversation for result in results}),
        "scans": len(results),
        "credits": text(sum((result.price for result in results), ZERO)),
        **{name: _mean(one.measures[name] for one in evaluated) for name in MEASURES},
        "conversations_per_second": round(len(results) / seconds, 1) if seconds else None,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None


def _results(tracker: Tracker, kind: ConversationKind) -> list[Result]:
    quoted: dict[Any, list[str]] = {}
    quotes = Quote.objects.filter(scan__tracker=tracker, scan__conversation__kind=kind).order_by(
        "scan", "rank"
    )
    for scan_id, utterance in quotes.values_list("scan_id", "utterance__external_id"):
        quoted.setdefault(scan_id, []).append(utterance)
    rows = Scan.objects.filter(
        tracker=tracker, conversation__kind=kind, state=ScanState.DONE
    ).values_list("pk", "conversation__external_id", "verdict", "score", "price")
    return [
        Result(
            conversation=external_id,
            is_yes=verdict == Verdict.YES,
            score=float(score or 0),
            price=price or ZERO,
            quoted=tuple(quoted.get(pk, ())),
            is_unsure=verdict == Verdict.UNSURE,
        )
        for pk, external_id, verdict, score, price in rows
    ]
