"""Charge one company as fast as it goes: ``python -m tests.benchmarks.charger COMPANY_ID``.

Prints a line for each charge that was made, with the monotonic clock's time, until it is ended.
"""

from __future__ import annotations

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main(company_id: str) -> None:
    django.setup()
    from django.utils import timezone

    from credits import charging, rating
    from credits.ledger import Use
    from credits.models import Company
    from credits.rating import Work

    company = Company.objects.get(pk=company_id)
    rates = rating.rates_at(timezone.now())
    use, work = Use("ASK", "Ask anything", None, "API_REQUEST"), Work(emails_with_text=1)
    while True:
        charging.charge(company=company, use=use, work=work, rates=rates)
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
