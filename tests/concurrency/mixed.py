"""Many processes at one company's pool, every act and every reply written down.

``python -m tests.concurrency.mixed COMPANY_ID FILE --processes 64 --acts 20 --seed 1``: each
process does acts of its own random order on what it made itself and on lots all share, then
spends until nothing is left. ``FILE`` gets a JSON line for each statement the ledger answered.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import django

from tests.concurrency.race import most_waiters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# What each function is called with after the company, by name; the actor, where one is, is left
# out, and so is what does not move credits.
NAMES = {
    "ledger_issue": "_ id source amount effective_at expires_at priority",
    "ledger_charge": "_ usage_id amount _ _ key",
    "ledger_reserve": "_ id amount lease",
    "ledger_capture": "_ id usage_id amount",
    "ledger_release": "_ id",
    "ledger_extend": "id lease",
    "ledger_settle": "",
    "ledger_read": "",
    "ledger_cancel": "_ id",
    "ledger_void": "_ id",
    "ledger_adjust_up": "_ id amount expires_at priority",
    "ledger_adjust_down": "_ id amount",
    "ledger_refund": "_ usage_id amount _ replacement_id",
}


def written_down(function: str, arguments: tuple, answer) -> str:
    names = NAMES[function].split()
    terms = {
        name: plain(value)
        for name, value in zip(names, arguments[1:], strict=False)
        if name != "_" and value is not None
    }
    return json.dumps(
        {"act": function.removeprefix("ledger_"), "terms": terms, "process": os.getpid()}
        | {name: plain(value) for name, value in answer._asdict().items()}
    )


def plain(value):
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    return getattr(value, "text", None) or str(value)


class Actor:
    """One process: what it made so far, and its dice."""

    def __init__(self, company, by, dice: random.Random) -> None:
        self.company, self.by, self.dice = company, by, dice
        self.held, self.events, self.to_come = [], [], []

    def act(self) -> None:
        names = ["charge"] * 5 + ["reserve"] * 4 + ["capture"] * 4 + ["release", "extend", "again"]
        names += ["refund", "refund", "give", "take", "issue", "cancel", "void", "settle"]
        getattr(self, self.dice.choice(names))()

    def amount(self) -> Decimal:
        return Decimal(self.dice.randint(1, 2000)) / 1000

    def charge(self) -> None:
        from tests.support import statement

        self.events.append(statement.charge(self.company, str(self.amount())))

    def again(self) -> None:
        """The same charge twice, by its key."""
        from credits import charging
        from credits.ledger import Key
        from tests.support import statement

        amount = str(self.amount())
        for _ in range(2):
            event = charging.charge(
                company=self.company,
                use=statement.use(),
                work=statement.work_of(amount),
                rates=statement.MILLS,
                key=Key.of(f"{os.getpid()} {len(self.events)}", amount=amount),
            )
        self.events.append(event)

    def reserve(self) -> None:
        from credits import charging
        from tests.support import statement

        # Some lapse while the race goes on.
        lease = self.dice.choice([timedelta(minutes=15), timedelta(milliseconds=50)])
        self.held.append(
            charging.reserve(
                company=self.company,
                amount=self.amount(),
                use=statement.use(),
                rates=statement.MILLS,
                lease=lease,
            )
        )

    def capture(self) -> None:
        from tests.support import statement

        if self.held:
            held = self.held.pop(self.dice.randrange(len(self.held)))
            part = self.dice.choice([held.amount, held.amount / 2, Decimal(0)])
            self.events.append(statement.capture(held, str(part.quantize(Decimal("0.001")))))

    def release(self) -> None:
        from credits import charging

        if self.held:
            charging.release(reservation=self.held.pop())

    def extend(self) -> None:
        from credits import charging

        if self.held:
            charging.extend(reservation=self.held[-1], lease=timedelta(minutes=20))

    def refund(self) -> None:
        from credits import charging

        if self.events:
            event = self.dice.choice(self.events)
            part = self.dice.choice([None, Decimal("0.001")])
            charging.refund(
                usage_event=event,
                amount=part,
                replace_expired=self.dice.random() < 0.5,
                **self.signed,
            )

    def give(self) -> None:
        from credits import grants

        life = timedelta(milliseconds=self.dice.randint(20, 2000))
        grants.adjust(
            company=self.company,
            amount=self.amount(),
            expires_at=self.dice.choice([None, datetime.now(UTC) + life]),
            **self.signed,
        )

    def take(self) -> None:
        from credits import grants

        grants.adjust(company=self.company, amount=-self.amount(), **self.signed)

    def issue(self) -> None:
        """A lot that starts now or soon, and that ends soon or not."""
        from credits import grants
        from credits.models import Source

        start = datetime.now(UTC) + timedelta(milliseconds=self.dice.choice([0, 100, 600_000]))
        life = timedelta(milliseconds=self.dice.randint(20, 2000))
        grant = grants.issue(
            company=self.company,
            source=Source.ALLOCATION,
            amount=self.amount(),
            by=None,
            effective_at=start,
            expires_at=self.dice.choice([None, start + life]),
        )
        self.to_come.append(grant)

    def cancel(self) -> None:
        from credits import grants

        if self.to_come:
            grants.cancel(grant=self.to_come.pop(), **self.signed)

    def void(self) -> None:
        from credits import grants

        if self.to_come:
            grants.void(grant=self.to_come.pop(), **self.signed)

    def settle(self) -> None:
        from credits import expirations

        expirations.settle(company=self.company)

    @property
    def signed(self) -> dict:
        return {"by": self.by, "reason": "The race wants it so"}

    def spend_the_rest(self) -> None:
        """Until the ledger says that there is nothing: big amounts first, then thousandths."""
        from credits import charging
        from credits.ledger import InsufficientCredits
        from tests.support import statement

        for held in self.held:
            try:
                charging.release(reservation=held)
            except charging.ReservationLapsed:
                continue
        for amount in ("5", "0.4", "0.03", "0.001"):
            try:
                while True:
                    statement.charge(self.company, amount)
            except InsufficientCredits:
                continue


def one(options, user_id: int, number: int, barriers, path: str) -> None:
    from credits import charging, grants, ledger
    from credits.models import Company, User

    refused = (
        *(ledger.InsufficientCredits, charging.ReservationLapsed, charging.AlreadyCaptured),
        *(charging.AlreadyReleased, charging.NothingCharged, charging.AlreadyRefunded),
        *(charging.RefundExceedsCharge, grants.AdjustmentExceedsAvailable, grants.AlreadyVoided),
        *(grants.GrantExpiresBeforeItStarts, grants.GrantAlreadyStarted, grants.GrantNotStarted),
        *(grants.AlreadyCancelled, grants.GrantExpired, grants.GrantUsedUp),
    )
    lines: list[str] = []
    call = ledger.call

    def recording(function: str, *arguments):
        answer = call(function, *arguments)
        lines.append(written_down(function, arguments, answer))
        return answer

    ledger.call = recording
    dice = random.Random(f"{options.seed} {number}")
    company = Company.objects.get(pk=options.company_id)
    actor = Actor(company, User.objects.get(pk=user_id), dice)
    try:
        for barrier, is_last in zip(barriers, (False, True), strict=True):
            barrier.wait(timeout=600)
            if is_last:
                actor.spend_the_rest()
                continue
            for _ in range(options.acts):
                with contextlib.suppress(*refused):
                    actor.act()
    except BaseException:
        # The others wait for this one.
        for barrier in barriers:
            barrier.abort()
        raise
    # Short lines of one process at a time: appended in one write.
    with open(path, "a") as file:
        file.write("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("company_id", type=int)
    parser.add_argument("user_id", type=int)
    parser.add_argument("file")
    parser.add_argument("--processes", type=int, default=64)
    parser.add_argument("--acts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    django.setup()
    context = multiprocessing.get_context("fork")
    barriers = [context.Barrier(options.processes) for _ in range(2)]
    processes = [
        context.Process(
            target=one,
            args=(options, options.user_id, number, barriers, f"{options.file}.{number}"),
        )
        for number in range(options.processes)
    ]
    for process in processes:
        process.start()
    waiters = most_waiters(processes)
    for process in processes:
        process.join()
    codes = [process.exitcode for process in processes]
    with open(options.file, "w") as whole:
        for number in range(options.processes):
            with open(f"{options.file}.{number}") as part:
                whole.write(part.read())
    print(json.dumps({"most_waiters": waiters, "failed": sum(code != 0 for code in codes)}))


if __name__ == "__main__":
    main()
