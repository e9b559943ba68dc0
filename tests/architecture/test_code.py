"""Ceilings and habits that a machine can hold (STYLE §3)."""

from __future__ import annotations

import ast
import re

import pytest
from celery import current_app
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from simple_history.models import HistoricalChanges

from config.celery import SCHEDULE
from config.embedded_postgres import PROJECT
from credits.wakes import ALERT_TASK, EXPORT_TASK, LIMIT_TASK
from trackers.wakes import SCAN_TASK

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
APPS = ("config", "credits", "trackers", "billing")
TOP_LEVEL = {
    "manage.py",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-llm.lock",
    "requirements-ranking.lock",
    "requirements-rivals.lock",
    "deploy",
    "docs",
    "tests",
    *APPS,
}
CODE = [
    path
    for folder in (*APPS, "tests")
    for path in sorted((PROJECT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]
THIS_FILE = PROJECT / "tests" / "architecture" / "test_code.py"
PRODUCT_CODE = [path for path in CODE if "tests" not in path.relative_to(PROJECT).parts]


def test_no_file_is_longer_than_400_lines():
    longer = {
        str(path.relative_to(PROJECT)): count
        for path in CODE
        if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX
    }

    assert longer == {}


def test_no_function_is_longer_than_70_lines():
    longer = [
        f"{path.relative_to(PROJECT)}: {node.name}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]

    assert longer == []


def test_the_top_level_is_what_the_card_allows():
    found = {path.name for path in PROJECT.iterdir() if not path.name.startswith(".")}

    assert found - {"__pycache__"} <= TOP_LEVEL


@pytest.mark.django_db
def test_no_model_is_ahead_of_its_migrations():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_only_the_ledger_s_own_functions_write_its_rows():
    """Entries, drawdowns and usage are made in SQL; pools and grants change there only."""
    writes = re.compile(
        r"(LedgerEntry|Drawdown|UsageEvent|Hold|Correction)(\.objects\.(bulk_)?create\(|\()"
        r"|(CreditPool|CreditGrant)\.objects\.(bulk_|get_or_|update_or_)?create\("
        r"|(CreditPool|CreditGrant|Reservation)\.objects(\.\w+\(.*\))*\.(bulk_)?update\("
        r"|(INSERT INTO|UPDATE|DELETE FROM) credits_(ledgerentry|drawdown|usageevent|hold"
        r"|creditgrant|creditpool|reservation|correction)"
        # The flag that opens the guards of pool and grants is set by the SQL functions alone.
        r"|ledger\.act\b"
    )
    # A class definition, and the row charging returns from what the ledger answered.
    allowed = {"credits/models", "credits/charging.py"}
    found = {
        str(path.relative_to(PROJECT))
        for path in PRODUCT_CODE
        if any(writes.search(line) for line in path.read_text().splitlines())
        and not any(str(path.relative_to(PROJECT)).startswith(place) for place in allowed)
    }

    assert found == set()


def test_every_task_has_a_schedule_or_a_caller():
    current_app.loader.import_default_modules()
    tasks = {name for name in current_app.tasks if name.split(".")[0] in APPS}

    assert tasks == {job["task"] for job in SCHEDULE.values()} | {
        *(SCAN_TASK, EXPORT_TASK, ALERT_TASK, LIMIT_TASK)
    }


def test_nothing_runs_tasks_in_the_caller_s_process():
    assert [path for path in CODE if "task_always" + "_eager = True" in path.read_text()] == []
    assert not current_app.conf.task_always_eager


@pytest.mark.django_db
def test_every_tenant_key_is_held_by_the_database():
    """I16: each key between rows of companies carries the company; only one may be deferred.

    A key within another, the speaker of an utterance, carries that one too and holds it.
    """
    expected = {
        (model._meta.db_table, field.column, field.remote_field.model._meta.db_table)
        for model in apps.get_models()
        if not issubclass(model, HistoricalChanges) and _has_company(model)
        for field in model._meta.concrete_fields
        if field.is_relation and _has_company(field.remote_field.model)
    } - {
        ("trackers_utterance", "conversation_id", "trackers_conversation"),
        ("trackers_utterance", "speaker_id", "trackers_participant"),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text,"
            " (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[2]),"
            " confrelid::regclass::text, condeferrable"
            " FROM pg_constraint WHERE contype = 'f' AND array_length(conkey, 1) = 2"
            " AND conname LIKE '%same_company'"
        )
        rows = cursor.fetchall()

    assert {row[:3] for row in rows} == expected
    assert keys_of("trackers_utterance") == [
        (
            "FOREIGN KEY (company_id, conversation_id, speaker_id)"
            " REFERENCES trackers_participant(company_id, conversation_id, id)"
        )
    ]
    assert [row[:2] for row in rows if row[3]] == [("trackers_scan", "usage_event_id")]


def keys_of(table) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = %s::regclass",
            [table],
        )
        return [definition for (definition,) in cursor.fetchall()]


def _has_company(model) -> bool:
    return any(field.name == "company" for field in model._meta.concrete_fields)


@pytest.mark.django_db
def test_every_constraint_of_ours_is_tried_in_a_test():
    tests = "".join(
        path.read_text() for path in CODE if path.name.startswith("test_") and path != THIS_FILE
    )
    named = {
        constraint.name
        for model in apps.get_models()
        if model._meta.app_label in APPS
        for constraint in model._meta.constraints
    }
    # The targets of composite keys have no rule of their own: they repeat the primary key.
    rules = {name for name in named if not name.endswith("_and_id")}

    assert len(rules) > 60
    assert {name for name in rules if name not in tests} == set()
