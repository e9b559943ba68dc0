"""Named points at which a worker stops and waits to be killed; loaded by ``celery --include``.

The worker says that it got there by making the file ``FAULT_FILE``, once: a second worker, or
the same work again, goes on. It goes on itself when the file ``FAULT_UNTIL`` is there.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from credits import charging, deliveries, exports, mails
from trackers import claiming, scanning

SLEEP_SECONDS = 600


def stop_here() -> None:
    try:
        Path(os.environ["FAULT_FILE"]).touch(exist_ok=False)
    except FileExistsError:
        return
    until = os.environ.get("FAULT_UNTIL")
    deadline = time.monotonic() + SLEEP_SECONDS
    while time.monotonic() < deadline and not (until and Path(until).exists()):
        time.sleep(0.1)


def before(module, name: str) -> None:
    original = getattr(module, name)

    def stopping(*args, **kwargs):
        stop_here()
        return original(*args, **kwargs)

    setattr(module, name, stopping)


def after(module, name: str) -> None:
    original = getattr(module, name)

    def stopping(*args, **kwargs):
        result = original(*args, **kwargs)
        stop_here()
        return result

    setattr(module, name, stopping)


POINTS = {
    "after the claim": lambda: before(claiming, "hold_credits"),
    "after the reservation": lambda: after(claiming, "hold_credits"),
    "after the analyzer's reply": lambda: before(scanning, "_write"),
    "after the capture, before the commit": lambda: after(charging, "capture"),
    "after the commit, before the acknowledgment": lambda: after(scanning, "_write"),
}

EXPORT_POINTS = {
    "after the lease": lambda: before(exports, "_write"),
    "after the rows, before the file has its name": lambda: before(exports, "_finish"),
    "after the file is ready, before the acknowledgment": lambda: after(exports, "_finish"),
}

MAIL_POINTS = {
    "after the file is ready, before the mail server is called": lambda: before(mails, "send"),
    "after the mail server has answered, before the claim": lambda: before(deliveries, "_claimed"),
    "after the e-mail was taken, before that is written down": lambda: after(mails, "_hand_over"),
}

ASK_POINTS = {
    "after its price is held": lambda: after(charging, "reserve"),
    "after it is charged, before the commit": lambda: after(charging, "capture"),
}

if point := os.environ.get("FAULT_POINT"):
    (POINTS | EXPORT_POINTS | MAIL_POINTS | ASK_POINTS)[point]()
