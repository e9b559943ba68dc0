"""What the log's lines look like, and what no line ever says.

Logs are read by more people than conversations are, and nobody erases them. So no line quotes what
was read or asked: of an exception it has the place and the kind, and its message only where that
speaks of the machine; of a request the path, never what stands behind the “?”.
"""

from __future__ import annotations

import copy
import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any

import psycopg
from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured, PermissionDenied
from django.db import Error as DatabaseError

from config.environment import Environment

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SIGN_IN = re.compile(r"(/sign-in/)[^/?\s]+")  # What comes after it opens the door.
# Messages of these speak of addresses, files and code, not of what is worked on.
TELLING = (
    OSError,
    ImportError,
    TypeError,
    AttributeError,
    NameError,
    ImproperlyConfigured,
    AppRegistryNotReady,
)
# And so do messages of these packages: ours are sentences, the others' are about the broker.
TELLING_PACKAGES = frozenset(
    {"config", "credits", "trackers", "billing", "kombu", "celery", "amqp", "redis"}
)
DATA_EXCEPTION = "22"  # The class of SQL states whose messages repeat the value.
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def read(env: Environment) -> dict[str, Any]:
    """Return Django's setting at the level that the operator chose."""
    level = env.choice(
        "TALLYSTICK_LOG_LEVEL",
        "WARNING",
        LEVELS,
        "`DEBUG`, `INFO`, `WARNING` or `ERROR`. At `DEBUG` errors may quote conversations.",
    )
    return to_stderr(level=level)


def to_stderr(*, level: str) -> dict[str, Any]:
    """Return Django's setting: one line an event, which names the request it belongs to.

    At DEBUG, for whoever develops, exceptions say all that they have to say.
    """
    line = "%(asctime)s %(levelname)s %(name)s%(request_id)s %(message)s"
    formatter = logging.Formatter if level == "DEBUG" else DiscreetFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": "credits.origins.RequestIdFilter"},
            "path_alone": {"()": PathFilter},
            "refusal_alone": {"()": RefusalFilter},
        },
        "formatters": {"line": {"()": formatter, "fmt": line}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["request_id"],
            }
        },
        "loggers": {
            "django.request": {"filters": ["refusal_alone"]},
            # The web server's own handlers would print what ours leave out.
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": True, "filters": ["path_alone"]},
        },
        "root": {"handlers": ["stderr"], "level": level},
    }


class PathFilter(logging.Filter):
    """Leaves of an address its path: what is asked, and of whom, stands behind it."""

    def filter(self, record: logging.LogRecord) -> bool:
        match record.args:
            case (client, method, str(path), *rest):
                record.args = (client, method, path.partition("?")[0], *rest)
        return True


class RefusalFilter(logging.Filter):
    """Leaves of a refusal its line: that somebody may not do something is no fault to trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], PermissionDenied):
            record.exc_info = None
        return True


class DiscreetFormatter(logging.Formatter):
    """Writes where an exception came from and of which kind it is, and quotes nothing."""

    def format(self, record: logging.LogRecord) -> str:
        safe = copy.copy(record)
        safe.exc_text = None  # Whoever formatted it before may have been less discreet.
        args = record.args
        if isinstance(args, dict) and "exc" in args:
            # Celery's own line about a task that failed has the exception in words.
            raised = record.exc_info[1] if record.exc_info else None
            safe.args = args | {"exc": "it" if raised is None else said(raised)}
        elif isinstance(args, tuple):
            safe.args = tuple(said(one) if isinstance(one, BaseException) else one for one in args)
        return SIGN_IN.sub(r"\1…", super().format(safe))

    def formatException(self, ei: Any) -> str:
        return "".join(_told(ei[1], set())).rstrip("\n")


def said(error: BaseException) -> str:
    """Return an exception in a line: its kind, and its message where that quotes nothing."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    message = _message(error)
    return f"{name}: {message}" if message else name


def _message(error: BaseException) -> str:
    kind = type(error)
    if isinstance(error, DatabaseError | psycopg.Error):
        return _of_database(error)
    if isinstance(error, TELLING) or kind.__module__.partition(".")[0] in TELLING_PACKAGES:
        return str(error)
    return ""


def _of_database(error: BaseException) -> str:
    """Return what the server said first; its DETAIL and LINE quote rows and statements."""
    found = error if isinstance(error, psycopg.Error) else error.__cause__
    if not isinstance(found, psycopg.Error):
        return ""
    if found.sqlstate is None:  # The server could not be asked.
        return str(found).partition("\n")[0]
    if found.sqlstate.startswith(DATA_EXCEPTION):
        return type(found).__name__
    return found.diag.message_primary or found.sqlstate


def _told(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    """Yield an exception as Python prints it, with what it came from, each once."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    if error.__cause__ is not None:
        yield from _told(error.__cause__, seen)
        yield CAUSE
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _told(error.__context__, seen)
        yield CONTEXT
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{said(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _told(one, seen)
