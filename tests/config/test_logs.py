"""What a line of the log says of an exception, and of a request: never what was read or asked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, transaction

from config import logs
from config.embedded_postgres import Server
from credits.models import Company
from tests.support import people

CANARY = "kanari@globex.example said: too expensive"


def line_of(error: BaseException, message: str = "It failed", *args) -> str:
    with pytest.raises(type(error)) as found:
        raise error
    how = (type(error), error, found.tb)
    record = logging.LogRecord("t", logging.ERROR, "t.py", 1, message, args, how)
    return logs.DiscreetFormatter("%(message)s").format(record)


def raised(statement: str) -> Exception:
    with (
        pytest.raises((DataError, IntegrityError)) as found,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    return found.value


def test_an_unexpected_error_is_told_by_its_place_and_kind():
    try:
        raise KeyError("inner " + CANARY)
    except KeyError as inner:
        outer = ValueError(CANARY)
        outer.__cause__ = inner

    said = line_of(outer)

    assert "kanari" not in said
    assert "direct cause" in said
    assert "KeyError\n" in said
    assert said.endswith("\nValueError")
    assert 'test_logs.py", line ' in said


def test_errors_that_are_raised_together_are_each_told_without_their_words():
    said = line_of(ExceptionGroup(CANARY, [ValueError(CANARY), OSError(111, "Refused")]))

    assert "kanari" not in said
    assert "ValueError\n" in said
    assert said.endswith("ConnectionRefusedError: [Errno 111] Refused")


def test_messages_about_the_machine_are_kept():
    assert logs.said(ConnectionRefusedError(111, "Refused")).endswith(": [Errno 111] Refused")
    assert logs.said(TypeError("no such argument")) == "TypeError: no such argument"
    assert logs.said(Company.DoesNotExist("None of this id.")).endswith(": None of this id.")


@pytest.mark.django_db
def test_a_row_that_the_database_refuses_is_not_quoted():
    acme = people.company()
    Company.objects.filter(pk=acme.pk).update(name=CANARY)

    error = raised(f"UPDATE credits_company SET slug = NULL WHERE id = {acme.pk}")

    assert "kanari" in str(error)
    said = line_of(error)
    assert "kanari" not in said
    assert 'null value in column "slug"' in said


@pytest.mark.django_db
def test_a_value_that_the_database_cannot_read_is_not_quoted():
    error = raised(f"SELECT '{CANARY}'::integer")

    assert "kanari" in str(error)
    said = line_of(error)
    assert "kanari" not in said
    assert said.endswith("django.db.utils.DataError: InvalidTextRepresentation")


def test_a_database_that_does_not_answer_is_told():
    from psycopg import OperationalError as Lost

    error = OperationalError("connection to server failed")
    error.__cause__ = Lost("connection to server failed: refused\nIs it running?")

    said = line_of(error)

    assert said.endswith("OperationalError: connection to server failed: refused")


def test_an_exception_in_a_sentence_is_told_the_same():
    said = line_of(ValueError(CANARY), "%s is not sent: %s", "It", ValueError(CANARY))

    assert said.startswith("It is not sent: ValueError\n")
    assert "kanari" not in said


def test_what_celery_says_of_a_failed_task_has_no_words_of_it():
    words = {"id": "7", "exc": repr(ValueError(CANARY))}

    said = line_of(ValueError(CANARY), "Task [%(id)s] raised unexpected: %(exc)s", words)

    assert said.startswith("Task [7] raised unexpected: ValueError\n")
    assert "kanari" not in said


@pytest.mark.parametrize(
    ("asked", "logged"),
    [
        ("/v2/entities/ask-entity?question=kanari&crmEntityId=k%40x", "/v2/entities/ask-entity"),
        ("/sign-in/kanari/?next=/", "/sign-in/…/"),
        ("/admin/", "/admin/"),
    ],
)
def test_the_web_server_logs_paths_alone(asked, logged):
    args = ("127.0.0.1:5000", "GET", asked, "1.1", 200)
    line = '%s - "%s %s HTTP/%s" %d'
    record = logging.LogRecord("uvicorn.access", logging.INFO, "h.py", 1, line, args, None)

    assert logs.PathFilter().filter(record)

    written = logs.DiscreetFormatter("%(message)s").format(record)
    assert written == f'127.0.0.1:5000 - "GET {logged} HTTP/1.1" 200'


@pytest.mark.django_db
def test_a_refusal_is_one_line_and_a_fault_has_its_place(client, caplog):
    refused = people.vic(people.company())
    client.force_login(refused)

    with caplog.at_level("WARNING", logger="django.request"):
        answer = client.get("/admin/trackers/conversation/retention/?days=kanari")

    assert answer.status_code == 403
    [record] = [one for one in caplog.records if one.name == "django.request"]
    line = logs.DiscreetFormatter("%(levelname)s %(name)s %(message)s").format(record)
    assert line == (
        "WARNING django.request Forbidden (Permission denied): "
        "/admin/trackers/conversation/retention/"
    )
    fault = logging.LogRecord("t", logging.ERROR, "t.py", 1, "It failed", (), None)
    fault.exc_info = (ValueError, ValueError(CANARY), None)
    assert logs.RefusalFilter().filter(fault)
    assert fault.exc_info is not None


def test_a_developer_s_log_says_everything():
    made = logs.to_stderr(level="DEBUG")["formatters"]["line"]["()"]

    assert made is logging.Formatter


@pytest.mark.django_db
def test_the_embedded_server_s_own_log_does_not_quote_what_statements_failed_at():
    acme = people.company()
    Company.objects.filter(pk=acme.pk).update(name=CANARY)

    raised(f"UPDATE credits_company SET slug = NULL, name = '{CANARY}' WHERE id = {acme.pk}")
    raised(f"SELECT '{CANARY}'::integer")

    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        (folder,) = cursor.fetchone()
    log = (Path(folder) / Server(Path()).log.name).read_text()
    assert "database system is ready to accept connections" in log
    assert "kanari" not in log
