"""Databases on one server: the product's own, the migrated template, and scratch copies of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import kombu.pools
import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.celery import app
from config.embedded_postgres import PROJECT, Server

TEMPLATE_PREFIX = "tallystick_template_"
LOCK_POLL_SECONDS = 0.2


def embedded_server() -> Server:
    return Server(settings.HOME / "postgres")


@contextmanager
def embedded_in_use() -> Iterator[Server]:
    """Keep the embedded server up, with the product's database made on the first start."""
    with embedded_server().in_use() as server:
        name = connections[DEFAULT_DB_ALIAS].settings_dict["NAME"]
        create(dsn(), name)
        yield server


def dsn() -> str:
    """Return libpq's address of the database this process is configured for."""
    return make_conninfo(**settings.DATABASE_ADDRESS)


def url(database_dsn: str) -> str:
    """Return the same address in the form ``DATABASE_URL`` takes."""
    parts = {
        name: quote(str(value), safe="") for name, value in conninfo_to_dict(database_dsn).items()
    }
    user, host = parts.pop("user", "postgres"), parts.pop("host", "localhost")
    secret = f":{parts.pop('password')}" if "password" in parts else ""
    port = f":{parts.pop('port')}" if "port" in parts else ""
    name = parts.pop("dbname")
    options = "&".join(f"{option}={value}" for option, value in parts.items())
    return f"postgres://{user}{secret}@{host}{port}/{name}{'?' if options else ''}{options}"


def named(database_dsn: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return make_conninfo(database_dsn, dbname=name)


def create(database_dsn: str, name: str, *, template: str = "template1") -> None:
    """Create a database unless it exists; of two that want it at once, one finds it made."""
    with _maintenance(database_dsn) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"tallystick create {name}"])
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )


def drop(database_dsn: str, name: str) -> None:
    """Drop a database, whoever is connected to it."""
    with _maintenance(database_dsn) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def template(database_dsn: str) -> str:
    """Return the name of a database that is migrated and empty, made when there is none yet.

    Its name is a digest of the migrations, so that a changed migration makes a new one. Two
    processes that want it at once wait for each other.
    """
    name = TEMPLATE_PREFIX + migrations_digest()
    with _maintenance(database_dsn) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('tallystick template'))")
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone() is None:
            _build_template(database_dsn, name)
    return name


@contextmanager
def scratch(database_dsn: str, name: str, *, keep: bool = False) -> Iterator[str]:
    """Give the address of a fresh copy of the migrated template; drop it at the end."""
    drop(database_dsn, name)
    create(database_dsn, name, template=template(database_dsn))
    try:
        yield named(database_dsn, name)
    finally:
        if not keep:
            drop(database_dsn, name)


@contextmanager
def held(database_dsn: str, what: str, *, on_wait: Callable[[], object]) -> Iterator[None]:
    """Be the only one on this server who does that with this database; wait until we are.

    Calls ``on_wait`` once if somebody else does it now. The lock ends with its process, however
    that ends, and outlives the database it is about: it is held in the maintenance one.
    """
    name = conninfo_to_dict(database_dsn)["dbname"]
    with _maintenance(database_dsn) as connection:
        is_waiting = False
        while not _try_lock(connection, f"tallystick {what} {name}"):
            if not is_waiting:
                on_wait()
                is_waiting = True
            time.sleep(LOCK_POLL_SECONDS)
        yield


@contextmanager
def pointed_at(database_dsn: str) -> Iterator[None]:
    """Let this process work on another database, its rows and its queues, then on its own again."""
    before = dsn()
    point_at(database_dsn)
    try:
        yield
    finally:
        point_at(before)


def point_at(database_dsn: str) -> None:
    """Let this process work on another database from now on."""
    parts = {key: str(value) for key, value in conninfo_to_dict(database_dsn).items()}
    settings.DATABASE_ADDRESS.clear()
    settings.DATABASE_ADDRESS.update(parts)
    connection = connections[DEFAULT_DB_ALIAS]
    connection.close()
    for settings_dict in (connection.settings_dict, settings.DATABASES[DEFAULT_DB_ALIAS]):
        settings_dict["NAME"] = parts["dbname"]
        settings_dict["HOST"] = parts.get("host", "")
        settings_dict["USER"] = parts.get("user", "")
        settings_dict["PASSWORD"] = parts.get("password", "")
        settings_dict["PORT"] = parts.get("port", "")
    # Celery keeps connections to the queues it knew, and a copy of their address.
    kombu.pools.reset()
    app._after_fork()  # type: ignore[attr-defined]
    app.conf.update(
        broker_url=settings.PGMQ_URL,
        broker_transport_options=settings.PGMQ_OPTIONS | {"conn_string": database_dsn},
    )


def environment(database_dsn: str) -> dict[str, str]:
    """Return the environment of a process that is to work on that database alone."""
    kept = {key: value for key, value in os.environ.items() if key != "CELERY_BROKER_URL"}
    return kept | {
        "DATABASE_URL": url(database_dsn),
        "TALLYSTICK_SECRET_KEY": settings.SECRET_KEY,
        "TALLYSTICK_ALLOWED_HOSTS": ",".join(settings.ALLOWED_HOSTS),
        "TALLYSTICK_HTTPS": "true" if settings.HTTPS else "false",
    }


def migrations_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(_migration_files()):
        digest.update(str(path.relative_to(PROJECT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _migration_files() -> Iterator[Path]:
    for name in ("config", "credits", "trackers", "billing"):
        for pattern in ("*.py", "sql/*.sql"):
            yield from (PROJECT / name / "migrations").glob(pattern)


def _build_template(database_dsn: str, name: str) -> None:
    part = f"{name}_part"
    drop(database_dsn, part)
    create(database_dsn, part)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=PROJECT,
        env=environment(named(database_dsn, part)),
        check=True,
    )
    with _maintenance(database_dsn) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(part), sql.Identifier(name)
            )
        )


def _try_lock(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def _maintenance(database_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(named(database_dsn, "postgres"), autocommit=True) as connection:
        yield connection
