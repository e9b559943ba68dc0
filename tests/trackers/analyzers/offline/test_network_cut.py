"""The offline analyzer in a process of its own that has no network at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from config.embedded_postgres import PROJECT
from tests.trackers.analyzers.offline.samples import PRICE_QUESTION, calls

NAMESPACES = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])

# Where no network namespace may be made, sockets that leave the process cannot even be opened.
SOCKETS_CUT = """
import socket
class Cut(socket.socket):
    def __init__(self, family=-1, *arguments, **options):
        if family != socket.AF_UNIX:
            raise OSError("The network is cut.")
        super().__init__(family, *arguments, **options)
socket.socket = Cut
"""

CHILD = """
import json, socket
try:
    socket.create_connection(("192.0.2.1", 443), timeout=5)
except OSError as error:
    cut = type(error).__name__ + ": " + str(error)
from tests.trackers.analyzers.offline.samples import PRICE_QUESTION, calls
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
analyzer = OfflineAnalyzer()
calibration = analyzer.calibrate([PRICE_QUESTION], calls(80))
findings = [analyzer.evaluate(one, [PRICE_QUESTION], calibration)[0] for one in calls(6)]
print(json.dumps({
    "cut": cut,
    "mode": analyzer.mode,
    "findings": [[one.verdict, one.score, [e.quote for e in one.evidence]] for one in findings],
}))
"""


def test_it_finds_the_same_with_the_network_cut(analyzer, calibration, tmp_path):
    namespace = next((one for one in NAMESPACES if may_run([*one, "true"])), None)
    child = CHILD if namespace else SOCKETS_CUT + CHILD

    done = subprocess.run(
        [*(namespace or []), sys.executable, "-c", child],
        cwd=PROJECT,
        # No cache to fall back on, and no address of a cache elsewhere.
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "unreachable" in told["cut"] or "The network is cut" in told["cut"]
    assert told["mode"] == "VECTORS"
    here = [analyzer.evaluate(one, [PRICE_QUESTION], calibration)[0] for one in calls(6)]
    assert told["findings"] == [
        [one.verdict, one.score, [quote.quote for quote in one.evidence]] for one in here
    ]
    assert {one[0] for one in told["findings"]} >= {"YES", "NO"}


def may_run(command) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
