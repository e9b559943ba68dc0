"""Many programs at one company's API at once: ``python -m tests.concurrency.programs``.

Each is a process with a connection of its own; a barrier lets them go together. Prints one JSON
object: every answer's status, code, instant and body.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def read_often(key: str, seconds: float, barrier, answers) -> None:
    from tests.support import api

    program = api.client(key)
    barrier.wait()
    ends, found = time.monotonic() + seconds, []
    while time.monotonic() < ends:
        answer = program.get("/api/v1/balance")
        found.append({"status": answer.status_code})
    answers.put(found)


def request_once(key: str, seconds: float, barrier, answers) -> None:
    from tests.support import api

    program = api.client(key)
    barrier.wait()
    answer = program.post(
        "/api/v1/purchases",
        {"amount": "5000", "note": "sent by all at once"},
        "application/json",
        headers={"idempotency-key": "order-118"},
    )
    code = answer.json().get("code", "")
    answers.put([{"status": answer.status_code, "code": code, "body": answer.content.decode()}])


def send_alike(key: str, seconds: float, barrier, answers) -> None:
    """Send the same call as all the others, each as a request of its own."""
    from tests.support import api

    program = api.client(key)
    call = {
        "id": "crm-1",
        "kind": "call",
        "started_at": "2026-11-01T08:00:00Z",
        "duration_seconds": 300,
        "account": {"name": "Globex"},
        "participants": [{"id": "p", "role": "external"}],
        "utterances": [{"id": "u", "speaker": "p", "text": "That is too expensive."}],
    }
    barrier.wait()
    answer = program.post(
        "/api/v1/conversations",
        {"conversation": call},
        "application/json",
        headers={"idempotency-key": f"from {os.getpid()}"},
    )
    answers.put([{"status": answer.status_code, "outcome": answer.json().get("outcome")}])


ACTS = {"read": read_often, "request": request_once, "send": send_alike}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("act", choices=ACTS)
    parser.add_argument("key")
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    django.setup()
    # What the first request would load is loaded before the barrier.
    importlib.import_module("config.urls")
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(options.processes), context.SimpleQueue()
    processes = [
        context.Process(
            target=ACTS[options.act], args=(options.key, options.seconds, barrier, answers)
        )
        for _ in range(options.processes)
    ]
    for process in processes:
        process.start()
    found = [answer for _ in processes for answer in answers.get()]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
