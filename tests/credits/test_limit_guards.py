"""The database keeps limits: constraints, no second writer, and what check_ledger finds."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from credits import limits
from credits.identifiers import new_id
from credits.models import LimitUse, SpendingLimit, WrittenByTheLedger
from tests.credits.test_limits import charge, limit
from tests.support import people, statement
from tests.support.breaking import copy_refused_by, refused_by, update_refused_by
from tests.support.corrupting import corrupt, pool


@pytest.fixture
def made(acme):
    statement.lot(acme, "March", "100")
    made = limit(acme, "10")
    charge(acme, "4")
    return made


@pytest.fixture
def counted(made):
    return LimitUse.objects.get(limit=made, used__gt=0)


def test_a_subject_has_one_limit_of_each_window_in_force(made):
    assert copy_refused_by(made, id=new_id()) == "limit_is_set_once_for_a_subject_and_window"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "COMPANY", "feature_type": "ASK"},
        {"subject": "FEATURE", "feature_type": ""},
        {"subject": "FEATURE", "feature_type": "ASK", "feature_ref": uuid.UUID(int=1)},
        {"subject": "TRACKER", "feature_type": "TRACKER"},
        {"subject": "TRACKER", "feature_ref": uuid.UUID(int=1)},
        {"subject": "INTEGRATION"},
        {"subject": "TEAM"},
    ],
)
def test_a_limit_names_its_subject_and_nothing_else(made, changes):
    assert update_refused_by(made, **changes) == "limit_names_its_subject_and_nothing_else"


def test_only_a_key_s_limit_counts_keys(made):
    refused = update_refused_by(made, api_key_refs=[uuid.UUID(int=1)])

    assert refused == "limit_counts_its_key_and_successors"


def test_a_limit_is_of_a_known_window_and_not_below_zero(made):
    assert update_refused_by(made, window="WEEK") == "limit_window_is_known"
    assert update_refused_by(made, credits="-0.001") == "limit_is_not_below_zero"


def test_a_limit_names_who_ended_it_only_when_ended(made):
    refused = update_refused_by(made, ended_by_id=people.vera().pk)

    assert refused == "limit_names_who_ended_it_only_when_ended"


def test_a_window_starts_once_ends_later_and_counts_nothing_below_zero(counted):
    assert copy_refused_by(counted) == "limit_window_starts_once"
    refused = update_refused_by(counted, ends_at=counted.starts_at)
    assert refused == "limit_window_ends_after_it_starts"
    assert update_refused_by(counted, used="-0.001") == "limit_use_is_never_below_zero"


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("credits_spendinglimit", "integration_id"),
        ("credits_spendinglimit", "api_key_id"),
        ("credits_limituse", "limit_id"),
    ],
)
def test_a_limit_names_rows_of_its_own_company_only(made, counted, table, column):
    globex = people.company("Globex")
    row = made if table == "credits_spendinglimit" else counted
    about = {
        "integration_id": {"subject": "INTEGRATION", "integration_id": new_id()},
        "api_key_id": {
            "subject": "API_KEY",
            "api_key_id": new_id(),
            "api_key_refs": [new_id()],
        },
        "limit_id": {"company_id": globex.pk},
    }[column]

    assert update_refused_by(row, **about) == f"{table}_{column}_same_company"


def test_python_has_no_second_writer(made, counted):
    for row in (made, counted):
        with pytest.raises(WrittenByTheLedger):
            row.save()
        with pytest.raises(WrittenByTheLedger):
            row.delete()


@pytest.mark.parametrize("table", ["credits_spendinglimit", "credits_limituse"])
def test_sql_has_no_second_writer(made, counted, table):
    guard = f"{table}_is_written_by_the_ledger"

    assert refused_by(f"UPDATE {table} SET company_id = company_id", in_an_act=False) == guard
    assert refused_by(f"DELETE FROM {table}", in_an_act=False) == guard
    assert copy_refused_by(made if "spending" in table else counted, in_an_act=False) == guard
    assert refused_by(f"TRUNCATE {table} CASCADE") is not None


def test_a_limit_is_never_deleted_even_in_an_act(made):
    refused = refused_by("DELETE FROM credits_spendinglimit")

    assert refused == "credits_spendinglimit_is_written_by_the_ledger"


def test_check_ledger_finds_a_sum_that_is_not_that_of_the_rows(acme, made, counted, run):
    assert run(allow_test_clock=True)[0] == 0

    corrupt(acme, f"UPDATE credits_limituse SET used = 3 WHERE id = {counted.pk}")

    code, lines = run(allow_test_clock=True)
    assert code == 1
    assert (
        f"LIMIT company {acme.slug}, limit {made.pk}: counts 3.000 from 2026-03-02 00:00:00+00,"
        " uses add up to 4.000"
    ) in lines


def test_check_ledger_finds_windows_with_a_gap(acme, made, counted, run):
    later = counted.ends_at + timedelta(hours=1)

    corrupt(
        acme,
        f"UPDATE credits_limituse SET starts_at = '{later}' WHERE starts_at = '{counted.ends_at}'",
    )

    code, lines = run(allow_test_clock=True)
    assert code == 1
    assert (
        f"LIMIT company {acme.slug}, limit {made.pk}: a window ends at 2026-03-03 00:00:00+00,"
        " the next starts at 2026-03-03 01:00:00+00"
    ) in lines


def test_check_ledger_finds_a_pool_that_does_not_know_of_its_limits(acme, made, run):
    corrupt(acme, pool("limit_count = 0"))

    code, lines = run(allow_test_clock=True)

    assert code == 1
    assert f"LIMIT company {acme.slug}, pool: counts 0 limits, 1 are in force" in lines


def test_what_an_ended_limit_counted_is_not_checked_any_more(acme, made, counted, run):
    limits.end(limit=made, by=None)
    charge(acme, "5")

    assert run(allow_test_clock=True)[0] == 0
    assert SpendingLimit.objects.get().ended_by is None
