"""Starts of one demo at the same time, or after one that was killed: one of them sets it up."""

from __future__ import annotations

import re
import signal
from contextlib import ExitStack

import pytest

from tests.config.demo_runs import AMOUNTS, READY, Demo, begun
from tests.support import ports
from tests.support.commands import manage, open_folder
from tests.support.processes import wait_until

COMPANIES = "SELECT count(*) FROM credits_company"
WAITING = "Another start is setting this demo up; waiting for it …\n"
KEEPING = "Keeping the data of the last start.\n"


@pytest.fixture
def home():
    with open_folder() as folder:
        yield folder / "home"


def has_settled(run: Demo) -> bool:
    return READY in run.printed or run.process.poll() is not None


def test_of_three_first_starts_one_seeds_one_joins_and_one_has_no_port(home):
    port = ports.free(2)
    with ExitStack() as stack:
        runs = [stack.enter_context(begun(home, one)) for one in (port, port + 1, port)]

        for run in runs:
            wait_until(lambda run=run: has_settled(run), "a start to settle", seconds=300)
        ready = [run for run in runs if READY in run.printed]
        refused = [run for run in runs if run not in ready]
        for run in ready:
            run.wait_until_ready()
        companies, _ = ready[0].ask(COMPANIES), ready[0].ledger_head()
        sums = ready[0].sums()
        codes = [run.end(signal.SIGINT, group=True) for run in ready]
        left_over = [run.left_over() for run in ready]

    assert sorted(run.port for run in ready) == [port, port + 1]
    assert sorted(KEEPING in run.printed for run in ready) == [False, True]
    assert (companies, sums) == ([(2,)], AMOUNTS)
    assert (codes, left_over) == ([0, 0], [[], []])
    [late] = refused
    assert late.process.returncode == 2
    # The next port may be taken by now, or not yet.
    assert re.fullmatch(
        rf"Port {port} is in use; try --port \d+\.\n", late.printed.removeprefix(WAITING)
    )
    assert all("Traceback" not in run.printed for run in runs)


def test_whoever_waits_for_a_start_that_is_killed_sets_the_demo_up_itself(home):
    port = ports.free(2)
    with begun(home, port) as doomed, ExitStack() as stack:
        wait_until(lambda: "Migrating" in doomed.printed, "the first start to migrate")
        heir = stack.enter_context(begun(home, port + 1))
        wait_until(lambda: WAITING in heir.printed, "the second start to wait")
        doomed.process.send_signal(signal.SIGKILL)

        heir.wait_until_ready()
        heir.ledger_head()
        sums = heir.sums()
        code = heir.end(signal.SIGTERM, group=True)
        left_over = heir.left_over()

    assert READY not in doomed.printed
    assert heir.printed.startswith(f"{WAITING}Migrating the database …\nSeeding two companies")
    assert sums == AMOUNTS
    assert (code, left_over) == (0, [])


def test_a_migration_that_was_killed_after_its_first_tables_is_finished(home):
    """Those tables are Django's own: nothing in them says whose database it is."""
    migrated = manage("migrate", "contenttypes", "-v0", TALLYSTICK_HOME=str(home))
    with begun(home, ports.free()) as run:
        run.wait_until_ready()
        run.ledger_head()
        sums = run.sums()
        code = run.end(signal.SIGINT, group=True)

    assert migrated.returncode == 0, migrated.stderr
    assert (code, sums) == (0, AMOUNTS)


def test_ctrl_c_ends_a_start_that_waits_and_not_the_one_it_waits_for(home):
    port = ports.free(2)
    with begun(home, port) as first, begun(home, port + 1, "--reset") as second:
        wait_until(lambda: WAITING in first.printed + second.printed, "one of them to wait")
        waiting, working = (first, second) if WAITING in first.printed else (second, first)

        code = waiting.end(signal.SIGINT, group=True)
        working.wait_until_ready()
        end = working.end(signal.SIGINT, group=True)
        left_over = working.left_over()

    assert waiting.printed == (
        f"{WAITING}\nStopped. The data is kept; start again with the same command.\n"
    )
    assert (code, end, left_over) == (0, 0, [])
    assert "170 of 170 conversations" in working.printed
