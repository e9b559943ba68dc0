"""``manage.py demo`` from its first start to its reset, as real processes.

Three starts are all it takes; each is looked at from several sides, because a start is dear.
"""

from __future__ import annotations

import re
import signal
import socket
import urllib.request
from dataclasses import dataclass, field

import psycopg
import pytest

from config import databases
from tests.config.demo_runs import AMOUNTS, Demo, demo, interrupted_after
from tests.support import people, ports
from tests.support.commands import SECRET_KEY, manage, open_folder

STOPPED = "\nStopped. The data is kept; start again with the same command.\n"
# A busy machine takes its time; what it took is in the test run's record.
STOP_SECONDS_MAX = 60
SECOND_START_SECONDS_MAX = 90


@dataclass
class Seen:
    """What was to be seen of one start while it ran."""

    run: Demo
    services: dict
    head: tuple[int, str]
    sums: dict[str, str]
    login_page: str
    exit_code: int = -1
    left_over: tuple[str, ...] = ()
    invited: str = ""
    kept: list = field(default_factory=list)
    refusals: tuple = ()


def look_at(run: Demo) -> Seen:
    with urllib.request.urlopen(f"{run.address()}/admin/login/", timeout=30) as page:
        html = page.read().decode()
    return Seen(run, run.services(), run.ledger_head(), run.sums(), html)


def end(seen: Seen, number: int, *, group: bool) -> None:
    seen.exit_code = seen.run.end(number, group=group)
    seen.left_over = tuple(seen.run.left_over())


@pytest.fixture(scope="module")
def starts():
    """Start, Ctrl-C in the terminal; start again, SIGINT to it alone, twice; reset, SIGTERM."""
    with open_folder() as folder:
        home, port = folder / "home", ports.free()
        with demo(home, port) as run:
            first = look_at(run)
            first.refusals = (
                manage("demo", "--port", str(port), TALLYSTICK_HOME=str(home)),
                manage("demo", "--port", str(port + 1), "--reset", TALLYSTICK_HOME=str(home)),
                run.services(),
            )
            end(first, signal.SIGINT, group=True)
        with demo(home, port) as run:
            second = look_at(run)
            second.invited = run.open_a_company()
            end(second, signal.SIGINT, group=False)
        with demo(home, port) as run:
            third = run.ask("SELECT slug, is_demo FROM credits_company ORDER BY slug")
            run.end(signal.SIGINT, group=True)
        second.kept = third
        with demo(home, port, "--reset") as run:
            reset = look_at(run)
            end(reset, signal.SIGTERM, group=False)
        yield first, second, reset


def test_the_first_start_prints_progress_address_link_and_logins(starts):
    first, *_ = starts
    port = first.run.port

    printed = re.sub(r"/sign-in/\S+", "/sign-in/SECRET", first.run.printed.removesuffix(STOPPED))
    printed = re.sub(r"(?m)^Seeding two companies: (?!170 of).*\n", "", printed)

    assert printed == (
        "Migrating the database …\n"
        "Seeding two companies: 170 of 170 conversations\n"
        "\n"
        f"Ready: http://127.0.0.1:{port}/\n"
        "\n"
        "Sign in as Tomas Weber, tech admin of Northwind Robotics (once, within 15 minutes):\n"
        f"  http://127.0.0.1:{port}/sign-in/SECRET\n"
        "\n"
        "Or with a password, which is tallystick-demo for all of them:\n"
        "  tomas@northwind.example         tech admin\n"
        "  bea@northwind.example           business admin\n"
        "  vic@northwind.example           viewer\n"
        "  vera@tallystick.example         vendor staff, sees all companies\n"
        "  otto@tallystick.example         vendor staff, to approve what the first asks for\n"
        "  audrey@tallystick.example       vendor auditor, changes nothing\n"
        "\n"
        "Ctrl-C ends everything; the data is kept.\n"
    )
    assert 'type="password"' in first.login_page


def test_web_workers_and_beat_are_processes_of_their_own(starts):
    for seen in starts:
        pids = [pid for found in seen.services.values() for pid in found]

        assert {name: len(found) for name, found in seen.services.items()} == {
            "web": 1,
            "worker": 1,
            "backfill worker": 1,
            "beat": 1,
        }
        assert len({seen.run.process.pid, *pids}) == 5


def test_its_signals_end_all_of_it(starts, record_property):
    for seen in starts:
        record_property("stop_seconds", round(seen.run.stop_seconds, 1))
        assert seen.exit_code == 0
        assert seen.left_over == ()
        assert seen.run.stop_seconds < STOP_SECONDS_MAX
        assert seen.run.printed.endswith(STOPPED)
        assert "Traceback" not in seen.run.printed
        assert not (seen.run.home / "postgres" / "data" / "postmaster.pid").exists()


def test_the_workers_spend_what_the_day_brought(starts):
    for seen in starts:
        assert seen.sums == AMOUNTS


