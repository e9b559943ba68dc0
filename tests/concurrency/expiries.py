"""Charges race with expiries: ``python -m tests.concurrency.expiries COMPANY_ID --races 50``.

Lots end one after the other, some milliseconds apart, while eight processes charge without a
pause and two settle. A race counts when a lot was charged and then expired with something left;
waves of lots follow until enough counted. Each charger notes its own clock before it sends, so
that a late spend is seen without believing the ledger's dates. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
WAVE = 25  # Lots.
APART = timedelta(milliseconds=40)
CHARGERS, EXPIRERS = 8, 2


def charge_on(company_id: int, ends, answers) -> None:
    from credits.models import Company
    from tests.support import statement

    company, sent = Company.objects.get(pk=company_id), []
    while not ends.is_set():
        before = datetime.now(UTC)
        event = statement.charge(company, "0.001")
        sent.append((event.entry_id, before.isoformat()))
    answers.put(sent)


def settle_on(company_id: int, ends, answers) -> None:
    from credits import expirations

    while not ends.is_set():
        expirations.settle_due()
        time.sleep(0.002)
    answers.put([])


def wave(company) -> None:
    """Give lots that end soon and one after the other, and wait until all have ended."""
    from credits import grants
    from credits.models import Source

    start = datetime.now(UTC) + timedelta(seconds=1)
    ends = [start + APART * number for number in range(WAVE)]
    for end in ends:
        grants.issue(
            company=company, source=Source.ALLOCATION, amount=Decimal(5), by=None, expires_at=end
        )
    while datetime.now(UTC) < ends[-1] + APART:
        time.sleep(0.02)


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
    ends, answers = context.Event(), context.SimpleQueue()
    works = [charge_on] * CHARGERS + [settle_on] * EXPIRERS
    processes = [
        context.Process(target=work, args=(options.company_id, ends, answers)) for work in works
    ]
    for process in processes:
        process.start()
    from credits.models import Company

    company, waves = Company.objects.get(pk=options.company_id), 0
    while raced(company.pk) < options.races and all(one.is_alive() for one in processes):
        wave(company)
        waves += 1
    ends.set()
    sent = [pair for _ in processes for pair in answers.get()]
    print(json.dumps({"races": raced(company.pk), "waves": waves, "sent": sent}))


if __name__ == "__main__":
    main()
