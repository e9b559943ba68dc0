"""Measure trackers on a labelled folder: ``manage.py benchmark_trackers FOLDER``."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Q, Sum

from config import databases
from config.benchmark import folder as folders
from config.benchmark import reviewing, running, scoring
from config.benchmark.folder import Folder
from config.benchmark.held_out import HeldOut
from credits import reconciliation
from credits.models import LedgerEntry
from trackers import language_model, teaching
from trackers.models import LlmAttempt, LlmOutcome

COLUMNS = ("conversations", "credits", *scoring.MEASURES, "conversations_per_second")


class Command(BaseCommand):
    help = (
        "Runs every tracker of a labelled folder through the product and measures it: one\n"
        "company per source, a backfill per tracker, real Celery workers, real charges. Works in\n"
        "a scratch database with its own workers and queues; nothing else is touched.\n\n"
        "The folder holds conversations.jsonl and trackers.jsonl, and labels.jsonl to measure\n"
        "against. Means are over trackers, unweighted; unsure counts as no.\n\n"
        "Exit code 0: done. 1: the ledger check found something, or the workers did not finish.\n"
        "2: the folder cannot be used.\n\n"
        "Examples:\n"
        "  manage.py benchmark_trackers ../shared/data/dev --leave-one-out --reviews 30\n"
        "  manage.py benchmark_trackers my-labelled-calls --json\n"
        "  manage.py benchmark_trackers my-labelled-calls --analyzer llm"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--leave-one-out",
            action="store_true",
            help="judge each tracker with coefficients learned from the others' labels: honest "
            "figures where the shipped ones were learned from this very folder",
        )
        parser.add_argument(
            "--reviews",
            metavar="N",
            type=int,
            default=0,
            help="let a simulated reviewer judge N results of each tracker by their labels, learn "
            "from that, and print F1 before and after on all the others",
        )
        parser.add_argument(
            "--analyzer",
            choices=running.ANALYZERS,
            default=running.OFFLINE,
            help="llm: measure the language model that TALLYSTICK_LLM_BASE_URL and "
            "TALLYSTICK_LLM_MODEL name; sends the folder's texts there",
        )
        parser.add_argument(
            "--keep", action="store_true", help="keep the scratch database and say its address"
        )

    def handle(self, **options: Any) -> None:
        if options["reviews"] and options["reviews"] < teaching.REVIEWS_MIN:
            raise CommandError(
                f"A tracker learns from {teaching.REVIEWS_MIN} reviews or more; "
                f"--reviews is {options['reviews']}.",
                returncode=2,
            )
        _refuse_what_does_not_fit(options)
        try:
            folder = folders.load(options["folder"])
            calibrate = HeldOut(folder) if options["leave_one_out"] else None
            if calibrate is not None:
                self._progress("Learning from the labels …")
                calibrate.prepare()
        except folders.UnusableFolder as error:
            raise CommandError(str(error), returncode=2) from error
        name = f"tallystick_benchmark_{os.getpid()}"
        with (
            databases.scratch(databases.dsn(), name, keep=options["keep"]) as dsn,
            databases.pointed_at(dsn),
            running.workers(dsn),
        ):
            try:
                run = running.run(
                    folder,
                    calibrate=calibrate,
                    say=self._progress,
                    analyzer=options["analyzer"],
                )
            except running.Stalled as error:
                raise CommandError(str(error), returncode=1) from error
            breaches = reconciliation.check()
            report = scoring.report(folder, run) | {
                "leave_one_out": options["leave_one_out"],
                "analyzer": options["analyzer"],
                "language_model": _model_use(),
                "judged_with_shipped_coefficients": _judged_as_shipped(folder, calibrate),
                "check_ledger": {
                    "entries": LedgerEntry.objects.count(),
                    "breaches": [asdict(breach) for breach in breaches],
                },
            }
            if options["reviews"]:
                report["reviews"] = reviewing.measure(
                    folder,
                    run,
                    count=options["reviews"],
                    held_out=calibrate,
                    say=self._progress,
                )
            if options["keep"]:
                report["database"] = databases.url(dsn)
        self.stdout.write(json.dumps(report) if options["json"] else _as_table(report))
        if breaches:
            raise SystemExit(1)

    def _progress(self, line: str) -> None:
        self.stderr.write(line)


def _refuse_what_does_not_fit(options: dict[str, Any]) -> None:
    if options["analyzer"] != running.LLM:
        return
    if not language_model.is_set_up():
        raise CommandError(
            "There is no language model to measure: set TALLYSTICK_LLM_BASE_URL and "
            "TALLYSTICK_LLM_MODEL.",
            returncode=2,
        )
    if options["leave_one_out"] or options["reviews"]:
        raise CommandError(
            "A language model learns nothing: leave out --leave-one-out and --reviews.",
            returncode=2,
        )


def _model_use() -> dict[str, Any]:
    """Add up what a language model was asked; all 0 where none was."""
    found = LlmAttempt.objects.aggregate(
        requests=Count("pk"),
        answered=Count("pk", filter=Q(outcome=LlmOutcome.OK)),
        tokens_in=Sum("tokens_in", default=0),
        tokens_out=Sum("tokens_out", default=0),
    )
    return dict(found)


def _judged_as_shipped(folder: Folder, calibrate: HeldOut | None) -> list[str]:
    """Name the trackers whose figures are no better than the shipped coefficients' own."""
    if calibrate is None:
        return [spec.id for spec in folder.trackers]
    return sorted(calibrate.alone)


