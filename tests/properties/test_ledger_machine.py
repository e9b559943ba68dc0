"""The ledger agrees with the reference after any sequence of operations."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from config.demo.clock import seeded_clock
from tests.properties.machine import START, LedgerMachine

EXAMPLES = int(os.environ.get("LEDGER_MACHINE_EXAMPLES", "60"))
STEPS = 50
SEED = int(os.environ.get("LEDGER_MACHINE_SEED", "2026"))


@pytest.fixture
def machine(committed):
    with seeded_clock(START) as clock:
        LedgerMachine.clock = clock
        LedgerMachine.operation_count = 0
        yield LedgerMachine


def run(machine, *, seeded=SEED, phases=(Phase.generate,)) -> None:
    """Run the machine; the same seed always draws the same choices.

    Which lots those choices meet may differ: ids of the same millisecond sort by chance.
    """
    run_state_machine_as_test(
        seed(seeded)(machine),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_of_operations_agrees_with_the_reference(machine, record_property):
    run(machine)

    record_property("operations", machine.operation_count)
    assert machine.operation_count > EXAMPLES * 10
