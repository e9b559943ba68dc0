"""Measure asking on a labelled folder: ``manage.py benchmark_ask FOLDER``."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import databases
from config.benchmark import asking
from config.benchmark.folder import UnusableFolder
from credits import reconciliation
from credits.models import LedgerEntry

SAY_EVERY = 50


class Command(BaseCommand):
    help = (
        "Asks every labelled question of a folder through the product, charged as by the API,\n"
        "each about its own conversation, and compares what the answers cite with the evidence.\n"
        "Works in a scratch database; nothing else is touched.\n\n"
        "The folder holds conversations.jsonl and questions.jsonl. hit_at_N: the share of\n"
        "questions with evidence in one of the first N passages. quote_hit_at_N: in the turns\n"
        "that are quoted of them.\n\n"
        "Exit code 0: done. 1: the ledger check found something. 2: the folder cannot be used.\n\n"
        "Examples:\n"
        "  manage.py benchmark_ask ../shared/data/dev\n"
        "  manage.py benchmark_ask my-labelled-calls --json"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        path: Path = options["folder"]
        asked: list[asking.Asked] = []
        try:
            questions = asking.load(path)
            name = f"tallystick_benchmark_{os.getpid()}"
            with (
                databases.scratch(databases.dsn(), name, keep=False) as dsn,
                databases.pointed_at(dsn),
            ):
                for one in asking.run(path, questions, say=self._progress):
                    asked.append(one)
                    if len(asked) % SAY_EVERY == 0:
                        self._progress(f"{len(asked)} asked.")
                breaches = reconciliation.check()
                entries = LedgerEntry.objects.count()
        except UnusableFolder as error:
            raise CommandError(str(error), returncode=2) from error
        report = asking.report(asked) | {
            "check_ledger": {"entries": entries, "breaches": [asdict(one) for one in breaches]}
        }
        self.stdout.write(json.dumps(report) if options["json"] else _as_lines(report))
        if breaches:
            raise SystemExit(1)

    def _progress(self, line: str) -> None:
        self.stderr.write(line)


def _as_lines(report: dict[str, Any]) -> str:
    check = report["check_ledger"]
    found = (
        "every invariant holds" if not check["breaches"] else f"{len(check['breaches'])} breaches"
    )
    lines = [f"{'questions':<22}{report['questions']:>8,}"]
    lines += [
        f"{name:<22}{report[name]:>8.3f}"
        for name in report
        if name not in ("questions", "check_ledger")
    ]
    return "\n".join((*lines, f"check_ledger: {check['entries']:,} entries, {found}."))
