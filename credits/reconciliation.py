"""Check the books: every invariant of DESIGN §3 re-derived from the rows, set by set.

One statement per rule over all companies, in one snapshot, so that work under way is no false
alarm; what looks at every entry is one statement for several rules, some companies at a time. A
rule never looks at the clock itself: the command does that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from credits import definitions, guards, invariants, sql_files
from credits.entry_invariants import ENTRY_PASS, Screen
from credits.screened_invariants import SCREENED_KEYS, SCREENED_RULES

BREACHES_PER_RULE_MAX = 100
# Of the entries, when several sessions share them: so few that those of one fit into memory.
ENTRIES_A_SHARE = 500_000


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken invariant: which company, which row, and what is wrong with it.

    ``count`` is above 1 where it stands for rows of the company that are not listed.
    """

    invariant: str
    company_id: int | None
    subject: str
    detail: str
    count: int = 1

    def __str__(self) -> str:
        return f"{self.invariant} company {self.company_id} {self.subject}: {self.detail}"


class Rule(NamedTuple):
    """A statement that finds breaches as (company_id, subject, detail)."""

    invariant: str
    statement: str


# Looks for breaches in the snapshot of its session, of one company if there is a number.
Search = Callable[[int | None], list[Breach]]


def check(*, company_id: int | None = None, sessions: int = 1) -> list[Breach]:
    """Return every breach found; an empty list means all is well.

    A rule lists at most 100, and then says of how many more rows of which companies it holds.

    Includes what other apps contribute by the setting ``CREDIT_CHECKS``, and without a company
    the database's own guards: functions, triggers, constraints, columns. Several ``sessions``
    share the ledger's rules, in one snapshot; inside a caller's transaction only that one can see
    it all.
    """
    rules = [Rule(*rule) for rule in (*invariants.RULES, *_same_company_rules(None))]
    searches: list[Search] = [partial(_breaches, rule) for rule in rules]
    shown: set[Screen] = set()
    look = partial(_pass_over_entries, shown=shown)
    is_alone = sessions == 1 or connection.in_atomic_block
    # Before the snapshot, which is for reading alone: the comparison makes tables for a moment.
    gaps = guards.gaps() if company_id is None else []
    with _one_snapshot():
        if is_alone:
            searches.append(look)
            found = [breach for search in searches for breach in search(company_id)]
        else:
            found = _shared(searches, look, company_id, sessions)
        for rule in _screened_rules(shown):
            found += _breaches(rule, company_id)
        found += [Breach(gap.invariant, None, gap.subject, gap.detail) for gap in gaps]
        for path in settings.CREDIT_CHECKS:
            contributed: Callable[..., Iterable[Breach]] = import_string(path)
            found += contributed(company_id=company_id)
    return found


