"""Addresses of databases, and copies of the migrated template that leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from config import databases
from config.embedded_postgres import PROJECT
from credits.models import RateCard
from tests.support import people

ADDRESSES = {
    "a socket": (
        "host=/run/postgresql user=postgres dbname=credits",
        "postgres://postgres@%2Frun%2Fpostgresql/credits",
    ),
    "a host, a port and a password": (
        "host=db.example port=5433 user=app password=secret dbname=credits",
        "postgres://app:secret@db.example:5433/credits",
    ),
    "a password that would end the address early": (
        "host=db.example user=app password='p@ss/w:rd%?' dbname=credits",
        "postgres://app:p%40ss%2Fw%3Ard%25%3F@db.example/credits",
    ),
    "options": (
        "host=db.example user=app dbname=credits application_name='a b' sslmode=require",
        "postgres://app@db.example/credits?application_name=a%20b&sslmode=require",
    ),
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_address_as_url_is_the_same_address(kind):
    dsn, url = ADDRESSES[kind]

    assert databases.url(dsn) == url
    assert conninfo_to_dict(url) == conninfo_to_dict(dsn)


def test_another_database_of_the_same_server():
    named = databases.named("host=db.example user=app dbname=credits", "scratch")

    assert conninfo_to_dict(named) == {"host": "db.example", "user": "app", "dbname": "scratch"}


def names(dsn: str) -> set[str]:
    with psycopg.connect(databases.named(dsn, "postgres")) as server:
        return {row[0] for row in server.execute("SELECT datname FROM pg_database")}


def test_a_scratch_database_is_migrated_empty_and_gone_afterwards(committed):
    with databases.scratch(committed, "scratch_1") as dsn, databases.pointed_at(dsn):
        people.company()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database()")
            assert cursor.fetchone() == ("scratch_1",)
        assert RateCard.objects.count() == 1
        assert "scratch_1" in names(committed)

    # Other test processes make and drop databases of their own beside ours.
    assert "scratch_1" not in names(committed)
    assert type(people.company()).objects.count() == 1


def test_a_scratch_database_is_dropped_though_somebody_is_connected(committed):
    with databases.scratch(committed, "scratch_2") as dsn:
        visitor = psycopg.connect(dsn)

    assert "scratch_2" not in names(committed)
    with pytest.raises(psycopg.OperationalError):
        visitor.execute("SELECT 1")
    visitor.close()


def test_a_process_is_told_its_database_and_nothing_of_ours(monkeypatch, committed):
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://elsewhere")

    told = databases.environment("host=db.example user=app dbname=credits")

    assert told["DATABASE_URL"] == "postgres://app@db.example/credits"
    assert "CELERY_BROKER_URL" not in told


def test_an_older_python_is_refused_in_one_sentence():
    pretend = (
        "import sys, runpy; sys.version_info = (3, 10, 12, 'final', 0);"
        "sys.argv = ['manage.py', 'demo']; runpy.run_path('manage.py', run_name='__main__')"
    )

    done = subprocess.run(
        [sys.executable, "-c", pretend], cwd=PROJECT, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Tallystick needs Python 3.11 or newer; this is 3.10.\n"
