"""Clients that spend: ``python -m tests.benchmarks.charging_clients WORK CLIENTS``.

``WORK`` is one of the functions below. Each spends through the Python API as the product does, but
``bare_batch``, which only inserts the rows that a batch with an entry per event would need.
"""

from __future__ import annotations

import itertools
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

HOT, SPREAD = "Hot", "Spread"
COMPANIES = 1000
BARE_BATCH = """
    WITH event AS (
        SELECT n, uuidv7() AS id, now() AS at FROM generate_series(1, %(count)s) AS n
    ), entry AS (
        INSERT INTO bare_entry (company_id, sequence, kind, amount, balance_before, balance_after,
            occurred_at, recorded_at, cause, cause_ref, hash)
        SELECT %(company)s, %(first)s + n, 'CONSUMED', -0.1, 1000, 999.9, at, at, 'CHARGE', id,
            sha256(uuid_send(id))
        FROM event
    )
    INSERT INTO bare_event (id, company_id, feature_type, feature_name, action, request_id,
        rate_card_id, calls, emails, web_searches, amount, entry_id, occurred_at, after_sequence)
    SELECT id, %(company)s, 'TRACKER', 'Tracker', 'CONTINUOUS', '', 1, 0, 1, 0, 0.1, n, at, n
    FROM event
"""


def charge(number: int):
    """Charge the hot company 0.1 in one step."""
    return _charging(lambda turn: (HOT, 0), number)


def charge_spread(number: int):
    """Charge one company after the other."""
    return _charging(lambda turn: (SPREAD, (number * 31 + turn) % COMPANIES), number)


def reserve_and_capture(number: int):
    """Hold 0.1, then charge it, as work that takes time does."""
    return _reserving(1)


def batch_of_100(number: int):
    """Hold and charge a hundred events at once, as a tracker does."""
    return _reserving(100)


def batch_of_1000(number: int):
    return _reserving(1000)


def bare_batch_of_100(number: int):
    return _bare_batch(100, number)


def bare_batch_of_1000(number: int):
    return _bare_batch(1000, number)


def _charging(pick, number: int):
    from django.utils import timezone

    from credits import charging, rating
    from credits.rating import Work

    companies = _companies()
    rates, work, turns = (
        rating.rates_at(timezone.now()),
        Work(emails_with_text=1),
        itertools.count(),
    )

    def piece() -> int:
        company = companies[pick(next(turns))]
        charging.charge(company=company, use=_use(), work=work, rates=rates)
        return 1

    return piece


def _reserving(events: int):
    from django.utils import timezone

    from credits import charging, rating
    from credits.rating import Work

    company, rates = _companies()[HOT, 0], rating.rates_at(timezone.now())
    work = Work(emails_with_text=events)
    amount = rating.price(work, rates)

    def piece() -> int:
        held = charging.reserve(company=company, amount=amount, use=_use(), rates=rates)
        charging.capture(reservation=held, work=work, rates=rates)
        return events

    return piece


def _bare_batch(events: int, number: int):
    from django.db import connection

    company, turns = _companies()[HOT, 0], itertools.count()

    def piece() -> int:
        first = (number * 1_000_000 + next(turns)) * events
        with connection.cursor() as cursor:
            cursor.execute(BARE_BATCH, {"company": company.pk, "count": events, "first": first})
        return events

    return piece


def _companies():
    from credits.models import Company

    found = list(Company.objects.filter(name__startswith=SPREAD).order_by("name"))
    numbered = {(SPREAD, number): company for number, company in enumerate(found)}
    return numbered | {(HOT, 0): Company.objects.get(name=HOT)}


def _use():
    from credits.ledger import Use

    return Use("TRACKER", "Tracker", None, "CONTINUOUS")


def main(work: str, clients: str) -> None:
    django.setup()
    from tests.benchmarks import crowd

    crowd.serve(globals()[work], int(clients))


if __name__ == "__main__":
    main(*sys.argv[1:])
