"""A labelled folder: conversations.jsonl, trackers.jsonl and, when there are any, labels.jsonl."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackers.importers.jsonl import Reader


class UnusableFolder(Exception):
    """A folder that cannot be benchmarked; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class TrackerSpec:
    """One tracker of the folder, evaluated only on conversations of its own source and kinds."""

    id: str
    source: str
    question: str
    side: str
    kinds: tuple[str, ...]
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """The right answer for one conversation; ``evidence`` is None where only that is known."""

    answer: bool
    evidence: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Folder:
    """What the folder holds; labels by tracker id, then by conversation id."""

    path: Path
    trackers: tuple[TrackerSpec, ...]
    labels: dict[str, dict[str, Label]]

    @property
    def conversations(self) -> Reader:
        return Reader([self.path / "conversations.jsonl"])


def load(path: Path) -> Folder:
    """Read the trackers and labels of a folder.

    :raises UnusableFolder: if a file is missing or is not what it should be.
    """
    if not (path / "conversations.jsonl").is_file():
        raise UnusableFolder(f"{path} has no conversations.jsonl.")
    trackers = tuple(_trackers(path / "trackers.jsonl"))
    if not trackers:
        raise UnusableFolder(f"{path / 'trackers.jsonl'} has no tracker.")
    return Folder(path=path, trackers=trackers, labels=_labels(path / "labels.jsonl"))


def _trackers(file: Path) -> Iterator[TrackerSpec]:
    for row in _rows(file):
        yield TrackerSpec(
            id=row["id"],
            source=row["source"],
            question=row["question"],
            side={"rep": "REP", "customer": "CUSTOMER"}.get(row.get("side", "any"), "ANY"),
            kinds=tuple(row["kinds"]),
            examples=tuple(row.get("example_phrases", ())),
            counter_examples=tuple(row.get("counter_examples", ())),
        )


def _labels(file: Path) -> dict[str, dict[str, Label]]:
    found: dict[str, dict[str, Label]] = {}
    if not file.is_file():
        return found
    for row in _rows(file):
        evidence = row.get("evidence")
        found.setdefault(row["tracker"], {})[row["conversation"]] = Label(
            answer=row["answer"], evidence=None if evidence is None else frozenset(evidence)
        )
    return found


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnusableFolder(f"{file} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise UnusableFolder(f"{file}, line {number}: not JSON.") from error