def test_a_second_start_keeps_the_data(starts, record_property):
    first, second, _ = starts

    record_property("second_start_seconds", round(second.run.ready_seconds, 1))
    assert second.head == first.head
    assert second.run.printed.startswith(
        "Migrating the database …\nKeeping the data of the last start.\n\nReady: "
    )
    assert second.run.ready_seconds < SECOND_START_SECONDS_MAX


def test_an_invitation_of_the_running_demo_shows_its_link_in_its_terminal(starts):
    _, second, _ = starts

    assert "was printed by the web process, on stderr" in second.invited
    assert re.search(
        rf"Hello Nora,.*{re.escape(second.run.address())}/sign-in/[\w-]{{43}}/\?choose-password",
        second.run.printed,
        re.DOTALL,
    )


def test_a_company_opened_in_the_demo_is_nobody_s_demo_data_and_the_next_start_keeps_it(starts):
    _, second, _ = starts

    assert second.kept == [("millbrook", True), ("northwind", True), ("nova", False)]


def test_a_reset_seeds_anew_with_the_same_amounts(starts):
    _, second, reset = starts

    assert reset.head[1] != second.head[1]
    assert reset.run.printed.startswith("Removing the demo's data …\nMigrating the database …\n")
    assert "Seeding two companies: 170 of 170 conversations\n" in reset.run.printed


def test_a_demo_that_runs_is_left_alone_by_another_start(starts):
    first, *_ = starts
    same_port, other_port_with_reset, services_afterwards = first.refusals
    port = first.run.port

    assert (same_port.returncode, same_port.stdout, same_port.stderr) == (
        2,
        "",
        f"Port {port} is in use; try --port {port + 1}.\n",
    )
    assert (other_port_with_reset.returncode, other_port_with_reset.stdout) == (
        2,
        "Removing the demo's data …\n",
    )
    assert other_port_with_reset.stderr == (
        "The demo is running; end it with Ctrl-C before --reset.\n"
    )
    assert services_afterwards == first.services


@pytest.fixture(scope="module")
def unfinished():
    with open_folder() as folder:
        yield folder / "home"


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3])
def test_ctrl_c_at_any_moment_of_a_start_leaves_nothing_running(unfinished, seconds):
    """Before the command has begun the signal just ends it; which it is depends on speed."""
    code, printed, left = interrupted_after(unfinished, seconds)

    if code == -signal.SIGINT:
        assert printed == ""
    else:
        assert (code, printed.endswith(STOPPED)) == (0, True)
    assert "Traceback" not in printed
    assert left == []


def test_a_busy_port_is_one_sentence_before_anything_is_made(tmp_path):
    port = ports.free()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()

        done = manage("demo", "--port", str(port), "--reset", TALLYSTICK_HOME=str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Port {port} is in use; try --port {port + 1}.\n"
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize("port", ["abc", "0", "70000", "-1", "80.5", "65536"])
def test_a_port_that_cannot_be_is_one_sentence(port, tmp_path):
    done = manage("demo", f"--port={port}", TALLYSTICK_HOME=str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"There is no port {port}; try --port 8000.\n"
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize("arguments", [(), ("--reset",)], ids=["start", "reset"])
def test_a_database_of_real_companies_is_refused_and_not_touched(committed, arguments):
    acme = people.company()
    people.credits_for(acme, "10")

    done = manage(
        "demo",
        f"--port={ports.free()}",
        *arguments,
        DATABASE_URL=databases.url(committed),
        TALLYSTICK_SECRET_KEY=SECRET_KEY,
        TALLYSTICK_ALLOWED_HOSTS="localhost",
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "This database holds real companies; the demo needs a database of its own. "
        "Nothing was changed.\n"
    )
    assert list(type(acme).objects.values_list("slug", flat=True)) == [acme.slug]


@pytest.mark.parametrize("arguments", [(), ("--reset",)], ids=["start", "reset"])
def test_a_database_with_somebody_else_s_tables_is_refused_and_not_touched(committed, arguments):
    """Beside those of Django, which another project may have, too."""
    address = databases.named(committed, "somebody_else")
    databases.create(committed, "somebody_else")
    with psycopg.connect(address) as theirs:
        theirs.execute("CREATE TABLE django_migrations (id int)")
        theirs.execute("CREATE TABLE auth_user (id int)")

    done = manage(
        "demo",
        f"--port={ports.free()}",
        *arguments,
        DATABASE_URL=databases.url(address),
        TALLYSTICK_SECRET_KEY=SECRET_KEY,
        TALLYSTICK_ALLOWED_HOSTS="localhost",
    )

    with psycopg.connect(address) as theirs:
        tables = theirs.execute("SELECT relname FROM pg_stat_user_tables ORDER BY 1").fetchall()
    databases.drop(committed, "somebody_else")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "This database holds somebody else's tables; the demo needs a database of its own. "
        "Nothing was changed.\n"
    )
    assert tables == [("auth_user",), ("django_migrations",)]
