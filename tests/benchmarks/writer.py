"""Charge companies at a pace told line by line: ``python -m tests.benchmarks.writer``.

Each line on the standard input is ``COMPANY_ID PER_SECOND``; 0 rests, and ``-`` is as fast as it
goes. Every line is answered with how many charges were made since the line before. Ends with its
input.
"""

from __future__ import annotations

import os
import select
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
FLAT_OUT = "-"


def pause_between(pace: str) -> float | None:
    """Return the seconds from one charge to the next; None to make none."""
    if pace == FLAT_OUT:
        return 0.0
    return 1 / float(pace) if float(pace) else None


def main() -> None:
    django.setup()
    from django.utils import timezone

    from credits import charging, rating
    from credits.ledger import Use
    from credits.models import Company
    from credits.rating import Work

    rates = rating.rates_at(timezone.now())
    use, work = Use("ASK", "Ask anything", None, "API_REQUEST"), Work(emails_with_text=1)
    company, pause, made, next_at = None, None, 0, 0.0
    while True:
        wait = None if pause is None else max(0.0, next_at - time.monotonic())
        if select.select([sys.stdin], [], [], wait)[0]:
            line = sys.stdin.readline().split()
            if not line:
                return
            print(made, flush=True)
            made, next_at = 0, time.monotonic()
            company = Company.objects.get(pk=line[0])
            pause = pause_between(line[1])
            continue
        charging.charge(company=company, use=use, work=work, rates=rates)
        made += 1
        next_at = max(next_at + pause, time.monotonic() - 1)


if __name__ == "__main__":
    main()
