"""Ways past the database's guards that leave each guard as it is.

A setting that switches triggers off, a rule that does something else, a function that is taken for
PostgreSQL's own, a table whose rows are read as another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection, transaction

# What the guards ask whether they are in an act, or in the erasure of words: ledger.*.
_SWITCHES = ("act", "erasure")
# Where this session looks for what has no schema before its name, PostgreSQL's own aside.
_LOOKED_IN = (
    "(SELECT oid FROM pg_namespace"
    " WHERE nspname = ANY (current_schemas(false)) AND nspname <> 'pg_catalog')"
)
_FIRST_OID_OF_USERS = 16384


class Gap(NamedTuple):
    """A guard that is not as it should be, or a way past it."""

    subject: str
    detail: str
    invariant: str = "GUARD"


def gaps(tables: set[str]) -> Iterator[Gap]:
    """Find every way past the guards of these tables of the product."""
    yield from _rules(tables)
    yield from _heirs(tables)
    yield from _settings()
    yield from _switches()
    yield from _search_path()
    yield from _doubles()
    yield from _casts()


def answers(statement: str) -> list[tuple[Any, ...]]:
    """Return the rows that a statement without parameters finds."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def _rules(tables: set[str]) -> Iterator[Gap]:
    """Find what PostgreSQL does in the place of what it is told, or does not show."""
    for table, name in answers(
        "SELECT c.relname, r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class"
        " WHERE c.relnamespace = current_schema()::regnamespace AND r.rulename <> '_RETURN'"
        " ORDER BY 1, 2"
    ):
        if table in tables:
            yield Gap(f"rule {name}", f"is in no file of ours, and on {table}")
    for (table,) in answers(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " AND relrowsecurity ORDER BY 1"
    ):
        if table in tables:
            yield Gap(f"table {table}", "may hide rows: its row level security is on")


def _heirs(tables: set[str]) -> Iterator[Gap]:
    """Find tables whose rows are read as rows of ours, and on which no guard of ours is."""
    for heir, table in answers(
        "SELECT i.inhrelid::regclass::text, c.relname"
        " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent"
        " WHERE c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2"
    ):
        if table in tables:
            yield Gap(
                f"table {heir}", f"its rows are read as rows of {table}, from which it inherits"
            )


def _settings() -> Iterator[Gap]:
    """Find settings of the whole database, or of a role, that let every session past the guards."""
    for (setting,) in answers(
        "SELECT DISTINCT setting FROM pg_db_role_setting s, unnest(s.setconfig) setting"
        " WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database"
        "                              WHERE datname = current_database()))"
        " AND (setting LIKE 'ledger.%' OR setting LIKE 'session_replication_role=%') ORDER BY 1"
    ):
        name = setting.partition("=")[0]
        yield Gap(f"setting {name}", "is set for every session of the database or of a role")
    # What this session has now counts as well: it may have been set as the session began.
    for (value,) in answers(
        "SELECT coalesce(nullif(reset_val, 'origin'), setting) FROM pg_settings"
        " WHERE name = 'session_replication_role' AND 'origin' <> ANY (ARRAY[reset_val, setting])"
    ):
        yield Gap("setting session_replication_role", f"is {value} where a session begins")


def _switches() -> Iterator[Gap]:
    """Find what lets a session past the guards from its beginning, wherever that is written.

    What this session has set since then is not looked at: it may be in an act.
    """
    names = [f"ledger.{switch}" for switch in _SWITCHES]
    with transaction.atomic():
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"SET LOCAL {name} TO DEFAULT")
            cursor.execute(
                "SELECT name, current_setting(name) FROM unnest(%s::text[]) name", [names]
            )
            found = cursor.fetchall()
        transaction.set_rollback(True)
    for name, value in found:
        if value == "on":
            yield Gap(f"setting {name}", "is on where a session begins, outside every act")


def _search_path() -> Iterator[Gap]:
    """Find out whether something is looked for elsewhere before it is among PostgreSQL's own.

    Then even what this check asks may be answered by another: so this names its schema.
    """
    [(path,)] = answers("SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true))")
    permanent = [schema for schema in path if not schema.startswith("pg_temp_")]
    if permanent[0] != "pg_catalog":
        yield Gap("setting search_path", f"has {permanent[0]} before pg_catalog")


def _doubles() -> Iterator[Gap]:
    """Find functions and operators that a statement may call in the place of PostgreSQL's own.

    The one whose types fit best is called, not the first. Those of an extension are its own.
    """
    for kind, name in answers(
        "SELECT 'function', p.oid::regprocedure::text FROM pg_proc p"
        f" WHERE p.pronamespace IN {_LOOKED_IN}"
        f" AND {_of_no_extension('pg_proc', 'p')}"
        " AND EXISTS (SELECT 1 FROM pg_proc own WHERE own.proname = p.proname"
        "              AND own.pronamespace = 'pg_catalog'::regnamespace)"
        " UNION ALL "
        "SELECT 'operator', o.oid::regoperator::text FROM pg_operator o"
        f" WHERE o.oprnamespace IN {_LOOKED_IN}"
        f" AND {_of_no_extension('pg_operator', 'o')}"
        " AND EXISTS (SELECT 1 FROM pg_operator own WHERE own.oprname = o.oprname"
        "              AND own.oprnamespace = 'pg_catalog'::regnamespace)"
        " ORDER BY 1, 2"
    ):
        yield Gap(f"{kind} {name}", "is in no file of ours, and may be taken for PostgreSQL's own")


def _casts() -> Iterator[Gap]:
    """Find casts between types that the ledger uses, PostgreSQL's and those of our schema."""
    for source, target in answers(
        "SELECT k.castsource::regtype::text, k.casttarget::regtype::text FROM pg_cast k"
        " JOIN pg_type s ON s.oid = k.castsource JOIN pg_type t ON t.oid = k.casttarget"
        f" WHERE k.oid >= {_FIRST_OID_OF_USERS} AND {_of_no_extension('pg_cast', 'k')}"
        " AND ARRAY[s.typnamespace, t.typnamespace] <@"
        " ARRAY['pg_catalog'::regnamespace::oid, current_schema()::regnamespace::oid]"
        " ORDER BY 1, 2"
    ):
        yield Gap(f"cast of {source} to {target}", "is in no file of ours")


def _of_no_extension(catalogue: str, alias: str) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '{catalogue}'::regclass"
        f" AND d.objid = {alias}.oid AND d.deptype = 'e')"
    )
