"""An analyzer that keeps a worker busy: it reads for ``READING_SECONDS`` and finds nothing."""

from __future__ import annotations

import os
import time

from trackers.analyzers.base import Calibration, Confidence, Finding, Verdict


class SlowAnalyzer:
    name = "slow"
    version = "1"
    generative = False

    def calibrate(self, questions, sample) -> Calibration:
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(self, conversation, questions, calibration) -> list[Finding]:
        time.sleep(float(os.environ["READING_SECONDS"]))
        return [Finding(one.id, Verdict.NO, 0.1, Confidence.LOW, "no", ()) for one in questions]
