"""What limits cost a charge and a reservation: nothing worth naming where there are none.

``python -m pytest -m benchmark tests/benchmarks/test_limits.py -s`` prints each figure. Each call
is made in turn with its counterpart, so that a busy machine slows both; the acts as they were
before limits stand beside the new ones, under other names, in the same database.
"""

from __future__ import annotations

import os
import statistics
import time
from decimal import Decimal

import pytest
from django.db import connection

from credits import limits, sql_files
from credits.identifiers import new_id
from tests.support import people

pytestmark = pytest.mark.benchmark

CALLS = int(os.environ.get("BENCHMARK_CALLS", "3000"))
HISTORY = int(os.environ.get("BENCHMARK_ROWS", "100000"))
OVERHEAD_MAX = Decimal("0.02")
# The new text of each act, without what it asks of limits: what it was before.
BEFORE = (
    (
        "    IF context.is_limited THEN\n"
        "        refusal := ledger_limit_refusal(context, p_amount, p_use);\n"
        "        IF refusal.outcome IS NOT NULL THEN\n"
        "            PERFORM ledger_end(context);\n"
        "            RETURN refusal;\n"
        "        END IF;\n"
        "    END IF;\n"
    ),
    (
        "    IF context.is_limited AND p_amount > 0 THEN\n"
        "        PERFORM ledger_count(context, p_use, context.instant, p_amount);\n"
        "    END IF;\n"
    ),
    "    refusal ledger_outcome;\n",
    "    context.is_limited := pool.limit_count > 0;\n",
)
USE = "ROW('ASK', 'Ask', NULL, 'API_REQUEST', NULL, NULL, NULL, NULL, '')::ledger_use"
WORK = "ROW(1, 0, 1, 0, 1)::ledger_work"
CHARGE = f"SELECT * FROM {{}}(%s, NULL, %s, 0.1, {USE}, {WORK})"
RESERVE = f"SELECT * FROM {{}}(%s, NULL, %s, 0.1, interval '15 minutes', {USE}, 1)"


def company(name: str):
    made = people.company(name, time_zone="UTC")
    people.credits_for(made, "100000000")
    return made


def limit_all(company, count: int) -> None:
    """Set limits that all hold for the calls: of the company and the feature, a day and a month."""
    for subject in (limits.of_company(company), limits.of_feature("ASK"))[: (count + 1) // 2]:
        for window in ("DAY", "MONTH")[:count]:
            limits.set(
                company=company,
                subject=subject,
                window=window,
                credits=Decimal(100_000_000),
                by=None,
            )


def install_acts_of_before() -> None:
    functions = sql_files.written().functions
    with connection.cursor() as cursor:
        for name in ("ledger_begin", "ledger_charge", "ledger_reserve"):
            text = functions[name].statement
            for part in BEFORE:
                text = text.replace(part, "")
            assert "limit" not in text
            for act in ("begin", "charge", "reserve"):
                text = text.replace(f"ledger_{act}(", f"before_{act}(")
            cursor.execute(text)


def medians(calls: dict[str, tuple[str, int]]) -> dict[str, float]:
    """Make each call in turn with the others; return the median time of each in microseconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    with connection.cursor() as cursor:
        for turn in range(CALLS):
            for name, (statement, company_id) in calls.items():
                began = time.perf_counter()
                cursor.execute(statement, [company_id, new_id()])
                cursor.fetchall()
                if turn >= CALLS // 10:
                    times[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) * 1e6 for name, found in times.items()}


@pytest.mark.parametrize("act", ["charge", "reserve"])
def test_a_company_without_limits_pays_less_than_two_percent(committed, act):
    install_acts_of_before()
    before, after = company("Before"), company("After")
    statement = CHARGE if act == "charge" else RESERVE

    found = medians(
        {
            "before": (statement.format(f"before_{act}"), before.pk),
            "after": (statement.format(f"ledger_{act}"), after.pk),
        }
    )

    overhead = found["after"] / found["before"] - 1
    print(f"{act}: {found['before']:.0f} µs before, {found['after']:.0f} µs, {overhead:+.1%}")
    assert overhead < OVERHEAD_MAX


def test_a_limited_company_does_not_pay_for_its_history(committed):
    without, fresh, busy = company("Without"), company("Fresh"), company("Busy")
    limit_all(fresh, 4)
    limit_all(busy, 4)
    with connection.cursor() as cursor:
        for _ in range(HISTORY // 1000):
            cursor.execute(
                f"SELECT count(*) FROM generate_series(1, 1000),"
                f" LATERAL ledger_charge(%s, NULL, gen_random_uuid(), 0.1, {USE}, {WORK})",
                [busy.pk],
            )
        cursor.execute("VACUUM ANALYZE")

    calls = {
        name: (CHARGE.format("ledger_charge"), one.pk)
        for name, one in (("without", without), ("fresh", fresh), ("busy", busy))
    }
    found = medians(calls)

    for name, median in found.items():
        print(f"charge, {name}: {median:.0f} µs")
    assert found["busy"] < 1.25 * found["fresh"]
