"""How well the shipped trackers find what they ask for, where somebody labeled it.

Nine of them ask what a tracker of ../shared/data/dev asks, and are measured on its labels with
their own question and examples, and with coefficients learned from the other trackers' labels
(leave one out). Eight ask what a category of the demo's exchanges is about: text of ours, so that
only the order of scores says something. The others have no labels anywhere, and are not measured.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from config.benchmark import folder as folders
from config.benchmark.held_out import HeldOut
from config.demo import phrases
from trackers import pretrained
from trackers.analyzers.base import (
    Affiliation,
    ConversationText,
    Kind,
    TrackerQuestion,
    UtteranceText,
)
from trackers.analyzers.base import Side as TextSide
from trackers.analyzers.offline import metrics
from trackers.analyzers.offline.analyzer import OfflineAnalyzer

SHARED = Path(__file__).parents[3] / "shared" / "data" / "dev"
LABELED = {
    "price-asked": "sgd.price_asked",
    "alternatives-asked": "sgd.alternatives",
    "failure": "sgd.failure",
    "refusal": "p4g.objection",
    "about-us": "p4g.org_info",
    "customer-story": "p4g.story",
    "how-to-begin": "p4g.how_to",
    "meeting": "enron.logistics",
    "legal-terms": "enron.legal",
}
DEMO = {
    "security": "security",
    "integration": "integration",
    "other-vendor": "rival",
    "price-objection": "price",
    "next-step": "next",
    "complaint": "incident",
    "customer-story": "reference",
    "decision-process": "decide",
}


class Anything(dict):
    """Whatever an exchange names, by the name it has for it."""

    def __missing__(self, name):
        return name


def question(code: str) -> TrackerQuestion:
    one = pretrained.shipped()[code]
    return TrackerQuestion(
        id=code,
        text=one.question,
        details=one.details,
        side=TextSide(one.side),
        examples=one.examples,
        counter_examples=one.counter_examples,
    )


def exchanges() -> list[tuple[str, ConversationText]]:
    found = []
    for category, members in phrases.exchanges().items():
        for number, exchange in enumerate(members):
            rng = Random(f"{category} {number}")
            turns = tuple(
                UtteranceText(
                    str(place),
                    Affiliation.COMPANY if line.who == "R" else Affiliation.NON_COMPANY,
                    phrases.filled(line.text, Anything(), rng),
                )
                for place, line in enumerate(exchange.lines)
            )
            if not exchange.subject:
                text = ConversationText(f"{category}-{number}", Kind.CALL, turns)
                found.append((category, text))
    return found


def test_shipped_trackers_rank_the_demo_s_exchanges_of_their_kind_above_the_others():
    analyzer, spoken = OfflineAnalyzer(), exchanges()
    areas = {}
    for code, category in DEMO.items():
        asked = question(code)
        calibration = analyzer.calibrate([asked], [text for _, text in spoken])
        scores = [analyzer.evaluate(text, [asked], calibration)[0].score for _, text in spoken]
        right = np.array([name == category for name, _ in spoken])
        areas[code] = metrics.area_under_curve(np.array(scores), right)

    print({code: round(area, 3) for code, area in areas.items()})
    assert all(area > 0.55 for area in areas.values())
    assert sum(areas.values()) / len(areas) > 0.72


@pytest.mark.shared_data
def test_shipped_trackers_find_what_others_labeled():
    folder = folders.load(SHARED)
    held_out, analyzer = HeldOut(folder), OfflineAnalyzer()
    held_out.prepare()
    areas = {}
    for code, tracker in LABELED.items():
        spec = next(one for one in folder.trackers if one.id == tracker)
        asked = question(code)
        calibration = held_out(spec, asked)
        found, right = [], []
        for own in held_out.trackers:
            for text in own.conversations if own.question.id == tracker else ():
                if text.id in own.answers:
                    found.append(analyzer.evaluate(text, [asked], calibration)[0])
                    right.append(own.answers[text.id])
        scores = np.array([one.score for one in found])
        said, expected = np.array([one.verdict == "YES" for one in found]), np.array(right)
        areas[code] = metrics.area_under_curve(scores, expected)
        print(
            f"{code} on {tracker}: AUC {areas[code]:.3f}, F1 {metrics.f1(said, expected):.3f}, "
            f"always-yes F1 {metrics.always_yes_f1(expected):.3f}, {len(right)} conversations"
        )

    assert all(area > 0.6 for area in areas.values())
    assert sum(areas.values()) / len(areas) > 0.72
