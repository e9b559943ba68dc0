"""The ledger agrees with the reference after any sequence of operations.

``LEDGER_MACHINE_OPERATIONS=1000000`` makes it a million; CI does 20,000. Each block of operations
has a database and a seed of its own: the first ``LEDGER_MACHINE_SEED``, the next 1,000 higher. With
``LEDGER_MACHINE_FILE`` each is one JSON line when it has held, so that a long run that was
interrupted goes on with the next seed. ``LEDGER_MACHINE_STEPS=120`` makes sequences longer and
fewer, which does half as many operations again in the same time.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from config.demo.clock import seeded_clock
from tests.properties import retrying
from tests.properties.machine import START, LedgerMachine
from tests.support import databases

OPERATIONS = int(os.environ.get("LEDGER_MACHINE_OPERATIONS", "20000"))
SEED = int(os.environ.get("LEDGER_MACHINE_SEED", "2026"))
FILE = os.environ.get("LEDGER_MACHINE_FILE")
STEPS = int(os.environ.get("LEDGER_MACHINE_STEPS", "50"))
EXAMPLES = 2000 // STEPS


@pytest.fixture
def machine(committed):
    with seeded_clock(START) as clock:
        retrying.install_points()
        LedgerMachine.clock = clock
        LedgerMachine.operation_count = 0
        LedgerMachine.crashes.clear()
        yield LedgerMachine


def run(machine, *, seeded=SEED, examples=EXAMPLES) -> None:
    """Run the machine; the same seed always draws the same choices.

    Which lots those choices meet may differ: ids of the same millisecond sort by chance.
    """
    run_state_machine_as_test(
        seed(seeded)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_of_operations_agrees_with_the_reference(machine, record_property):
    began = time.monotonic()
    blocks = 0
    while machine.operation_count < OPERATIONS:
        # Checks look at all rows there are: a database for each block keeps them few.
        with databases.cloned(f"test_machine_{os.getpid()}"), seeded_clock(START) as clock:
            retrying.install_points()
            machine.clock = clock
            done, crashed = machine.operation_count, Counter(machine.crashes)
            run(machine, seeded=SEED + 1000 * blocks)
        held(
            seed=SEED + 1000 * blocks,
            operations=machine.operation_count - done,
            crashes=sum((machine.crashes - crashed).values()),
        )
        blocks += 1
        took = time.monotonic() - began
        print(f"{machine.operation_count:,} operations, {took:.0f} s", flush=True)

    print(f"{sum(machine.crashes.values())} crashes: {dict(machine.crashes)}")
    record_property("operations", machine.operation_count)
    assert machine.operation_count >= OPERATIONS
    assert set(machine.crashes) == set(retrying.ALL_POINTS)


def held(**block: int) -> None:
    """Write down a block that agreed to its end."""
    if FILE:
        with Path(FILE).open("a") as file:
            file.write(json.dumps(block | {"ended": round(time.time())}) + "\n")
