"""The demo as a person starts it: a process of its own, read through what it prints."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg

from config.embedded_postgres import PROJECT, Server
from tests.support import ports
from tests.support.commands import MANAGE, bare_environment
from tests.support.processes import wait_until

SMALL = ("--conversations", "100")
# Of both companies, when it is small.
AMOUNTS = {
    "GRANTED": "4754.000",
    "CONSUMED": "-129.600",
    "ADJUSTED": "65.500",
    "REFUNDED": "0.500",
    "VOIDED": "-1500.000",
}
NOVA = {
    "name": "Nova",
    "slug": "nova",
    "time_zone": "Asia/Tokyo",
    "starts_on": datetime.now(tz=UTC).date().isoformat(),
    "ends_on": "",
    "period": "YEAR",
    "introductory_amount": "5000",
    "introductory_days": "90",
    "approval_limit": "100000",
    "purchase_months": "12",
    "seat_name": "Seat",
    "seat_count": "10",
    "seat_credits": "2000",
    "admin_email": "nora@nova.example",
    "admin_name": "Nora",
}
READY = "Ctrl-C ends everything; the data is kept."
SERVICES = {
    "web": "uvicorn config.asgi",
    "worker": "-Q live,maintenance",
    "backfill worker": "-Q backfill",
    "beat": "beat",
}


@dataclass
class Demo:
    """One start, from the first line it prints to its last process."""

    home: Path
    port: int
    process: subprocess.Popen
    output: Path
    started: float = field(default_factory=time.monotonic)
    ready_seconds: float = 0
    stop_seconds: float = 0
    family: list[psutil.Process] = field(default_factory=list)

    @property
    def printed(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.printed
            return READY in self.printed

        wait_until(is_ready, "the demo to be ready", seconds=300)
        self.ready_seconds = time.monotonic() - self.started
        postmaster = int(
            (self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0]
        )
        for parent in (psutil.Process(self.process.pid), psutil.Process(postmaster)):
            self.family += [parent, *parent.children(recursive=True)]

    def services(self) -> dict[str, list[int]]:
        """Return the process ids of each service, of those the demo itself started."""
        children = psutil.Process(self.process.pid).children()
        lines = {child.pid: " ".join(child.cmdline()) for child in children}
        return {
            name: [pid for pid, line in lines.items() if text in line]
            for name, text in SERVICES.items()
        }

    def end(self, number: int, *, group: bool) -> int:
        """Send a signal, as a terminal does, to the process group, or impatiently to it alone."""
        self.family += psutil.Process(self.process.pid).children(recursive=True)
        started = time.monotonic()
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
            time.sleep(0.3)
            self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.stop_seconds = time.monotonic() - started
        return code

    def left_over(self) -> list[str]:
        """Return what still runs of all that was started, and whatever works in its folder."""
        here = [one for one in psutil.process_iter() if str(self.home) in _command(one)]
        return [_command(one) for one in {*self.family, *here} if _is_alive(one)]

    def ask(self, query: str):
        server = Server(self.home / "postgres")
        address = f"host={server.socket} user=postgres dbname=tallystick"
        with psycopg.connect(address) as connection:
            return connection.execute(query).fetchall()

    def ledger_head(self) -> tuple[int, str]:
        """Wait until today's are scanned; return the first company's last entry and its hash."""
        unfinished = "SELECT count(*) FROM trackers_scan WHERE state IN ('PENDING', 'RUNNING')"
        wait_until(lambda: self.ask(unfinished) == [(0,)], "today's scans", seconds=90)
        heads = (
            "SELECT sequence, encode(last_hash, 'hex') FROM credits_creditpool ORDER BY company_id"
        )
        return self.ask(heads)[0]

    def sums(self) -> dict[str, str]:
        """Add up all entries by kind, but what expired: that depends on the day of the month."""
        return dict(
            self.ask(
                "SELECT kind, sum(amount)::text FROM credits_ledgerentry"
                " WHERE kind <> 'EXPIRED' GROUP BY kind"
            )
        )

    def open_a_company(self) -> str:
        """Open Nova as the vendor's Vera does in her browser; return the page she then sees."""
        jar = http.cookiejar.CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

        def send(path: str, **fields: str) -> str:
            address = f"{self.address()}/admin/{path}"
            with browser.open(address, timeout=30) as page:
                page.read()
            token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
            form = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token}).encode()
            with browser.open(address, form, timeout=30) as page:
                return page.read().decode()

        send("login/", username="vera@tallystick.example", password="tallystick-demo")
        asked = NOVA | {"key": str(uuid.uuid4())}
        shown = send("credits/company/add/", **asked)
        seen = re.search(r'name="seen" value="([^"]+)"', shown)
        assert seen is not None, shown
        return send("credits/company/add/", **asked, step="confirm", seen=seen[1])

    def address(self) -> str:
        return re.search(r"^Ready: (http://127\.0\.0\.1:\d+)/$", self.printed, re.M).group(1)


@contextmanager
def demo(home: Path, port: int, *arguments: str) -> Iterator[Demo]:
    """Start the demo and wait until it is ready; end what a failed test leaves of it."""
    with begun(home, port, *arguments) as running:
        running.wait_until_ready()
        yield running


@contextmanager
def begun(home: Path, port: int, *arguments: str) -> Iterator[Demo]:
    """Start the demo; end what the test leaves of it."""
    output = home.parent / f"output-{time.monotonic_ns()}"
    with open(output, "w") as file:
        process = subprocess.Popen(
            [*MANAGE, "demo", "--port", str(port), *SMALL, *arguments],
            cwd=PROJECT,
            env=bare_environment(TALLYSTICK_HOME=str(home)),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Demo(home, port, process, output)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)


def interrupted_after(home: Path, seconds: float) -> tuple[int, str, list[str]]:
    """Press Ctrl-C before the demo is ready; return exit code, output and what is left."""
    process = subprocess.Popen(
        [*MANAGE, "demo", "--port", str(ports.free())],
        cwd=PROJECT,
        env=bare_environment(TALLYSTICK_HOME=str(home)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    try:
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    left = [_command(one) for one in psutil.process_iter() if str(home) in _command(one)]
    return process.returncode, printed, left


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
