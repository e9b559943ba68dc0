"""Charges race with expiries: ``python -m tests.concurrency.expiries COMPANY_ID --races 50``.

Lots end one after the other, some milliseconds apart, while eight processes charge without a
pause and two settle. A race counts when a lot was charged and then expired with something left;
waves of lots follow until enough counted.

What is noted lets a late spend be seen without believing the ledger's dates. Each charger notes its
own clock before it sends. Another process holds the pool again and again, while lots end, and notes
how many entries there were and its clock as it lets go: what comes after them was decided later, by
a charge that may have waited since before the end. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
WAVE = 25  # Lots.
APART = timedelta(milliseconds=40)
CHARGERS, EXPIRERS = 8, 2
HELD, FREE = 0.06, 0.1  # Seconds: lots end while the pool is held, and while it is not.
PATIENCE = 60  # Seconds until a process that does not answer is given up.


def charge_on(company_id: int, ends, answers) -> None:
    from credits.models import Company
    from tests.support import statement

    company, sent = Company.objects.get(pk=company_id), []
    while not ends.is_set():
        before = datetime.now(UTC)
        event = statement.charge(company, "0.001")
        sent.append((event.entry_id, before.isoformat()))
    answers.put(("sent", sent))


def hold_on(company_id: int, ends, answers) -> None:
    from django.db import connection, transaction

    held = []
    while not ends.is_set():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT sequence FROM credits_creditpool WHERE company_id = %s FOR NO KEY UPDATE",
                [company_id],
            )
            (sequence,) = cursor.fetchone()
            time.sleep(HELD)
            held.append((sequence, datetime.now(UTC).isoformat()))
        time.sleep(FREE)
    answers.put(("held", held))


def settle_on(company_id: int, ends, answers) -> None:
    from credits import expirations

    while not ends.is_set():
        expirations.settle_due()
        time.sleep(0.002)
    answers.put(("settled", []))


def wave(company) -> None:
    """Give lots that end soon and one after the other, and wait until all have ended."""
    start, end = datetime.now(UTC) + timedelta(seconds=1), datetime.now(UTC)
    for number in range(WAVE):
        end = issue(company, start + APART * number)
    while datetime.now(UTC) < end + APART:
        time.sleep(0.02)


def issue(company, end: datetime) -> datetime:
    """Give a lot that ends then, or later where the pool lets nobody in for so long."""
    from credits import grants
    from credits.models import Source

    while True:
        end = max(end, datetime.now(UTC) + 2 * APART)
        try:
            grants.issue(
                company=company,
                source=Source.ALLOCATION,
                amount=Decimal(5),
                by=None,
                expires_at=end,
            )
        except grants.GrantExpiresBeforeItStarts:
            continue
        return end


def raced(company_id: int) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM credits_drawdown AS draw"
            " JOIN credits_ledgerentry AS entry ON entry.id = draw.entry_id"
            " WHERE draw.company_id = %s GROUP BY draw.grant_id"
            " HAVING bool_or(entry.kind = 'CONSUMED') AND bool_or(entry.kind = 'EXPIRED')) AS lot",
            [company_id],
        )
        return cursor.fetchone()[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("company_id", type=int)
    parser.add_argument("--races", type=int, default=50)
    options = parser.parse_args()
    django.setup()
    context = multiprocessing.get_context("fork")
    ends, answers = context.Event(), context.Queue()
    works = [charge_on] * CHARGERS + [settle_on] * EXPIRERS + [hold_on]
    # Daemons: they end with this process, whatever ends it.
    processes = [
        context.Process(target=work, args=(options.company_id, ends, answers), daemon=True)
        for work in works
    ]
    for process in processes:
        process.start()
    from credits.models import Company

    company, waves = Company.objects.get(pk=options.company_id), 0
    while raced(company.pk) < options.races:
        if not all(one.is_alive() for one in processes):
            raise SystemExit("A process that raced has ended; see its message above.")
        wave(company)
        waves += 1
    ends.set()
    noted: dict[str, list] = {"sent": [], "held": []}
    for _ in processes:
        try:
            what, pairs = answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise SystemExit("A process that raced does not answer.") from None
        noted.setdefault(what, []).extend(pairs)
    print(json.dumps({"races": raced(company.pk), "waves": waves} | noted))


if __name__ == "__main__":
    main()
