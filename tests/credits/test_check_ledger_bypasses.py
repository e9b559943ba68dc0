"""``check_ledger`` names every way past the guards that leaves each of them as it is."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from django.db import connection

from config import databases
from credits import bypasses
from credits.models import UsageEvent
from tests.support import databases as test_databases
from tests.support import people, processes
from tests.support.corrupting import CHANGED, corrupt, entry

CLEAN = (0, ["Checked 0 ledger entries: every invariant holds."])
MALLORY = UUID(int=7)

# Of types that fit the entry's hash better than PostgreSQL's own, which takes any: it leaves out
# who is said to have done entry 3.
LYING_CONCAT_WS = """CREATE FUNCTION public.concat_ws(text, text, bigint, bigint, text, numeric,
    numeric, numeric, text, text, text, uuid, text, text, text, text)
    RETURNS text LANGUAGE sql STABLE AS $$ SELECT pg_catalog.concat_ws($1, $2, $3, $4, $5, $6, $7,
        $8, $9, $10, $11, $12, $13, $14, CASE $4 WHEN 3 THEN '' ELSE $15 END, $16) $$"""
LYING_CLOCK = """CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    AS $$ SELECT timestamptz '2020-01-01' $$"""
GLUE = "CREATE FUNCTION glue(text, uuid) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$"
ROUND_UP = "CREATE FUNCTION up(numeric) RETURNS text LANGUAGE sql AS $$ SELECT '1' $$"

# What a hand did beside the guards, and what is said of it.
DEEDS = {
    "a function fits better than PostgreSQL's own": (
        ["CREATE FUNCTION sha256(text) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$"],
        ["function sha256(text): is in no file of ours, and may be taken for PostgreSQL's own"],
    ),
    "an aggregate fits better than PostgreSQL's own": (
        ["CREATE AGGREGATE sum(text) (SFUNC = textcat, STYPE = text)"],
        ["function sum(text): is in no file of ours, and may be taken for PostgreSQL's own"],
    ),
    "an operator fits better than PostgreSQL's own": (
        [GLUE, "CREATE OPERATOR || (FUNCTION = glue, LEFTARG = text, RIGHTARG = uuid)"],
        ["operator ||(text,uuid): is in no file of ours, and may be taken for PostgreSQL's own"],
    ),
    "amounts are written in another way": (
        [ROUND_UP, "CREATE CAST (numeric AS text) WITH FUNCTION up(numeric)"],
        ["cast of numeric to text: is in no file of ours"],
    ),
    "a grant is written in another way": (
        [
            (
                "CREATE FUNCTION told(credits_creditgrant) RETURNS text LANGUAGE sql"
                " AS $$ SELECT '' $$"
            ),
            "CREATE CAST (credits_creditgrant AS text) WITH FUNCTION told(credits_creditgrant)",
        ],
        ["cast of credits_creditgrant to text: is in no file of ours"],
    ),
    "purchases are also elsewhere": (
        ["CREATE SCHEMA aside", "CREATE TABLE aside.more () INHERITS (billing_purchase)"],
        [
            (
                "table aside.more: its rows are read as rows of billing_purchase, from"
                " which it inherits"
            )
        ],
    ),
    "scans are also elsewhere": (
        ["CREATE TABLE more () INHERITS (trackers_scan)"],
        ["table more: its rows are read as rows of trackers_scan, from which it inherits"],
    ),
    "what is PostgreSQL's own is looked for elsewhere first": (
        ["SET LOCAL search_path = public, pg_catalog"],
        ["setting search_path: has public before pg_catalog"],
    ),
    "this session's triggers are off": (
        ["SET LOCAL session_replication_role = replica"],
        ["setting session_replication_role: is replica where a session begins"],
    ),
}

# What is nobody's way past the guards.
HARMLESS = {
    "a function with a name of its own": [GLUE],
    "a function elsewhere": [
        "CREATE SCHEMA aside",
        "CREATE FUNCTION aside.sha256(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$",
    ],
    "functions and casts of an extension": [
        "CREATE FUNCTION sha256(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$",
        ROUND_UP,
        "CREATE CAST (numeric AS text) WITH FUNCTION up(numeric)",
        "ALTER EXTENSION plpgsql ADD FUNCTION sha256(text)",
        "ALTER EXTENSION plpgsql ADD CAST (numeric AS text)",
    ],
    "a cast of a type of others": [
        "CREATE SCHEMA aside",
        "CREATE TYPE aside.colour AS ENUM ('red')",
        (
            "CREATE FUNCTION aside.named(aside.colour) RETURNS integer LANGUAGE sql"
            " AS $$ SELECT 1 $$"
        ),
        "CREATE CAST (aside.colour AS integer) WITH FUNCTION aside.named(aside.colour)",
    ],
    "an heir of a table of others": [
        "CREATE TABLE theirs (id integer)",
        "CREATE TABLE more () INHERITS (theirs)",
    ],
    "an act that this session is in": [
        "SET LOCAL ledger.act = 'on'",
        "SET LOCAL ledger.erasure = 'on'",
    ],
}

# What a session is told as it begins.
BEGINNINGS = {
    "session_replication_role=replica": (
        "setting session_replication_role: is replica where a session begins"
    ),
    "session_replication_role=local": (
        "setting session_replication_role: is local where a session begins"
    ),
    "ledger.act=on": "setting ledger.act: is on where a session begins, outside every act",
    "ledger.erasure=on": "setting ledger.erasure: is on where a session begins, outside every act",
    "search_path=public,pg_catalog": "setting search_path: has public before pg_catalog",
}


@pytest.fixture
def empty_server(django_db_blocker):
    """A server of the test's own, for its settings; yields the address of its empty database."""
    with (
        django_db_blocker.unblock(),
        test_databases.own_server() as server,
        databases.pointed_at(test_databases.address(server)),
    ):
        yield test_databases.address(server)
        connection.close()


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for one in statements:
            cursor.execute(one)


