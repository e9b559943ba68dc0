"""The tests' own PostgreSQL: one server for the run, a database for each that commits."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import databases
from config.embedded_postgres import Server
from tests.support import watching
from tests.support.commands import SECRET_KEY

# Nothing in this cluster outlives the run, so it need not survive a power cut.
KEPT = "PYTEST_CLUSTERS"
FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def own_server(
    options: dict[str, str] = FAST_AND_FORGETFUL, *, start_from: Path | None = None
) -> Iterator[Server]:
    """Run a server in a temporary folder that others may enter but not write to.

    It ends with the block, or soon after this process, however that ends. What a test that was
    interrupted left running ends then, too: the watcher stays until this process has gone.
    """
    home = Path(tempfile.mkdtemp(prefix="tallystick-tests-"))
    home.chmod(0o755)
    watching.start(home)
    os.environ[watching.MARK] = str(home)
    server = Server(home, options)
    if start_from and start_from.exists():
        _copy(start_from, server.data)
    try:
        server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def migrated_server(options: dict[str, str] = FAST_AND_FORGETFUL) -> Iterator[Server]:
    """Run a server that has the migrated template.

    Where the environment names a folder for them, a migrated cluster is kept there for as long as
    the migrations stay what they are, and the next run begins with a copy of it.
    """
    kept = kept_cluster()
    with own_server(options, start_from=kept) as server:
        databases.template(address(server))
        if kept and not kept.exists():
            server.stop()
            part = kept.with_name(f"{kept.name}.{os.getpid()}")
            _copy(server.data, part)
            if kept.exists():
                shutil.rmtree(part)
            else:
                part.rename(kept)
            server.start()
        yield server


def kept_cluster() -> Path | None:
    """Return where a migrated cluster is kept, or will be; None where the environment has none."""
    folder = os.environ.get(KEPT)
    return Path(folder) / databases.migrations_digest() if folder else None


def _copy(cluster: Path, to: Path) -> None:
    """Copy with the owner, who is the server's user."""
    to.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", cluster, to], check=True)


def address(server: Server, name: str = "postgres") -> str:
    return f"host={server.socket} user=postgres dbname={name}"


def tell_processes(dsn: str) -> None:
    """Set the environment that xdist's workers, and commands run by tests, start with."""
    os.environ.update(
        {
            "DATABASE_URL": databases.url(dsn),
            "TALLYSTICK_SECRET_KEY": SECRET_KEY,
            "TALLYSTICK_ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
            "TALLYSTICK_HTTPS": "false",
        }
    )


@contextmanager
def cloned(name: str) -> Iterator[str]:
    """Work in a fresh copy of the migrated template; this process is pointed there and back."""
    before = databases.dsn()
    with databases.scratch(before, name) as dsn, databases.pointed_at(dsn):
        yield dsn
