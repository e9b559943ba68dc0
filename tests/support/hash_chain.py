"""The ledger's chain of hashes once more, in plain Python from the rows alone (DESIGN §3).

A twin of ``ledger_entry_hash``, written from the description and not from the SQL: version 1 is
these fields joined by ``|`` as UTF-8, followed by the 32 bytes of the hash before.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

GENESIS = bytes(32)
VERSION = "1"


def hashes(entries, drawdowns) -> list[bytes]:
    """Recompute the hash of every entry of one company, in the order of their sequence.

    ``entries`` and ``drawdowns`` are rows as dictionaries by column.
    """
    found: list[bytes] = []
    previous = GENESIS
    for entry in sorted(entries, key=lambda row: row["sequence"]):
        drawn = [row for row in drawdowns if row["entry_id"] == entry["id"]]
        previous = hashlib.sha256(_fields(entry, drawn).encode() + previous).digest()
        found.append(previous)
    return found


def _fields(entry, drawn) -> str:
    return "|".join(
        [
            VERSION,
            str(entry["company_id"]),
            str(entry["sequence"]),
            entry["kind"],
            f"{entry['amount']:.3f}",
            f"{entry['balance_before']:.3f}",
            f"{entry['balance_after']:.3f}",
            _instant(entry["occurred_at"]),
            _instant(entry["recorded_at"]),
            entry["cause"],
            str(entry["cause_ref"]),
            _or_empty(entry["grant_id"]),
            _or_empty(entry["corrects_sequence"]),
            _or_empty(entry["actor_ref"]),
            _digest(drawn),
        ]
    )


def _digest(drawn) -> str:
    """The lots in drawing order, which is that of their ids."""
    lots = sorted(drawn, key=lambda row: row["id"])
    text = ";".join(f"{lot['grant_id']}:{lot['amount']:.3f}" for lot in lots)
    return hashlib.sha256(text.encode()).hexdigest()


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _or_empty(value) -> str:
    return "" if value is None else str(value)