def _as_table(report: dict[str, Any]) -> str:
    lines = []
    for group in scoring.GROUPS:
        figures = report[group]
        rows = {group: figures} | {f"  {key}": row for key, row in figures["sources"].items()}
        rows |= {f"    {key}": row for key, row in figures["trackers"].items()}
        if not figures["scans"]:
            continue
        width = max(len(name) for name in rows)
        lines.append(" " * width + "".join(f"{_heading(column):>11}" for column in COLUMNS))
        for name, row in rows.items():
            lines.append(name.ljust(width) + "".join(f"{_cell(row[key]):>11}" for key in COLUMNS))
        lines.append("")
    lines += _reviews(report)
    if report["analyzer"] == running.LLM:
        use = report["language_model"]
        lines.append(
            f"Language model: {use['requests']:,} requests, {use['answered']:,} answered; "
            f"{use['tokens_in']:,} tokens sent, {use['tokens_out']:,} received."
        )
    check = report["check_ledger"]
    found = (
        "every invariant holds" if not check["breaches"] else f"{len(check['breaches'])} breaches"
    )
    lines.append(f"check_ledger: {check['entries']:,} entries, {found}.")
    if "database" in report:
        lines.append(f"Kept: DATABASE_URL={report['database']}")
    return "\n".join(lines)


def _reviews(report: dict[str, Any]) -> list[str]:
    """Say what reviewing did, where it was asked for."""
    if "reviews" not in report:
        return []
    found = report["reviews"]
    return [
        f"{group}: F1 {_cell(found[group]['f1_before'])} → {_cell(found[group]['f1_after'])} after "
        f"{found['count']} reviews a tracker, on the conversations that were not reviewed."
        for group in scoring.GROUPS
        if found[group]["trackers"]
    ]


def _heading(column: str) -> str:
    names = {
        "conversations": "conv.",
        "f1_always_yes": "yes-F1",
        "evidence_hit_at_1": "hit@1",
        "evidence_hit_at_3": "hit@3",
        "unsure_share": "unsure",
        "yes_among_unsure": "yes/unsure",
        "yes_among_not_found": "yes/no",
        "conversations_per_second": "conv./s",
    }
    return names.get(column, column)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) and value <= 1 else str(value)