def _shared(
    searches: list[Search], look: partial[list[Breach]], company_id: int | None, sessions: int
) -> list[Breach]:
    """Let several sessions take one search after the other, all in this session's snapshot."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
    # Most of the work first: whoever takes a share of it must not do so last.
    scopes = _scopes(sessions) if company_id is None else ["true"]
    shares: list[Search] = [partial(look, scope=scope) for scope in scopes]
    in_order: list[Search] = [*searches, *shares]
    waiting: SimpleQueue[int] = SimpleQueue()
    for place in (*range(len(searches), len(in_order)), *range(len(searches))):
        waiting.put(place)
    found: list[list[Breach]] = [[] for _ in in_order]

    def work() -> None:
        try:
            with _one_snapshot(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION SNAPSHOT %s", [snapshot])
                # The sessions share the processors already.
                cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
                if company_id is None:
                    # Whole tables are joined faster whole than row by row.
                    cursor.execute("SET LOCAL enable_nestloop = off")
                while True:
                    place = waiting.get_nowait()
                    found[place] = in_order[place](company_id)
        except Empty:
            return
        finally:
            connection.close()

    with ThreadPoolExecutor(sessions) as threads:
        for session in [threads.submit(work) for _ in range(sessions)]:
            session.result()
    return [breach for breaches in found for breach in breaches]


def _scopes(sessions: int) -> list[str]:
    """Part the companies, so that each part has about as many entries; a condition for each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT company_id, sequence FROM credits_creditpool ORDER BY company_id")
        rows = cursor.fetchall()
    total = sum(count for _, count in rows)
    part_count = -(-total // ENTRIES_A_SHARE)
    part_count = -(-part_count // sessions) * sessions if part_count > 1 else 1
    ends: list[int] = []
    seen = 0
    for company, count in rows:
        seen += count
        if len(ends) + 1 < part_count and seen * part_count >= total * (len(ends) + 1):
            ends.append(int(company))
    # Open at both ends: an entry may be of a company that has no pool.
    lower = ["true", *(f"company_id > {end}" for end in ends)]
    upper = [*(f"company_id <= {end}" for end in ends), "true"]
    return [f"{first} AND {last}" for first, last in zip(lower, upper, strict=True)]


def rule_breaches(rules: Iterable[Rule], company_id: int | None) -> Iterator[Breach]:
    """Run rules of another app in the snapshot of the check."""
    for rule in rules:
        yield from _breaches(rule, company_id)


def is_real_clock() -> bool:
    """Tell whether the ledger's clock is what its file says, not a test's.

    All of it counts: a setting of its own can make the same words ask another clock.
    """
    body = sql_files.written().functions[guards.CLOCK].body
    text = f"() RETURNS timestamp with time zone LANGUAGE sql AS $function$ {body} $function$"
    return [" ".join(one.split()) for one in definitions.function(guards.CLOCK)] == [text]


def _breaches(rule: Rule, company_id: int | None) -> list[Breach]:
    # The statements hold format()'s percent signs, so the only parameter is written in: a number.
    where = "" if company_id is None else f" WHERE company_id = {int(company_id)}"
    source = f"({rule.statement}) AS found (company_id, subject, detail){where}"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {source} LIMIT {BREACHES_PER_RULE_MAX + 1}")
        found = [Breach(rule.invariant, *row) for row in cursor.fetchall()]
        if len(found) <= BREACHES_PER_RULE_MAX:
            return found
        cursor.execute(f"SELECT company_id, count(*) FROM {source} GROUP BY company_id")
        counts = dict(cursor.fetchall())
    listed = found[:BREACHES_PER_RULE_MAX]
    return [*listed, *_unlisted(rule.invariant, counts, listed)]


def _unlisted(
    invariant: str, counts: dict[int | None, int], listed: list[Breach]
) -> Iterator[Breach]:
    """Say of each company how many of its rows a rule found and did not list."""
    seen = Counter(breach.company_id for breach in listed)
    for company, count in sorted(counts.items(), key=lambda one: one[0] or 0):
        more = count - seen[company]
        if more > 0:
            detail = f"not listed; one rule lists {BREACHES_PER_RULE_MAX}"
            yield Breach(invariant, company, f"{more:,} more", detail, more)


def _pass_over_entries(
    company_id: int | None, *, shown: set[Screen], scope: str = "true"
) -> list[Breach]:
    """Return what the pass names, and add to ``shown`` what it only shows to be there."""
    if company_id is not None:
        scope += f" AND company_id = {int(company_id)}"
    source = f"({ENTRY_PASS.replace('{scope}', scope)}) AS found"
    source += " (company_id, subject, detail, invariant, rule)"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rule, invariant, company_id, subject, detail"
            " FROM (SELECT *, row_number() OVER (PARTITION BY rule) AS place"
            f" FROM {source}) AS numbered"
            f" WHERE place <= {BREACHES_PER_RULE_MAX + 1} ORDER BY rule, company_id, place"
        )
        rows = cursor.fetchall()
        by_rule: dict[int, list[Breach]] = {}
        for rule, invariant, *row in rows:
            if invariant is None:
                shown.add(Screen(row[1]))
            else:
                by_rule.setdefault(rule, []).append(Breach(invariant, *row))
        found: list[Breach] = []
        for rule, breaches in by_rule.items():
            listed = breaches[:BREACHES_PER_RULE_MAX]
            found += listed
            if len(breaches) > len(listed):
                cursor.execute(
                    f"SELECT company_id, count(*) FROM {source} WHERE rule = {int(rule)}"
                    " GROUP BY company_id"
                )
                found += _unlisted(listed[0].invariant, dict(cursor.fetchall()), listed)
    return found


def _screened_rules(shown: set[Screen]) -> Iterator[Rule]:
    """The rules that name what a pass has shown to be there."""
    for screen in sorted(shown):
        yield from (Rule(*rule) for rule in SCREENED_RULES.get(screen, ()))
        yield from _same_company_rules(screen)


def _same_company_rules(screen: Screen | None) -> list[Rule]:
    """One rule for each composite key of a screen or of none: no row names another company's row.

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
        if SCREENED_KEYS.get((key.table, key.column)) is screen
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
