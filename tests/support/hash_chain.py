"""The ledger's chain of hashes once more, in plain Python from the rows alone (DESIGN §3).

A twin of ``ledger_entry_hash``, written from the description and not from the SQL: these fields
joined by ``|`` as UTF-8, followed by the 32 bytes of the hash before. The last field is a digest:
in version 1 of the drawdowns, in version 2 of the drawdowns and, after a ``|``, the facts: the
terms of the grant that the entry made effective, or the use that it paid for.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

GENESIS = bytes(32)


def hashes(entries, drawdowns, grants=(), usage=(), *, version="2") -> list[bytes]:
    """Recompute the hash of every entry of one company, in the order of their sequence.

    The arguments are rows as dictionaries by column.
    """
    found: list[bytes] = []
    previous = GENESIS
    for entry in sorted(entries, key=lambda row: row["sequence"]):
        drawn = [row for row in drawdowns if row["entry_id"] == entry["id"]]
        content = _lots(drawn)
        if version == "2":
            content += "|" + _facts(entry, grants, usage)
        digest = hashlib.sha256(content.encode()).hexdigest()
        fields = "|".join([version, *_columns(entry), digest])
        previous = hashlib.sha256(fields.encode() + previous).digest()
        found.append(previous)
    return found


def _columns(entry) -> list[str]:
    return [
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
    ]


def _lots(drawn) -> str:
    """The lots in drawing order, which is that of their ids."""
    lots = sorted(drawn, key=lambda row: row["id"])
    return ";".join(f"{lot['grant_id']}:{lot['amount']:.3f}" for lot in lots)


def _facts(entry, grants, usage) -> str:
    for use in usage:
        if use["entry_id"] == entry["id"]:
            return _use(use)
    for grant in grants:
        if grant["id"] == entry["cause_ref"] and entry["cause"] in ("ISSUE", "ADJUST"):
            return _terms(grant)
    return ""


def _terms(grant) -> str:
    return "|".join(
        [
            "TERMS",
            str(grant["id"]),
            str(grant["company_id"]),
            grant["source"],
            f"{grant['amount']:.3f}",
            _instant(grant["effective_at"]),
            _instant(grant["requested_effective_at"]),
            _instant(grant["expires_at"]),
            str(grant["priority"]),
            _instant(grant["created_at"]),
        ]
    )


def _use(use) -> str:
    """Free text has its length in bytes before it."""
    return "|".join(
        [
            "USAGE",
            str(use["id"]),
            use["feature_type"],
            str(len(use["feature_name"].encode())),
            use["feature_name"],
            _or_empty(use["feature_ref"]),
            use["action"],
            _or_empty(use["integration_ref"]),
            _or_empty(use["api_key_ref"]),
            _or_empty(use["user_ref"]),
            _or_empty(use["team_ref"]),
            str(len(use["request_id"].encode())),
            use["request_id"],
            str(use["rate_card_id"]),
            str(use["calls"]),
            str(use["emails"]),
            str(use["web_searches"]),
            _or_empty(use["request_count"]),
        ]
    )


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _or_empty(value) -> str:
    return "" if value is None else str(value)
