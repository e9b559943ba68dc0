"""Hold every reply of a race against the reference ledger, in the order the ledger took them.

The pool's lock puts the acts of a company in one order; the instant read after the lock, then the
sequence, is that order. Each recorded act is done again on ``ReferenceLedger``, and what the real
ledger replied then must be what the reference says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from credits.models import Company, CreditGrant, LedgerEntry
from tests.properties.reference import ReferenceLedger, Refused

# The reference's name of each act where it is another.
NAMES = {"adjust_up": "give", "adjust_down": "take", "read": "settle"}
IDS = ("id", "usage_id", "replacement_id")
INSTANTS = ("effective_at", "expires_at")


def differences(company: Company, lines: Iterable[str]) -> tuple[int, list[str]]:
    """Return how many replies were derived again, and each that differs, in words."""
    replies = sorted(
        (json.loads(line) for line in lines if line.strip()),
        key=lambda reply: (datetime.fromisoformat(reply["instant"]), reply["sequence"]),
    )
    model = ReferenceLedger(datetime.fromisoformat(replies[0]["instant"]))
    keys: dict[str, str] = {}
    found = []
    for number, reply in enumerate(replies):
        if problem := _differs(model, keys, reply):
            found.append(f"Reply {number}, {reply['act']} at {reply['instant']}: {problem}")
    return len(replies), found + _ends_differently(company, model)


def _differs(model: ReferenceLedger, keys: dict[str, str], reply: dict) -> str:
    model.advance(datetime.fromisoformat(reply["instant"]))
    terms = _terms(reply)
    key = terms.pop("key", None)
    if key in keys:
        expected = "REPLAYED"
        if reply["result_ref"] != keys[key]:
            return f"replayed {reply['result_ref']}, was {keys[key]}"
    else:
        expected = _done(model, reply["act"], terms)
        if key and expected == "OK":
            keys[key] = reply["result_ref"]
    said = (reply["outcome"], *(Decimal(reply[name]) for name in ("balance", "reserved")))
    true = (expected, model.balance, model.reserved)
    if said != true:
        return f"said {said}, is {true}"
    # A refused refund says there what is left to refund.
    is_pool = reply["act"] != "refund" or expected == "OK"
    if is_pool and Decimal(reply["available"]) != model.available:
        return f"said {reply['available']} available, is {model.available}"
    if reply["sequence"] != len(model.log):
        return f"said sequence {reply['sequence']}, is {len(model.log)}"
    return ""


def _done(model: ReferenceLedger, act: str, terms: dict) -> str:
    if act == "charge":
        terms["id"] = terms.pop("usage_id")
    if act == "refund":
        terms["id"] = terms.pop("usage_id")
        terms.setdefault("amount", None)
    if act in ("issue", "adjust_up"):
        terms.setdefault("expires_at", None)
    if act == "issue":
        terms.setdefault("effective_at", None)
    if act == "adjust_up":
        terms.pop("priority")
    try:
        getattr(model, NAMES.get(act, act))(**terms)
    except Refused as refusal:
        return refusal.args[0]
    return "OK"


def _terms(reply: dict) -> dict:
    terms = dict(reply["terms"])
    for name, value in terms.items():
        if name == "amount":
            terms[name] = Decimal(value)
        elif name in IDS:
            terms[name] = UUID(value)
        elif name in INSTANTS:
            terms[name] = datetime.fromisoformat(value)
        elif name == "lease":
            terms[name] = timedelta(microseconds=value)
    return terms


def _ends_differently(company: Company, model: ReferenceLedger) -> list[str]:
    """Compare the whole log, and what each lot has left."""
    found = []
    entries = LedgerEntry.objects.filter(company=company).order_by("sequence")
    written = [
        (entry.kind, entry.amount, entry.balance_before, entry.balance_after, entry.occurred_at)
        for entry in entries
    ]
    derived = [(one.kind, one.amount, one.before, one.after, one.at) for one in model.log]
    if written != derived:
        found.append(f"The log has {len(written)} entries, the reference {len(derived)}.")
        found += [f"{a} is {b}" for a, b in zip(written, derived, strict=False) if a != b][:3]
    left = dict(CreditGrant.objects.filter(company=company).values_list("pk", "remaining"))
    expected = {lot.id: lot.remaining for lot in model.lots.values()}
    if left != expected:
        found.append("Lots differ.")
    return found
