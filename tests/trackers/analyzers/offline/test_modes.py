from __future__ import annotations

import pytest

from tests.trackers.analyzers.offline.samples import PRICE_LINES, PRICE_QUESTION, calls, only
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.calibration import Mode
from trackers.analyzers.offline.embedding import VectorsUnavailable


class TestWithoutWordVectors:
    @pytest.fixture
    def words_analyzer(self) -> OfflineAnalyzer:
        def load():
            raise VectorsUnavailable("Not here.")

        return OfflineAnalyzer(load=load)

    def test_words_alone_still_find_it(self, words_analyzer):
        calibration = words_analyzer.calibrate([PRICE_QUESTION], calls(80))

        finding = only(words_analyzer, calls(161)[160], PRICE_QUESTION, calibration)

        assert words_analyzer.mode is Mode.WORDS
        assert finding.evidence[0].quote in PRICE_LINES

    def test_the_mode_is_that_of_the_calibration(self, analyzer, words_analyzer):
        calibration = words_analyzer.calibrate([PRICE_QUESTION], calls(80))
        item = calls(1)[0]

        assert only(analyzer, item, PRICE_QUESTION, calibration) == only(
            words_analyzer, item, PRICE_QUESTION, calibration
        )

    def test_a_calibration_with_vectors_is_never_judged_without(self, words_analyzer, calibration):
        with pytest.raises(VectorsUnavailable):
            only(words_analyzer, calls(1)[0], PRICE_QUESTION, calibration)
