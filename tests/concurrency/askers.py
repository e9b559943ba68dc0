"""Many processes ask one language model at once: ``python -m tests.concurrency.askers``.

Forks before it opens a connection, so that every process has its own; a barrier lets them all go
together. Each prints a line for each request: what became of it.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def ask_often(company_id: int, requests: int, barrier) -> None:
    from django.conf import settings

    from credits.identifiers import new_id
    from trackers import language_model, llm_connection, llm_gate
    from trackers.analyzers.base import AnalyzerFailed
    from trackers.models import LlmPurpose

    # Nobody is let through again, and nobody gives up, however slow the machine is.
    llm_gate.PAUSE = llm_gate.PAUSE_MAX = timedelta(hours=1)
    llm_gate.SLOT_SECONDS_MAX = 3600.0
    barrier.wait()
    for _ in range(requests):
        gate = llm_gate.DatabaseGate(
            settings.LLM, company_id=company_id, purpose=LlmPurpose.TRACKER, run_ref=new_id()
        )
        analyzer = language_model.analyzer_through(gate)
        asked = [llm_connection.QUESTION]
        try:
            analyzer.evaluate(llm_connection.CALL, asked, analyzer.calibrate(asked, []))
        except AnalyzerFailed as failure:
            told = str(failure)
        else:
            told = "answered"
        # One write, so that lines of several processes do not mix.
        os.write(1, f"{told}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("company_id", type=int)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--requests", type=int, default=1)
    options = parser.parse_args()
    django.setup()
    # Once, and not by each process.
    importlib.import_module("trackers.analyzers.llm.client")
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(options.processes)
    processes = [
        context.Process(target=ask_often, args=(options.company_id, options.requests, barrier))
        for _ in range(options.processes)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


if __name__ == "__main__":
    main()
