"""Where a conversation leaves traces, found from the models' own keys.

A table that points to a conversation, its participants, utterances or results, over however many
keys, is erased with it: its rows go, whichever app adds it and whenever. What stays is listed
here with what becomes of it, and ``tests/architecture/test_erasure.py`` fails for a table with
words that neither is reached nor has a reason.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import Field, Model, Q

from trackers.models import Conversation, Scan

# Rows that stay without their words, so that ledger, usage and reports do not change.
KEPT: tuple[type[Model], ...] = (Conversation, Scan)
# What stays of an erased conversation: kind, duration class and date (SPEC §10).
CONVERSATION_KEEPS = frozenset(
    {
        "id",
        "company",
        "external_id",
        "kind",
        "started_at",
        "duration_seconds",
        "arrived_at",
        "text_revision",
        "erased_at",
    }
)


@dataclass(frozen=True, slots=True)
class Trace:
    """A table whose rows go, and the ways that lead from a row to a conversation."""

    model: type[Model]
    paths: tuple[str, ...]

    def rows(self, conversations: Collection[Any]) -> Q:
        found = Q()
        for path in self.paths:
            found |= Q(**{f"{path}__in": conversations})
        return found


@cache
def traces() -> tuple[Trace, ...]:
    """Return the tables to delete from, those that point to others first."""
    paths = _paths()
    order: list[type[Model]] = []

    def visit(model: type[Model]) -> None:
        if model in order:
            return
        for other in paths:
            if other is not model and any(
                field.remote_field.model is model for field in _keys(other)
            ):
                visit(other)
        order.append(model)

    for model in paths:
        visit(model)
    return tuple(Trace(model, tuple(paths[model])) for model in order)


def delete(conversations: Collection[Any]) -> dict[str, int]:
    """Delete what points to conversations; return how many rows of each table, by its name."""
    counts = {}
    for trace in traces():
        rows = trace.model._base_manager.filter(trace.rows(conversations))
        chosen = trace.model._base_manager.filter(pk__in=rows.values("pk"))
        # Not delete(): that would load every utterance to look for what we delete ourselves.
        count = chosen._raw_delete(connection.alias)
        counts[trace.model._meta.label_lower] = count
    return counts


def blank_conversation() -> dict[str, Any]:
    """Return the fields of a conversation that go, with what is left in their place."""
    return {
        field.name: empty(field)
        for field in Conversation._meta.concrete_fields
        if field.name not in CONVERSATION_KEEPS
    }


def blank_scan() -> dict[str, Any]:
    """Return the fields of a result that hold words, with what is left in their place."""
    return {field.name: empty(field) for field in Scan._meta.concrete_fields if holds_words(field)}


def holds_words(field: Field[Any, Any]) -> bool:
    """Tell whether a column can hold what somebody said or wrote: text that is no code."""
    if field.primary_key or field.choices:
        return False
    if isinstance(field, ArrayField):
        return holds_words(field.base_field)
    return isinstance(
        field, (models.CharField, models.TextField, models.JSONField, models.BinaryField)
    )


def empty(field: Field[Any, Any]) -> Any:
    """Return what a field holds when it holds nothing."""
    if field.null:
        return None
    if isinstance(field, ArrayField):
        return []
    if isinstance(field, models.BinaryField):
        return b""
    if isinstance(field, models.JSONField):
        return {}
    if isinstance(field, (models.CharField, models.TextField)):
        return ""
    if isinstance(field, models.BooleanField):
        return False
    return 0


def _paths() -> dict[type[Model], list[str]]:
    """Return every model that leads to a conversation, with the paths; those that stay left out."""
    found: dict[type[Model], list[str]] = {}
    reached: dict[type[Model], str] = {Conversation: ""}
    waiting: list[type[Model]] = [Conversation]
    while waiting:
        target = waiting.pop(0)
        for model in apps.get_models():
            for field in _keys(model):
                if field.remote_field.model is not target or model is target:
                    continue
                path = "__".join(filter(None, (field.name, reached[target])))
                # A key within another leads to the same conversation as that one does.
                if model not in KEPT and not getattr(field, "within", ""):
                    found.setdefault(model, []).append(path)
                if model not in reached:
                    reached[model] = path
                    waiting.append(model)
    return found


def _keys(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.is_relation]
