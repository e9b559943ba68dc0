from __future__ import annotations

import pytest

from tests.trackers.analyzers.offline.samples import BOSS_QUESTION, PRICE_QUESTION, calls
from trackers.analyzers.base import Calibration
from trackers.analyzers.offline.analyzer import OfflineAnalyzer


@pytest.fixture(scope="session")
def analyzer() -> OfflineAnalyzer:
    return OfflineAnalyzer()


@pytest.fixture(scope="session")
def calibration(analyzer: OfflineAnalyzer) -> Calibration:
    """Return a calibration on 80 calls for the questions about the price and the boss."""
    return analyzer.calibrate([PRICE_QUESTION, BOSS_QUESTION], calls(80))
