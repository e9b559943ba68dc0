"""A labelled folder: conversations.jsonl, trackers.jsonl and, when there are any, labels.jsonl."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.utils import timezone

from trackers.importers.jsonl import Reader

PHRASE_CHARACTERS_MAX = 500  # As long as the product takes.
_SIDES = {"rep": "REP", "customer": "CUSTOMER", "any": "ANY"}

Parsed = TypeVar("Parsed")


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
        return Reader([self.path / "conversations.jsonl"], arrived_at=timezone.now())


def load(path: Path) -> Folder:
    """Read the trackers and labels of a folder, and check that its conversations can be read.

    :raises UnusableFolder: if a file is missing or is not what it should be.
    """
    if not path.is_dir():
        raise UnusableFolder(f"{path} is not a folder.")
    if not (path / "conversations.jsonl").is_file():
        raise UnusableFolder(f"{path} has no conversations.jsonl.")
    trackers = tuple(parsed(path / "trackers.jsonl", _tracker))
    if not trackers:
        raise UnusableFolder(f"{path / 'trackers.jsonl'} has no tracker.")
    if len({spec.id for spec in trackers}) < len(trackers):
        raise UnusableFolder(f"{path / 'trackers.jsonl'} has two trackers with the same id.")
    folder = Folder(path=path, trackers=trackers, labels=_labels(path / "labels.jsonl"))
    _refuse_unreadable_conversations(folder)
    return folder


def _refuse_unreadable_conversations(folder: Folder) -> None:
    file = folder.path / "conversations.jsonl"
    try:
        first = next(iter(folder.conversations), None)
    except OSError as error:
        raise UnusableFolder(f"{file} cannot be read: {error.strerror}.") from error
    if first is None:
        raise UnusableFolder(f"{file} has no conversation that can be read.")


def _tracker(row: dict[str, Any]) -> TrackerSpec:
    spec = TrackerSpec(
        id=_filled(row, "id"),
        source=row["source"],
        question=_filled(row, "question"),
        side=_SIDES[row.get("side", "any")],
        kinds=tuple(row["kinds"]),
        examples=tuple(row.get("example_phrases", ())),
        counter_examples=tuple(row.get("counter_examples", ())),
    )
    if not spec.kinds or not set(spec.kinds) <= {"call", "email"}:
        raise ValueError("“kinds” is not a list of “call” and “email”")
    if any(len(phrase) > PHRASE_CHARACTERS_MAX for phrase in spec.examples + spec.counter_examples):
        raise ValueError(f"a phrase is longer than {PHRASE_CHARACTERS_MAX} characters")
    return spec


def _filled(row: dict[str, Any], name: str) -> str:
    value: str = row[name]
    if not value.strip():
        raise ValueError(f"“{name}” is empty")
    return value


def _labels(file: Path) -> dict[str, dict[str, Label]]:
    found: dict[str, dict[str, Label]] = {}
    if not file.exists():
        return found
    for tracker, conversation, label in parsed(file, _label):
        found.setdefault(tracker, {})[conversation] = label
    return found


def _label(row: dict[str, Any]) -> tuple[str, str, Label]:
    evidence = row.get("evidence")
    if not isinstance(row["answer"], bool):
        raise ValueError("“answer” is neither true nor false")
    label = Label(answer=row["answer"], evidence=None if evidence is None else frozenset(evidence))
    return row["tracker"], row["conversation"], label


def parsed(file: Path, parse: Callable[[dict[str, Any]], Parsed]) -> Iterator[Parsed]:
    """Read a file of JSON lines, one value a line.

    :raises UnusableFolder: it cannot be read, or a line is not what it should be.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UnusableFolder(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UnusableFolder(f"{file} cannot be read: it is not UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield parse(json.loads(line))
        except json.JSONDecodeError as error:
            raise UnusableFolder(f"{file}, line {number}: not JSON.") from error
        except KeyError as error:
            raise UnusableFolder(f"{file}, line {number}: {error.args[0]!r} is missing.") from error
        except (AttributeError, TypeError) as error:
            raise UnusableFolder(f"{file}, line {number}: a value of the wrong type.") from error
        except ValueError as error:
            raise UnusableFolder(f"{file}, line {number}: {error}.") from error
