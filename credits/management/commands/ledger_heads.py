"""Print the heads of the chains of hashes: ``manage.py ledger_heads``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from credits import heads


class Command(BaseCommand):
    help = (
        "Prints company, last entry and its hash for every company, to be kept elsewhere. With\n"
        "“check_ledger --heads FILE” a ledger that was rewritten since is found out."
    )

    def handle(self, **options: Any) -> None:
        for head in heads.of_all():
            self.stdout.write(str(head))
