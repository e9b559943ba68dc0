"""Schemathesis at an OpenAPI document, against a web server as an operator starts it.

The document is told the ids there are, so that requests reach rows; another company's are among
them, and its canary must never come back.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from credits.models import LedgerEntry

FRESH = "fresh-key"
CHECKS = {
    # What a request may not say together (a range without CUSTOM_RANGE), what a cursor holds, and
    # whom a name names, is said in words: a schema has no place for it. That such requests are
    # refused with 400 is right.
    "positive_data_acceptance": {"enabled": False},
    # RFC 6585 has 428 for a missing If-Match.
    "missing_required_header": {"expected-statuses": [400, 401, 406, 415, 422, 428]},
    # 412 is the answer to an If-Match of another state, which is what a wrong one is; 413 to a body
    # that is wrong by being too long.
    "negative_data_rejection": {
        "expected-statuses": [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429]
    },
}
schemathesis.openapi.format(FRESH, st.uuids().map(str))


@dataclass
class Run:
    """What was asked and answered: how many cases, which statuses, and what was wrong."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    by_operation: dict[str, Counter[int]] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def good(self) -> set[str]:
        """Return the operations that were answered well at least once."""
        return {
            name
            for name, statuses in self.by_operation.items()
            if any(status in (200, 201) for status in statuses)
        }

    def said(self) -> str:
        statuses = ", ".join(
            f"{status}: {count:,}" for status, count in sorted(self.statuses.items())
        )
        return f"{self.cases:,} cases of {len(self.by_operation)} operations ({statuses})"

    def wrong(self) -> str:
        return "\n".join(f"{name}: {what}\n{how}" for (name, what), how in self.failures.items())


def run(
    document: dict[str, Any],
    *,
    site: str,
    authorization: str,
    canary: str,
    examples: int,
    seed: int | None = None,
    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing"),
) -> Run:
    """Ask what the document says and what it does not say.

    Each operation: its examples, the borders of all of its parameters, and ``examples`` drawn.
    """
    chosen = {
        name: {"enabled": name in phases}
        for name in ("examples", "coverage", "fuzzing", "stateful")
    }
    config = SchemathesisConfig.from_dict(
        {
            "base-url": site,
            "headers": {"Authorization": authorization},
            "continue-on-failure": True,
            "workers": 1,
            "generation": {
                "max-examples": examples,
                "database": "none",
                "deterministic": seed is None,
            },
            "phases": chosen,
            "checks": CHECKS,
            **({} if seed is None else {"seed": seed}),
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    found = Run()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _count(found, event, canary)
        elif isinstance(event, events.NonFatalError):
            found.failures[event.label, type(event.value).__name__] = str(event.value)
        elif isinstance(event, events.FatalError):
            raise event.exception
    return found


def _count(found: Run, event: events.ScenarioFinished, canary: str) -> None:
    recorder = event.recorder
    for interaction in recorder.interactions.values():
        found.cases += 1
        response = interaction.response
        if response is None:
            found.failures[recorder.label, "no answer"] = str(interaction.request.uri)
            continue
        found.statuses[response.status_code] += 1
        own = found.by_operation.setdefault(recorder.label, Counter())
        own[response.status_code] += 1
        if canary in f"{response.content!r} {response.headers}":
            found.failures[recorder.label, "another company's rows"] = str(interaction.request.uri)
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None and not (
                check.name in ("negative_data_rejection", "missing_required_header")
                and _is_answered_in_part(recorder.interactions[case_id])
            ):
                failure = check.failure_info.failure
                found.failures.setdefault(
                    (recorder.label, f"{check.name}: {failure.title}"),
                    f"{failure.message}\n{check.failure_info.code_sample}",
                )


def _is_answered_in_part(interaction: Any) -> bool:
    """Tell whether a request with something wrong in it was answered well, and rightly.

    A bulk has an answer for each of its items, which says what is wrong with that one; a dry run
    does nothing, and needs no Idempotency-Key.
    """
    response, body = interaction.response, interaction.request.body or b""
    shown = json.loads(response.content) if response.content.startswith(b"{") else {}
    is_dry = b'"dry_run": true' in body or "dry_run=true" in interaction.request.uri
    return is_dry or shown.get("refused", 0) > 0


def told_of(document: dict[str, Any], ids: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the document with the ids that rows have, by the path that names them."""
    told = deepcopy(document)
    for path, operations in told["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["schema"] = {"enum": ids[path]}
                if parameter["name"] == "Idempotency-Key":
                    parameter["schema"] = {"type": "string", "format": FRESH}
    return told


def ids_of(models: dict[str, type], *companies: Any) -> dict[str, list[Any]]:
    """Return the ids of rows of the companies by path, the first company's mostly."""
    found: dict[str, list[Any]] = {}
    for address, model in models.items():
        name = "sequence" if model is LedgerEntry else "pk"
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", address)
        for place, company in enumerate(companies):
            rows = model._default_manager.filter(company=company).order_by("-pk")
            values = rows.values_list(name, flat=True)[: 1 if place else 4]
            found.setdefault(path, []).extend(
                value if name == "sequence" else str(value) for value in values
            )
    return found
