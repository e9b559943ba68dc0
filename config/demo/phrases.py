"""The fragments of talk and mail the demo's conversations are put together from, written by us.

A file holds categories (``# price``), each of exchanges divided by ``--``. A line is spoken by our
representative (``R``), the contact (``C``) or a second contact (``D``). ``<goods>`` is filled in
from the account, ``{a|b}`` says one of several, ``<n:4-19>`` a number between. An exchange that
is a mail begins with its subject, ``= Subject``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

DATA = Path(__file__).parent / "data"
FILES = ("talks_sales.txt", "talks_more.txt", "talks_service.txt", "mails.txt", "mails_more.txt")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")

_CHOICE = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"<n:(\d+)-(\d+)>")
_SLOT = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Line:
    """What one side says: ``who`` is R, C or D."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A few lines that belong together; ``subject`` is empty for talk."""

    subject: str
    lines: tuple[Line, ...]


@cache
def exchanges() -> dict[str, tuple[Exchange, ...]]:
    """Return all exchanges by category, in the order of the files."""
    found: dict[str, list[Exchange]] = {}
    for name in FILES:
        for part in re.split(r"^# ", (DATA / name).read_text(), flags=re.MULTILINE)[1:]:
            category, _, rest = part.partition("\n")
            found.setdefault(category.strip(), []).extend(
                _exchange(block) for block in rest.split("\n--\n")
            )
    return {category: tuple(members) for category, members in found.items()}


def filled(text: str, words: Mapping[str, str], rng: Random) -> str:
    """Return the text as it is said once: alternatives chosen, slots filled.

    :raises KeyError: for a slot that nobody knows.
    """
    text = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)
    text = _NUMBER.sub(lambda match: str(rng.randint(int(match[1]), int(match[2]))), text)
    return _SLOT.sub(lambda match: words[match[1]], text)


def _exchange(block: str) -> Exchange:
    rows = block.strip().splitlines()
    subject = rows.pop(0).removeprefix("= ") if rows[0].startswith("= ") else ""
    lines = []
    for row in rows:
        who, _, text = row.partition(": ")
        lines.append(Line(who, text))
    return Exchange(subject, tuple(lines))
