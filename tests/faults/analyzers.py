"""An analyzer that keeps a worker busy: it reads for ``READING_SECONDS`` and finds nothing.

The file ``READING_FILE``, where one is named, holds the id of the process that reads.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from trackers.analyzers.base import Calibration, Confidence, Finding, Verdict


class SlowAnalyzer:
    name = "slow"
    version = "1"
    generative = False

    def calibrate(self, questions, sample) -> Calibration:
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(self, conversation, questions, calibration) -> list[Finding]:
        if file := os.environ.get("READING_FILE"):
            part = Path(f"{file}.{os.getpid()}")
            part.write_text(str(os.getpid()))
            part.replace(file)
        time.sleep(float(os.environ["READING_SECONDS"]))
        return [Finding(one.id, Verdict.NO, 0.1, Confidence.LOW, "no", ()) for one in questions]
