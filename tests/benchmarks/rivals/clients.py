"""The same work by other packages: ``python -m tests.benchmarks.rivals.clients WORK CLIENTS``.

Runs in the rivals' own environment. ``prepare`` makes their tables and accounts.
"""

from __future__ import annotations

import os
import sys
from decimal import Decimal

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.rivals.settings"


def dj_wallet(number: int):
    """Take 0.1 from one wallet; dj-wallet locks it and refuses what it does not have."""
    from dj_wallet.models import Wallet
    from dj_wallet.services.common import WalletService

    wallet = Wallet.objects.get()

    def piece() -> int:
        WalletService.withdraw(wallet, Decimal("0.1"))
        return 1

    return piece


def hordak(number: int):
    """Move 0.1 from one account to another, which is locked and has to have it."""
    from django.db import transaction
    from hordak.models import Account
    from moneyed import Money

    income = Account.objects.get(name="Used")
    price = Money("0.10", "EUR")

    def piece() -> int:
        with transaction.atomic():
            credits = Account.objects.select_for_update().get(name="Credits")
            if credits.get_balance()["EUR"] < price:
                raise ValueError("There are not enough credits.")
            credits.transfer_to(income, price)
        return 1

    return piece


def prepare() -> None:
    from dj_wallet.models import Wallet
    from dj_wallet.services.common import WalletService
    from django.contrib.auth.models import User
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command
    from hordak.models import Account
    from moneyed import Money

    call_command("migrate", verbosity=0)
    holder = User.objects.create(username="holder")
    wallet = Wallet.objects.create(
        holder_type=ContentType.objects.get_for_model(User), holder_id=holder.pk
    )
    WalletService.deposit(wallet, Decimal(10_000_000))
    accounts = {
        name: Account.objects.create(name=name, type=kind, code=code, currencies=["EUR"])
        for name, kind, code in (("Given", "IN", "1"), ("Credits", "AS", "2"), ("Used", "AS", "3"))
    }
    accounts["Given"].transfer_to(accounts["Credits"], Money(10_000_000, "EUR"))
    print("ready", flush=True)


def main(work: str, clients: str = "0") -> None:
    django.setup()
    if work == "prepare":
        prepare()
        return
    from tests.benchmarks import crowd

    crowd.serve(globals()[work], int(clients))


if __name__ == "__main__":
    main(*sys.argv[1:])
