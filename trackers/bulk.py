"""Write many rows at once: as a stream, for a fifth of what they take as objects."""

from __future__ import annotations

import gc
import select
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar, cast

import psycopg
from django.db import connection, models
from psycopg import sql
from psycopg.copy import LibpqWriter

Answer = TypeVar("Answer")
# Does a piece of work that can wait, and tells whether there may be more.
Piece = Callable[[], bool]


class ConnectionBusy(Exception):
    """The database was asked something in the middle of a copy."""


def nothing() -> bool:
    """Have no work that can wait."""
    return False


def copy(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    meanwhile: Piece = nothing,
) -> None:
    """Insert rows, each with a value for each column, in the caller's transaction.

    While the server works at them, what it does longest after it has all, ``meanwhile`` is called
    until there is an answer or no more to do.

    :raises IntegrityError: a row breaks a rule of the table; none is written.
    :raises ConnectionBusy: giving rows, or what is done meanwhile, asks the database something
        through Django.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(model._meta.db_table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with (
        connection.wrap_database_errors,
        connection.cursor() as wrapped,
        _asked_nothing(),
        # Django's cursor that counts statements takes no writer.
        wrapped.cursor.copy(statement, writer=_Writer(wrapped.cursor, meanwhile)) as stream,
    ):
        for row in rows:
            stream.write_row(row)


@contextmanager
def _asked_nothing() -> Iterator[None]:
    """Refuse whatever is asked through Django: it would wait for the copy, and that for it.

    A cursor on the server's side, as of ``iterator()``, would do so when it is closed: none is
    given.
    """
    connection.chunked_cursor = _refuse  # type: ignore[method-assign]
    try:
        with connection.execute_wrapper(_refuse):
            yield
    finally:
        del connection.chunked_cursor


def _refuse(*asked: object) -> NoReturn:
    """Stand in for a question that would wait for the copying, which waits for who asks."""
    raise ConnectionBusy("Rows are being copied on this connection: it cannot be asked anything.")


class _Writer(LibpqWriter):
    """Sends rows as usual, and lets other work be done where it waits for the server."""

    def __init__(self, cursor: psycopg.Cursor[Any], meanwhile: Piece) -> None:
        super().__init__(cursor)
        # It waits by this and uses it for nothing else.
        self.connection = cast("psycopg.Connection[Any]", _Waiting(self.connection, meanwhile))


class _Waiting:
    """Waits for a connection's server as the connection does, and works meanwhile."""

    def __init__(self, waited_for: psycopg.Connection[Any], meanwhile: Piece) -> None:
        self._connection = waited_for
        self._meanwhile = meanwhile

    def wait(self, steps: Generator[Any, Any, Answer]) -> Answer:
        return self._connection.wait(self._working(steps))

    def _working(self, steps: Generator[Any, Any, Answer]) -> Generator[Any, Any, Answer]:
        """Take the steps that talk to the server, and work before each wait between two.

        What interrupts the work is raised once the server has answered: an answer that nobody took
        would be taken for that to the next statement.
        """
        answered = select.poll()
        answered.register(self._connection.pgconn.socket, select.POLLIN)
        ready, interruption = None, None  # As a generator is begun.
        try:
            while True:
                wanted = steps.send(ready)
                try:
                    while interruption is None and not is_answered(answered) and self._meanwhile():
                        pass
                except BaseException as error:  # noqa: BLE001 - kept, see above
                    interruption = error
                ready = yield wanted
        except StopIteration as end:
            if interruption is None:
                return cast("Answer", end.value)
        except psycopg.Error:
            if interruption is None:
                raise
        raise interruption


def is_answered(server: select.poll) -> bool:
    """Tell whether a server has sent something."""
    return bool(server.poll(0))


def take_ids(model: type[models.Model], count: int) -> list[int]:
    """Return ids that the table will not give to anybody else: whoever copies names their rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def count_rows(tables: Iterable[type[models.Model]], *, least: int) -> None:
    """Tell the planner how large tables are that it still believes to hold fewer than ``least``.

    A table that was empty a moment ago has no figures until autovacuum comes by, up to a minute
    later. Until then all indexes look equally good, and a foreign key may be checked through one
    that only begins with the company: each row written reads all of the company's rows in it
    (measured: at 10,000 conversations two thirds of the server's work).
    """
    with connection.cursor() as cursor:
        for model in tables:
            table = model._meta.db_table
            cursor.execute(
                "SELECT reltuples < %s FROM pg_class WHERE oid = %s::regclass", [least, table]
            )
            if cursor.fetchone() == (True,):
                # Where somebody else is at it, or may and we may not, it is done by them.
                cursor.execute(sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(sql.Identifier(table)))


@contextmanager
def older_objects_aside() -> Iterator[None]:
    """Let Python's collector look only at what is made in here, not at all there is each time.

    Many rows are many new objects, after every few of which it would go through those of the whole
    process, a tenth of a second each time (measured: an eighth of an import). What is garbage by
    then is collected after it, as is the rest.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
