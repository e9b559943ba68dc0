"""A run that never ends by itself, to be killed: not collected unless it is named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.django_db
def test_that_sleeps_beside_a_process_of_its_own():
    sleeper = [sys.executable, "-c", "import time; time.sleep(300)"]
    with subprocess.Popen(sleeper, start_new_session=True) as child:
        part = Path(os.environ["SLEEPING_FILE"]).with_suffix(".part")
        part.write_text(str(child.pid))
        part.rename(os.environ["SLEEPING_FILE"])
        time.sleep(300)
