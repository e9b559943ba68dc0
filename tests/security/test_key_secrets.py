"""A copy of the database opens nothing: a key's secret is in no row of any table."""

from __future__ import annotations

import base64

import psycopg
from django.utils import timezone

from credits import api_keys
from tests.support import api, people


def dumped(dsn: str) -> bytes:
    """Return every row of every table, as COPY writes it."""
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 30
        whole = b""
        for (table,) in tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as rows:
                whole += b"".join(bytes(row) for row in rows)
    return whole


def test_the_database_holds_no_key_that_works(committed):
    acme = people.company()
    alice = api.admin(acme)
    made = api.key(acme, by=alice)
    program = api.client(made.text)
    program.get("/api/v1/balance")
    program.post(
        "/api/v1/purchases",
        {"amount": "5", "note": "kanari"},
        "application/json",
        headers={"idempotency-key": "order-118"},
    )
    api_keys.rotate(key=made.key, by=alice, now=timezone.now())

    whole = dumped(committed)

    secret = made.text.split("_", 2)[2]
    raw = base64.urlsafe_b64decode(secret + "=")
    assert made.key.prefix.encode() in whole
    assert b"kanari" in whole
    for form in (secret, made.text, raw.hex(), base64.b64encode(raw).decode()):
        assert form.encode() not in whole
