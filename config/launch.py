"""Runs a management command, with the embedded database up for as long as it lasts."""

from __future__ import annotations

import signal
import sys
from contextlib import AbstractContextManager, nullcontext

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from config.embedded_postgres import ServerDidNotStart

# Commands that answer without a database, and the demo, which opens it when nothing is amiss.
NEED_NO_DATABASE = {
    "help",
    "version",
    "check",
    "demo",
    "diffsettings",
    "list_settings",
    "makemessages",
    "compilemessages",
}


def run(arguments: list[str]) -> int:
    """Run the command; a setting that is wrong is one sentence and exit 2."""
    try:
        from django.conf import settings

        command = arguments[1] if len(arguments) > 1 else "help"
        if command not in NEED_NO_DATABASE:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with _database(arguments, command, embedded=settings.EMBEDDED):
            execute_from_command_line(arguments)
    except (ImproperlyConfigured, ServerDidNotStart) as error:
        print(f"Not started: {error}", file=sys.stderr)
        return 2
    except (OperationalError, psycopg.OperationalError) as error:
        reason = " ".join(str(error).split())
        print(f"The database does not answer: {reason} Check DATABASE_URL.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


def _database(
    arguments: list[str], command: str, *, embedded: bool
) -> AbstractContextManager[object]:
    asks_for_help = not {"-h", "--help", "--version"}.isdisjoint(arguments)
    if not embedded or command in NEED_NO_DATABASE or asks_for_help:
        return nullcontext()
    from config import databases

    return databases.embedded_in_use()
