"""The database's own guards, compared with what the project says they are.

Functions and triggers are held against the SQL files beside the migrations, word for word;
composite keys and constraints against the models, which they are made from. A test and
``check_ledger`` both look here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, models

from credits import sql_files
from credits.tenancy import CompanyKey, CompositeKey, TenantKey, TenantOneToOne

# Keys of the ledger's chain that RunSQL adds: no field stands for them.
CHAIN_KEYS = ("entry_continues_the_previous_one", "entry_corrects_one_of_its_company")
# Tests, and the demo while it seeds, replace the clock; the command looks at it by itself.
CLOCK = "ledger_clock"
_TRIGGER_BITS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


class Gap(NamedTuple):
    """A guard that is not as it should be."""

    subject: str
    detail: str


def gaps() -> Iterator[Gap]:
    """Yield every guard that is missing, switched off or changed."""
    yield from _functions()
    yield from _triggers()
    yield from _constraints()


def composite_keys() -> list[CompositeKey]:
    """Return the key of every ``TenantKey`` there is (I16), in the order of the tables.

    One that another is ``within`` has none: that one holds it.
    """
    return [
        CompositeKey(
            model._meta.db_table,
            field.column,
            field.remote_field.model._meta.db_table,
            within=f"{within}_id" if (within := _within(field)) else "",
        )
        for model in _models()
        for fields in [model._meta.concrete_fields]
        for field in fields
        if isinstance(field, (TenantKey, TenantOneToOne)) and field.name not in map(_within, fields)
    ]


def _within(field: models.Field[Any, Any]) -> str:
    return field.within if isinstance(field, TenantKey) else ""


def _functions() -> Iterator[Gap]:
    installed: dict[str, list[str]] = {}
    for name, body in _rows(
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
    ):
        installed.setdefault(name, []).append(body.strip())
    written = sql_files.written().functions
    for name, function in sorted(written.items()):
        found = installed.get(name, [])
        if name != CLOCK and found != [function.body]:
            yield Gap(f"function {name}", "is not what its file says" if found else "is missing")
    for name in sorted(installed):
        if name.startswith("ledger_") and name not in written:
            yield Gap(f"function {name}", "is in no file of ours")


def _triggers() -> Iterator[Gap]:
    rows = _rows(
        "SELECT t.tgname, c.relname, p.proname, t.tgtype, t.tgenabled IN ('O', 'A')"
        " AND t.tgqual IS NULL AND cardinality(t.tgattr::int2[]) = 0"
        " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal"
    )
    installed = {row[0]: row[1:] for row in rows}
    for name, trigger in sorted(sql_files.written().triggers.items()):
        bits = sum(_TRIGGER_BITS[event] for event in trigger.events)
        bits += trigger.is_for_each_row + 2 * trigger.is_before
        expected = (trigger.table, trigger.function, bits, True)
        if name not in installed:
            yield Gap(f"trigger {name}", "is missing")
        elif installed[name] != expected:
            yield Gap(f"trigger {name}", "is switched off or is not what its file says")


def _constraints() -> Iterator[Gap]:
    held = {name for (name,) in _rows("SELECT conname FROM pg_constraint WHERE convalidated")}
    held |= {
        name
        for (name,) in _rows(
            "SELECT relname FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
            " WHERE i.indisunique AND i.indisvalid"
        )
    }
    for key in composite_keys():
        if key.name not in held:
            yield Gap(f"key {key.name}", "is missing")
    for name in CHAIN_KEYS:
        if name not in held:
            yield Gap(f"key {name}", "is missing")
    for model in _models():
        for constraint in model._meta.constraints:
            if constraint.name not in held:
                yield Gap(f"constraint {constraint.name}", "is missing")


def _models() -> list[type[models.Model]]:
    """Return the models of apps that have a company in them, ours, in the order of their tables.

    The history of a row keeps keys of rows that may be gone, so it has no composite ones.
    """
    ours = {
        model._meta.app_label
        for model in apps.get_models()
        if any(isinstance(field, CompanyKey) for field in model._meta.concrete_fields)
    }
    found = [
        model
        for model in apps.get_models()
        if model._meta.app_label in ours and not hasattr(model, "history_object")
    ]
    return sorted(found, key=lambda model: model._meta.db_table)


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
