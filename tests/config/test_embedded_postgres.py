"""The embedded PostgreSQL, each test with a cluster of its own: as root and as an ordinary user.

As an ordinary user root cannot rely on the clone or the virtual environment being readable, so
the module and its two packages are copied to where they are, and run by the same interpreter.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

import pytest

from config.embedded_postgres import PROJECT, ROOT_HOME
from tests.support.commands import bare_environment, open_folder

NOBODY = pwd.getpwnam("nobody")
IS_ROOT = os.geteuid() == 0
PROBE = PROJECT / "tests" / "config" / "postgres_probe.py"
PACKAGES = {
    "embedded-postgres": ("embedded_postgres", "embedded_postgres.libs"),
    "psutil": ("psutil",),
}


AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY.pw_uid}",
    f"--regid={NOBODY.pw_gid}",
    "--clear-groups",
]


class User:
    """Runs the probe, with the clone or a copy of what it needs, as root or as somebody else."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.command = [sys.executable, str(PROBE)]
        self.environment = bare_environment(PYTHONPATH=str(PROJECT))
        self.server_user = NOBODY.pw_uid if IS_ROOT else os.geteuid()
        if name == "an ordinary user" and IS_ROOT:
            self._become_nobody(folder / "copy")

    def _become_nobody(self, copy: Path) -> None:
        copy.mkdir()
        shutil.copy(PROJECT / "config/embedded_postgres.py", copy / "embedded_postgres_module.py")
        shutil.copy(PROBE, copy)
        for package, parts in PACKAGES.items():
            found = distribution(package)
            for part in (*parts, found._path.name):
                shutil.copytree(found.locate_file(part), copy / part)
        subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
        self.command = [
            *AS_NOBODY,
            _interpreter_for_nobody(),
            str(copy / PROBE.name),
        ]
        self.environment = bare_environment(PYTHONPATH=str(copy), HOME="/")
        os.chown(self.folder, NOBODY.pw_uid, NOBODY.pw_gid)

    def popen(self, act: str, home: Path | str) -> subprocess.Popen:
        return subprocess.Popen(
            [*self.command, act, str(home)],
            cwd="/",
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def sees(self, act: str, home: Path | str) -> dict:
        printed, _ = self.popen(act, home).communicate(timeout=120)
        return json.loads(printed)


def _interpreter_for_nobody() -> str:
    """Ours may lie below root's closed home; then the system's own will do."""
    for path in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        works = [*AS_NOBODY, path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        if subprocess.run(works, cwd="/", capture_output=True).returncode == 0:
            return path
    raise AssertionError("No Python 3.11 can be run by an ordinary user of this machine.")


@pytest.fixture(params=["root", "an ordinary user"] if IS_ROOT else ["an ordinary user"])
def user(request):
    with open_folder() as folder:
        yield User(request.param, folder)


@contextmanager
def nothing_else_changes(*paths: Path):
    """Compare mode and owner of the folders above these, and the list of users."""

    def state():
        above = {parent for path in paths for parent in path.parents if parent.exists()}
        stats = {str(path): path.stat() for path in above}
        modes = {name: (oct(one.st_mode), one.st_uid, one.st_gid) for name, one in stats.items()}
        return modes, Path("/etc/passwd").read_text()

    before = state()
    yield
    after = state()
    assert {name: after[0].get(name) for name in before[0]} == before[0]
    assert after[1] == before[1]


def a_sound_life(user: User) -> dict:
    return {
        "user": user.server_user,
        "network": [],
        "modes": ["0o700", "0o700"],
        "answers": True,
        "running_when_killed": False,
        "answers_again": True,
        "left": [],
    }


def test_it_starts_survives_kill_9_and_stops_cleanly(user):
    home = user.folder / "some" / "home"

    with nothing_else_changes(user.folder / "some", Path(sys.executable)):
        seen = user.sees("life", home)

    assert seen == a_sound_life(user) | {"home": str(home), "socket": f"{home}/socket"}


def test_a_long_path_and_an_umask_of_077_lock_nobody_out(user):
    """A socket's path may have 107 bytes; where the folder's has more, it is elsewhere."""
    home = user.folder / ("long-" * 12) / ("path-" * 12) / "home"
    assert len(str(home)) > 107
    user.command = ["sh", "-c", 'umask 077; exec "$@"', "sh", *user.command]

    with nothing_else_changes(user.folder / "long", Path("/tmp/socket")):
        seen = user.sees("life", home)

    socket = Path(seen.pop("socket"))
    assert seen == a_sound_life(user) | {"home": str(home)}
    assert (socket.parent, len(str(socket)) < 90) == (Path("/tmp"), True)
    socket.rmdir()


def test_two_starters_at_once_have_one_server(user):
    home = user.folder / "home"

    starters = [user.popen("use", home) for _ in range(2)]
    ups = [starter.stdout.readline() for starter in starters]
    first, second = starters
    first_saw = json.loads(first.communicate("\n", timeout=60)[0])
    second_saw = json.loads(second.communicate("\n", timeout=60)[0])

    assert ups == ["up\n", "up\n"]
    assert first_saw["postmaster"] == second_saw["postmaster"]
    # The last one out stops it.
    assert (first_saw["running_afterwards"], second_saw["running_afterwards"]) == (True, False)


@pytest.fixture
def myself():
    with open_folder() as folder:
        yield User("myself", folder)


def test_a_user_who_is_killed_does_not_keep_the_server_for_ever(myself):
    home = myself.folder / "home"

    killed = myself.popen("use", home)
    assert killed.stdout.readline() == "up\n"
    killed.kill()
    killed.communicate()
    following = myself.popen("use", home)
    assert following.stdout.readline() == "up\n"
    seen = json.loads(following.communicate("\n", timeout=60)[0])

    assert seen["running_afterwards"] is False


def test_an_initdb_that_was_interrupted_is_begun_again(myself):
    seen = myself.sees("interrupted", myself.folder / "home")

    assert (seen["answers"], seen["half_made"]) == (True, False)


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_socket_folder_that_others_can_enter_is_refused(myself, mode):
    home = myself.folder / "home"
    (home / "socket").mkdir(parents=True)
    (home / "socket").chmod(mode)
    if IS_ROOT:
        os.chown(home / "socket", NOBODY.pw_uid, NOBODY.pw_gid)

    seen = myself.sees("start", home)

    assert seen["refused"] == f"{home}/socket is not private to this user; remove it."
    assert (home / "socket").stat().st_mode & 0o777 == mode
    assert not (home / "data").exists()


@pytest.mark.skipif(not IS_ROOT, reason="Only root can make a folder for somebody else.")
def test_a_socket_folder_of_somebody_else_is_refused(user):
    home = user.folder / "home"
    (home / "socket").mkdir(parents=True, mode=0o700)
    stranger = NOBODY.pw_uid - 1
    os.chown(home / "socket", stranger, NOBODY.pw_gid)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)

    seen = user.sees("start", home)

    assert seen["refused"] == f"{home}/socket is not private to this user; remove it."
    assert (home / "socket").stat().st_uid == stranger
    assert not (home / "data").exists()


@pytest.fixture
def closed(user):
    """A folder of mode 0700, as a home folder is."""
    folder = user.folder / "closed"
    folder.mkdir(mode=0o700)
    if IS_ROOT and user.name != "root":
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    return folder


def test_below_a_folder_of_mode_0700(user, closed):
    """An ordinary user works there; as root the server's own user cannot get in, and we say so."""
    home = closed / "home"

    with nothing_else_changes(home):
        seen = user.sees("life", home)

    assert oct(closed.stat().st_mode & 0o777) == "0o700"
    if user.name == "root":
        assert seen["refused"] == (
            f"PostgreSQL runs as the user “nobody”, who cannot enter {home}. Set TALLYSTICK_HOME "
            f"to a folder that everyone may enter, such as {ROOT_HOME}/{PROJECT.name}, "
            "or leave it out."
        )
    else:
        assert (seen["answers"], seen["left"]) == (True, [])


def test_a_clone_below_a_root_home_of_mode_0700_has_its_data_elsewhere(user, closed):
    """Without TALLYSTICK_HOME: in the clone for an ordinary user, below /var/lib for root."""
    clone = closed / "clone"
    (clone / "config").mkdir(parents=True)
    for name in ("embedded_postgres.py", "__init__.py"):
        source = PROJECT / "config" / name
        (clone / "config" / name).write_text(source.read_text() if name != "__init__.py" else "")
    shutil.copy(PROBE, clone)
    if IS_ROOT and user.name != "root":
        subprocess.run(["chown", "-R", f"{NOBODY.pw_uid}:{NOBODY.pw_gid}", clone], check=True)
        (user.folder / "copy" / "embedded_postgres_module.py").unlink()
    user.command[-1] = str(clone / PROBE.name)
    user.environment["PYTHONPATH"] = f"{clone}:{user.environment['PYTHONPATH']}"

    with nothing_else_changes(clone / "config", ROOT_HOME):
        seen = user.sees("life", "")

    home = Path(seen["home"]).parent
    shutil.rmtree(home)
    assert home.parent == (ROOT_HOME if user.name == "root" else clone)
    assert (seen["answers"], seen["left"]) == (True, [])