@pytest.mark.django_db
@pytest.mark.parametrize("deed", DEEDS)
def test_a_way_past_the_guards_is_named(run, deed):
    statements, expected = DEEDS[deed]
    execute(*statements)

    code, lines = run()

    assert code == 1
    assert lines[:-1] == [f"GUARD database, {line}" for line in expected]


@pytest.mark.django_db
@pytest.mark.parametrize("thing", HARMLESS)
def test_what_leads_past_no_guard_is_not_named(run, thing):
    execute(*HARMLESS[thing])

    assert run() == CLEAN


def test_a_server_that_switches_the_triggers_off_for_every_new_session_is_named(empty_server):
    before = [*bypasses.gaps(set())]
    with psycopg.connect(empty_server, autocommit=True) as owner:
        owner.execute("ALTER SYSTEM SET session_replication_role = 'replica'")
        owner.execute("ALTER SYSTEM SET ledger.act = 'on'")
        owner.execute("SELECT pg_reload_conf()")
    processes.wait_until(lambda: begins_as(empty_server) == "replica", "the new settings")
    connection.close()

    # What a session sets for itself since then hides nothing.
    execute("SET session_replication_role = origin", "SET ledger.act = 'off'")

    assert before == []
    assert [(gap.subject, gap.detail) for gap in bypasses.gaps(set())] == [
        ("setting session_replication_role", "is replica where a session begins"),
        ("setting ledger.act", "is on where a session begins, outside every act"),
    ]


def begins_as(dsn: str) -> str:
    with psycopg.connect(dsn) as session:
        return session.execute("SHOW session_replication_role").fetchone()[0]


@pytest.mark.parametrize("setting", BEGINNINGS)
def test_what_a_session_is_told_as_it_begins_is_named(committed, run, monkeypatch, setting):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", f"-c {setting}")
    connection.close()

    code, lines = run()

    assert code == 1
    assert lines[:-1] == [f"GUARD database, {BEGINNINGS[setting]}"]


@pytest.mark.django_db
def test_a_clock_that_asks_a_false_clock_is_named_though_its_words_are_the_same(run):
    acme = people.company("Acme")
    execute(LYING_CLOCK, "ALTER FUNCTION ledger_clock() SET search_path = public, pg_catalog")
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(year FROM ledger_clock() AT TIME ZONE 'UTC')::integer")
        assert cursor.fetchone() == (2020,)

    assert run() == (
        1,
        [
            (
                "GUARD database, function public.clock_timestamp(): is in no file of ours, and"
                " may be taken for PostgreSQL's own"
            ),
            "CLOCK database, function ledger_clock: is not the database's own clock",
            "Checked 0 ledger entries: 2 breaches.",
        ],
    )
    assert run(company=acme.slug)[1] == [
        "CLOCK database, function ledger_clock: is not the database's own clock",
        "Checked 0 ledger entries: 1 breach.",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "ALTER FUNCTION ledger_clock() SET search_path = public, pg_catalog",
        "ALTER FUNCTION ledger_clock() SET TimeZone = 'Asia/Tokyo'",
        "ALTER FUNCTION ledger_clock() IMMUTABLE",
        "ALTER FUNCTION ledger_clock() SECURITY DEFINER",
        "CREATE FUNCTION ledger_clock(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$",
    ],
)
def test_a_clock_is_held_against_all_that_its_file_says(run, change):
    execute(change)

    code, lines = run()

    assert code == 1
    assert lines[:-1] == ["CLOCK database, function ledger_clock: is not the database's own clock"]


@pytest.mark.django_db
def test_a_function_that_hides_a_changed_entry_is_named(books, run):
    acme, _ = books
    corrupt(acme, entry(3, f"actor_ref = '{MALLORY}'"))
    shown = run()

    execute(LYING_CONCAT_WS)

    assert shown == (
        1,
        [f"I10 company {acme.slug}, entry #3: {CHANGED}", "Checked 6 ledger entries: 1 breach."],
    )
    assert run() == (
        1,
        [
            (
                "GUARD database, function concat_ws(text,text,bigint,bigint,text,numeric,numeric,"
                "numeric,text,text,text,uuid,text,text,text,text): is in no file of ours, and may"
                " be taken for PostgreSQL's own"
            ),
            "Checked 6 ledger entries: 1 breach.",
        ],
    )


@pytest.mark.django_db
def test_a_table_that_doubles_the_uses_is_named(books, run):
    columns = ", ".join(
        field.column for field in UsageEvent._meta.concrete_fields if not field.generated
    )
    before = UsageEvent.objects.count()
    execute(
        "CREATE TABLE evil (LIKE credits_usageevent INCLUDING DEFAULTS INCLUDING GENERATED)"
        " INHERITS (credits_usageevent)",
        f"INSERT INTO evil ({columns}) SELECT {columns} FROM ONLY credits_usageevent",
    )

    code, lines = run()

    assert (before, UsageEvent.objects.count()) == (3, 6)
    assert code == 1
    assert lines[-2] == (
        "GUARD database, table evil: its rows are read as rows of credits_usageevent, from which"
        " it inherits"
    )
