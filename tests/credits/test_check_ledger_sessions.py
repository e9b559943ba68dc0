"""Two sessions share the rules of a check, and see what one would see."""

from __future__ import annotations

import psycopg
import pytest
from django.core.management.base import CommandError
from django.db import connection, transaction

from credits import guards, reconciliation
from tests.support import people
from tests.support.corrupting import corrupt, entry, pool, without

I3_FIRST = ("I3", "entry #1")


def test_two_sessions_find_what_one_finds_in_the_same_order(committed):
    companies = [people.company(name) for name in ("Acme", "Globex", "Initech")]
    for company in companies:
        people.credits_for(company, "10")
    in_order = reconciliation.check(sessions=2)
    with transaction.atomic():
        corrupt(companies[0], pool("balance = balance - 0.001"))
        corrupt(companies[1], pool("reserved = reserved + 0.001"))
        corrupt(companies[2], pool("sequence = 7"))

    found = reconciliation.check(sessions=2)

    assert in_order == []
    assert [(one.invariant, one.company_id) for one in found] == [
        ("I1", companies[0].pk),
        ("I2", companies[1].pk),
        ("I4", companies[2].pk),
    ]
    assert reconciliation.check() == found


@pytest.mark.parametrize("entries", [1, 2, 3, 100])
def test_each_company_s_entries_are_in_one_part_of_the_pass(committed, monkeypatch, entries):
    """Whatever the size of a part; and entries of a company that has lost its pool, too."""
    monkeypatch.setattr(reconciliation, "ENTRIES_A_SHARE", entries)
    companies = [people.company(f"Company {number}") for number in range(5)]
    for number, company in enumerate(companies):
        for _ in range(1 + number):
            people.credits_for(company, "10")
    with transaction.atomic():
        corrupt(companies[0], without("ledgerentry", "entry_after_is_before_plus_amount"))
        for company in companies:
            corrupt(company, entry(1, "amount = 11"))
        corrupt(companies[0], "DELETE FROM credits_creditpool WHERE company_id = {company}")
        corrupt(companies[4], "DELETE FROM credits_creditpool WHERE company_id = {company}")

    found = reconciliation.check(sessions=2)

    assert [one.company_id for one in found if (one.invariant, one.subject) == I3_FIRST] == [
        company.pk for company in companies
    ]


def test_what_shows_to_one_session_is_looked_for_and_named(committed, monkeypatch):
    """The part of the last company shows it; what names it looks through the whole table."""
    monkeypatch.setattr(reconciliation, "ENTRIES_A_SHARE", 1)
    companies = [people.company(f"Company {number}") for number in range(4)]
    lots = [people.credits_for(company, "10") for company in companies]
    with transaction.atomic():
        corrupt(
            companies[3],
            f"UPDATE credits_drawdown SET grant_id = '{lots[0].pk}' WHERE entry_id = {{e1}}",
        )

    found = reconciliation.check(sessions=2)

    assert [(one.company_id, one.detail) for one in found if one.invariant == "I16"] == [
        (companies[3].pk, "grant_id is not a row of its company")
    ]


def test_one_says_how_many_sessions_share_the_work(committed, run):
    acme = people.company("Acme")
    people.credits_for(acme, "10")
    with transaction.atomic():
        corrupt(acme, pool("balance = balance - 0.001"))

    assert run("--sessions", "1")[0] == run("--sessions", "5")[0] == run()[0] == 1
    assert run("--sessions", "1") == run("--sessions", "5") == run()
    for number in ("0", "33", "two", "-1"):
        with pytest.raises(CommandError, match=f"“{number}” is not a number from 1 to 32"):
            run("--sessions", number)


def test_what_is_written_meanwhile_is_no_breach(committed, monkeypatch):
    """All sessions read the books as they were when the check began."""
    acme = people.company()
    people.credits_for(acme, "1000")
    breaches = reconciliation._breaches

    def slow(rule, company_id):
        with psycopg.connect(committed, autocommit=True) as other:
            other.execute("SET session_replication_role = replica")
            other.execute("UPDATE credits_creditpool SET balance = balance - 1")
        return breaches(rule, company_id)

    monkeypatch.setattr(reconciliation, "_breaches", slow)

    found = reconciliation.check(sessions=2)

    assert [one for one in found if one.invariant == "I1"] == []
    monkeypatch.undo()
    assert [one.invariant for one in reconciliation.check(sessions=2)] == ["I1"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert cursor.fetchone()[0] == 1


def test_the_comparison_of_guards_leaves_nothing_behind(committed):
    found = guards.gaps()

    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relpersistence = 't'")
        tables = cursor.fetchall()
        cursor.execute("SHOW search_path")
        path = cursor.fetchone()
    assert (found, tables, path) == ([], [], ('"$user", public',))
