"""Three schedulers allocate at once, period after period: ``allocators COMPANY_ID < INSTANTS``.

A barrier lets them go together at each period's instant. Prints how many periods each run of each
wrote: of the three runs for a period one writes it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from datetime import datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
SCHEDULERS = 3


def allocate_on(company_id: int, instants: list[datetime], barrier, answers) -> None:
    from billing import allocations
    from credits.models import Company

    company, written = Company.objects.get(pk=company_id), []
    try:
        for instant in instants:
            barrier.wait(timeout=600)
            written.append(len(allocations.run(company=company, now=instant)))
    except BaseException:
        barrier.abort()
        raise
    finally:
        answers.put(written)


def main() -> None:
    company_id, instants = (
        int(sys.argv[1]),
        [datetime.fromisoformat(line.strip()) for line in sys.stdin],
    )
    django.setup()
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(SCHEDULERS), context.SimpleQueue()
    processes = [
        context.Process(target=allocate_on, args=(company_id, instants, barrier, answers))
        for _ in range(SCHEDULERS)
    ]
    for process in processes:
        process.start()
    print(json.dumps([answers.get() for _ in processes]))


if __name__ == "__main__":
    main()
