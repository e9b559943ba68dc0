"""A process that asks one question under a key, to be killed while it does: ``asker.py SLUG``."""

from __future__ import annotations

import sys

import django


def main(slug: str) -> None:
    django.setup()
    from credits.ledger import Key
    from credits.models import Company
    from tests.faults import points  # noqa: F401 - stops where FAULT_POINT says.
    from tests.support import asks

    asks.ask(Company.objects.get(slug=slug), key=Key.of("retried", body="the same"))


if __name__ == "__main__":
    main(sys.argv[1])
