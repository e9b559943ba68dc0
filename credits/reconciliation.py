"""Check the books: every invariant of DESIGN §3 re-derived from the rows, set by set.

One statement per rule over all companies, in one snapshot, so that work under way is no false
alarm. A rule never looks at the clock's body: the command does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from credits import guards, invariants

CLOCK_BODY = "SELECT clock_timestamp()"
BREACHES_PER_RULE_MAX = 100


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken invariant: which company, which row, and what is wrong with it."""

    invariant: str
    company_id: int | None
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant} company {self.company_id} {self.subject}: {self.detail}"


class Rule(NamedTuple):
    """A statement that finds breaches as (company_id, subject, detail)."""

    invariant: str
    statement: str


def check(*, company_id: int | None = None, sessions: int = 1) -> list[Breach]:
    """Return every breach found, at most 100 for each rule; an empty list means all is well.

    Includes what other apps contribute by the setting ``CREDIT_CHECKS``, and without a company
    the database's own guards: functions, triggers, constraints, columns. Several ``sessions``
    share the ledger's rules, in one snapshot; inside a caller's transaction only that one can see
    it all.
    """
    rules = [Rule(*rule) for rule in (*invariants.RULES, *_same_company_rules())]
    is_alone = sessions == 1 or connection.in_atomic_block
    # Before the snapshot, which is for reading alone: the comparison makes tables for a moment.
    gaps = guards.gaps() if company_id is None else []
    with _one_snapshot():
        if is_alone:
            found = [breach for rule in rules for breach in _breaches(rule, company_id)]
        else:
            found = _shared(rules, company_id, sessions)
        found += [Breach(gap.invariant, None, gap.subject, gap.detail) for gap in gaps]
        for path in settings.CREDIT_CHECKS:
            contributed: Callable[..., Iterable[Breach]] = import_string(path)
            found += contributed(company_id=company_id)
    return found


def _shared(rules: list[Rule], company_id: int | None, sessions: int) -> list[Breach]:
    """Let several sessions take one rule after the other, all in this session's snapshot."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
    waiting: SimpleQueue[int] = SimpleQueue()
    # The chain of hashes takes as long as many others: whoever takes it must not do so last.
    for place in sorted(range(len(rules)), key=lambda place: -len(rules[place].statement)):
        waiting.put(place)
    found: list[list[Breach]] = [[] for _ in rules]

    def work() -> None:
        try:
            with _one_snapshot(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION SNAPSHOT %s", [snapshot])
                while True:
                    place = waiting.get_nowait()
                    found[place] = _breaches(rules[place], company_id)
        except Empty:
            return
        finally:
            connection.close()

    with ThreadPoolExecutor(sessions) as threads:
        for session in [threads.submit(work) for _ in range(sessions)]:
            session.result()
    return [breach for breaches in found for breach in breaches]


def rule_breaches(rules: Iterable[Rule], company_id: int | None) -> Iterator[Breach]:
    """Run rules of another app in the snapshot of the check."""
    for rule in rules:
        yield from _breaches(rule, company_id)


def is_real_clock() -> bool:
    """Tell whether the ledger's clock is the database's own, not a test's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'ledger_clock'")
        bodies = [row[0].strip() for row in cursor.fetchall()]
    return bodies == [CLOCK_BODY]


def _breaches(rule: Rule, company_id: int | None) -> list[Breach]:
    # The statements hold format()'s percent signs, so the only parameter is written in: a number.
    where = "" if company_id is None else f" WHERE company_id = {int(company_id)}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({rule.statement}) AS found (company_id, subject, detail)"
            f"{where} LIMIT {BREACHES_PER_RULE_MAX}"
        )
        return [Breach(rule.invariant, *row) for row in cursor.fetchall()]


def _same_company_rules() -> list[Rule]:
    """One rule for each composite key: no row names a row of another company.

    Nor of another row than it is ``within``, as an utterance's speaker is of a conversation.
    """
    return [
        Rule(
            "I16",
            f"SELECT r.company_id, '{key.table} ' || r.id, '{key.column} is not a row of its"
            f" {key.same}' FROM {key.table} r LEFT JOIN {key.target} t"
            f" ON t.id = r.{key.column} AND t.company_id = r.company_id"
            f"{f' AND t.{key.within} = r.{key.within}' if key.within else ''}"
            f" WHERE r.{key.column} IS NOT NULL AND t.id IS NULL",
        )
        for key in guards.composite_keys()
    ]


def _one_snapshot() -> transaction.Atomic:
    """Read everything as of one instant; inside a caller's transaction, as that one sees it."""
    if connection.in_atomic_block:
        return transaction.atomic()
    return _RepeatableRead(using=None, savepoint=True, durable=True)


class _RepeatableRead(transaction.Atomic):
    def __enter__(self) -> None:
        super().__enter__()
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # Sets of millions of rows: hashed and sorted in memory, and not worth compiling.
            cursor.execute("SET LOCAL work_mem = '256MB'")
            cursor.execute("SET LOCAL jit = off")
