"""The database's own guards, compared with what the project says they are.

Functions and triggers are held against the SQL files beside the migrations; keys, constraints and
columns against the models, which they are made from. A name alone says nothing: what each one says
is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connection, models

from credits import bypasses, definitions, sql_files
from credits.bypasses import Gap, answers
from credits.definitions import Definitions
from credits.tenancy import CompanyKey, CompositeKey, TenantKey, TenantOneToOne

# Keys of the ledger's chain that RunSQL adds: no field stands for them.
CHAIN_KEYS = {
    ("credits_ledgerentry", "entry_continues_the_previous_one"): (
        "FOREIGN KEY (company_id, prev_sequence, balance_before)"
        " REFERENCES credits_ledgerentry(company_id, sequence, balance_after)"
    ),
    ("credits_ledgerentry", "entry_corrects_one_of_its_company"): (
        "FOREIGN KEY (company_id, corrects_sequence)"
        " REFERENCES credits_ledgerentry(company_id, sequence)"
    ),
}
# Tests, and the demo while it seeds, replace the clock; the command looks at it by itself.
CLOCK = "ledger_clock"
_DEFERRED = " DEFERRABLE INITIALLY DEFERRED"
_TRIGGER_BITS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


def gaps() -> list[Gap]:
    """Return every guard that is missing, switched off or changed, and every way past them.

    To compare constraints and functions, this session must be allowed to make temporary tables,
    which are taken back. Where it is not, the rest is compared, and that is a gap as well.
    """
    said = definitions.here()
    tables = _names()
    ours = None
    try:
        ours = definitions.ours(said.constraints, _tables())
    except DatabaseError as error:
        refusal = str(error).partition("\n")[0]
        not_compared = [
            Gap("constraints and functions", f"cannot be compared with ours: {refusal}")
        ]
    return [
        *_functions(said, ours),
        *_triggers(tables),
        *bypasses.gaps(tables),
        *_keys(said, tables),
        *(_constraints(said, ours) if ours else not_compared),
        *_columns(),
    ]


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


def _functions(said: Definitions, ours: Definitions | None) -> Iterator[Gap]:
    """Hold each function against its file: all it says, or without ``ours`` the body alone."""
    written = sql_files.written().functions
    for name, function in sorted(written.items()):
        found = said.functions.get(name, [])
        if ours:
            is_as_written = found == ours.functions[name]
        else:
            is_as_written = len(found) == 1 and function.body in found[0]
        if name != CLOCK and not is_as_written:
            yield Gap(f"function {name}", "is not what its file says" if found else "is missing")
    for name in sorted(said.functions):
        if name.startswith("ledger_") and name not in written:
            yield Gap(f"function {name}", "is in no file of ours")


def _triggers(tables: set[str]) -> Iterator[Gap]:
    rows = answers(
        "SELECT c.relname, t.tgname, p.proname, t.tgtype, t.tgenabled IN ('O', 'A')"
        " AND t.tgqual IS NULL AND cardinality(t.tgattr::int2[]) = 0"
        " AND p.pronamespace = c.relnamespace"
        " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_proc p ON p.oid = t.tgfoid"
        " WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
    )
    installed = {row[:2]: row[2:] for row in rows}
    known = set()
    for name, trigger in sorted(sql_files.written().triggers.items()):
        bits = sum(_TRIGGER_BITS[event] for event in trigger.events)
        bits += trigger.is_for_each_row + 2 * trigger.is_before
        place = (trigger.table, name)
        known.add(place)
        if place not in installed:
            yield Gap(f"trigger {name}", "is missing")
        elif installed[place] != (trigger.function, bits, True):
            yield Gap(f"trigger {name}", "is switched off or is not what its file says")
    for table, name in sorted(installed.keys() - known):
        if table in tables:
            yield Gap(f"trigger {name}", f"is in no file of ours, and on {table}")


def _columns() -> Iterator[Gap]:
    """Hold the type of every column against its field (I17), and whether it may be empty."""
    rows = answers(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    )
    installed = {row[:2]: row[2:] for row in rows}
    for model in _tables():
        for field in model._meta.concrete_fields:
            subject = f"{model._meta.db_table}.{field.column}"
            written = field.db_type(connection) or ""
            if (model._meta.db_table, field.column) not in installed:
                yield Gap(subject, "is missing")
                continue
            found, is_never_null = installed[model._meta.db_table, field.column]
            if found != written.replace("varchar", "character varying").replace(", ", ","):
                invariant = "I17" if isinstance(field, models.DecimalField) else "GUARD"
                yield Gap(subject, f"is not {written}", invariant)
            if not (field.null or field.generated or is_never_null):
                yield Gap(subject, "may be null, and its model says it may not")


def _keys(said: Definitions, tables: set[str]) -> Iterator[Gap]:
    """Hold every foreign key against its field, by what it says; one that waits holds as well.

    Those of Django have names that say nothing: one of their words must be on the table.
    """
    named = {(key.table, key.name): (key.text, "model") for key in composite_keys()}
    named |= {place: (text, "file") for place, text in CHAIN_KEYS.items()}
    for (table, name), (text, source) in named.items():
        found = said.constraints.get((table, name))
        if found is None:
            yield Gap(f"key {name}", "is missing")
        elif found.removesuffix(_DEFERRED) != text:
            yield Gap(f"key {name}", f"is not what its {source} says")
    texts = {(table, text) for (table, _), text in said.constraints.items()}
    for model in _tables():
        table = model._meta.db_table
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and field.db_constraint:  # type: ignore[attr-defined]
                target = field.target_field
                text = f"FOREIGN KEY ({field.column}) REFERENCES "
                text += f"{target.model._meta.db_table}({target.column})"
                if not {(table, text), (table, text + _DEFERRED)} & texts:
                    yield Gap(
                        f"key {table}.{field.column}", "is missing or not what its model says"
                    )
    for name, table in answers(
        "SELECT DISTINCT k.conname, c.relname FROM pg_trigger t"
        " JOIN pg_constraint k ON k.oid = t.tgconstraint JOIN pg_class c ON c.oid = k.conrelid"
        " WHERE t.tgisinternal AND t.tgenabled <> 'O'"
        " AND c.relnamespace = current_schema()::regnamespace ORDER BY 1"
    ):
        if table in tables:
            yield Gap(f"key {name}", "is switched off")


def _constraints(said: Definitions, ours: Definitions) -> Iterator[Gap]:
    """Hold checks, what may come once and what is computed against the models.

    What a field makes by itself has a name of the database's: one such must be on the table.
    """
    named = {
        (model._meta.db_table, constraint.name)
        for model in _models()
        for constraint in model._meta.constraints
    }
    for place in sorted(named):
        if place not in said.constraints:
            yield Gap(f"constraint {place[1]}", "is missing")
        elif said.constraints[place] != ours.constraints[place]:
            yield Gap(f"constraint {place[1]}", "is not what its model says")
    texts = {(table, text) for (table, _), text in said.constraints.items()}
    for table, name in sorted(ours.constraints.keys() - named):
        if (table, ours.constraints[table, name]) not in texts:
            yield Gap(f"constraint {name}", "is missing or not what its model says")
    for (table, name), text in sorted(ours.computed.items()):
        if said.computed.get((table, name)) != text:
            yield Gap(f"{table}.{name}", "is not computed as its model says")


def _tables() -> list[type[models.Model]]:
    """Return a model of every table of our apps: histories and many-to-many ones, too."""
    ours = {model._meta.app_label for model in _models()}
    found = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in ours and model._meta.managed and not model._meta.proxy
    ]
    return sorted(found, key=lambda model: model._meta.db_table)


def _names() -> set[str]:
    return {model._meta.db_table for model in _tables()}


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
