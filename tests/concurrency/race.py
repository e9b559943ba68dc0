"""Many processes at one company's pool at once: ``python -m tests.concurrency.race``.

Forks before it opens a connection, so that every process has its own; a barrier lets them all go
together. Prints one JSON object with what each request was told and whether requests were seen
waiting for each other.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import uuid
from collections import Counter
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def charge_often(company_id: int, requests: int, barrier, answers) -> None:
    from django.db import DatabaseError

    from credits import charging, rating
    from credits.ledger import InsufficientCredits, Use
    from credits.models import Company
    from credits.rating import Rates, Work

    company = Company.objects.get(pk=company_id)
    rates = Rates(card_id=1, amounts=dict.fromkeys(rating.RateItem.values, 1))
    use = Use("ASK", "Ask anything", uuid.uuid4(), "API_REQUEST")
    told: Counter[str] = Counter()
    barrier.wait()
    for _ in range(requests):
        try:
            charging.charge(company=company, use=use, work=Work(long_calls=1), rates=rates)
            told["charged"] += 1
        except InsufficientCredits:
            told["refused"] += 1
        except DatabaseError as error:
            # What refused it, by its name.
            told[error.__cause__.diag.constraint_name or type(error).__name__] += 1
    answers.put(dict(told))


def hold_often(company_id: int, requests: int, barrier, answers) -> None:
    """Hold 1 credit at a time; capture all of it, capture half, or let it go, in turn."""
    from credits import charging, rating
    from credits.ledger import InsufficientCredits, Use
    from credits.models import Company
    from credits.rating import Rates, Work

    company = Company.objects.get(pk=company_id)
    half = Decimal("0.5")
    rates = Rates(card_id=1, amounts=dict.fromkeys(rating.RateItem.values, half))
    use = Use("ASK", "Ask anything", uuid.uuid4(), "API_REQUEST")
    told: Counter[str] = Counter()
    barrier.wait()
    for turn in range(requests):
        try:
            held = charging.reserve(company=company, amount=2 * half, use=use, rates=rates)
        except InsufficientCredits as refusal:
            told[type(refusal).__name__] += 1
            continue
        if turn % 3 == 2:
            charging.release(reservation=held)
            told["released"] += 1
        else:
            halves = 2 - turn % 3
            charging.capture(reservation=held, work=Work(long_calls=halves), rates=rates)
            told["halves"] += halves
    answers.put(dict(told))


def most_waiters(processes) -> int:
    """Watch ``pg_stat_activity`` until the processes end; return the most seen waiting at once."""
    from django.db import connection

    most = 0
    while any(process.is_alive() for process in processes):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            most = max(most, cursor.fetchone()[0])
    return most


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("company_id", type=int)
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--hold", action="store_true")
    options = parser.parse_args()
    django.setup()
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(options.processes), context.SimpleQueue()
    processes = [
        context.Process(
            target=hold_often if options.hold else charge_often,
            args=(options.company_id, options.requests, barrier, answers),
        )
        for _ in range(options.processes)
    ]
    for process in processes:
        process.start()
    waiters = most_waiters(processes)
    told: Counter[str] = Counter()
    for _ in processes:
        told.update(answers.get())
    print(json.dumps({"told": told, "most_waiters": waiters}))


if __name__ == "__main__":
    main()
