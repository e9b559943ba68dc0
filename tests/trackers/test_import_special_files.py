"""``import_conversations`` from what is no file: a pipe is read once only, a device perhaps never.

In processes of their own, because opening a pipe that nobody writes to waits for ever.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from config import databases
from config.embedded_postgres import PROJECT
from tests.support import people
from tests.support.commands import MANAGE, open_folder
from trackers.models import Conversation

SAMPLE = (PROJECT / "tests/data/sample/conversations.jsonl").read_bytes()
SECONDS_MAX = 30  # Hanging is the mistake looked for.


@pytest.fixture
def acme(committed):
    return people.company()


@pytest.fixture
def import_files(committed, acme):
    def importing(*files: Path | str, **popen) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*MANAGE, "import_conversations", *map(str, files), "--company", acme.slug],
            cwd=PROJECT,
            env=databases.environment(committed),
            capture_output=True,
            timeout=SECONDS_MAX,
            **popen,
        )

    return importing


@pytest.fixture
def special(request):
    with open_folder() as folder:
        path = folder / "calls.jsonl"
        if request.param == "a named pipe":
            os.mkfifo(path)
        elif request.param == "a link to a named pipe":
            os.mkfifo(folder / "pipe")
            path.symlink_to(folder / "pipe")
        elif request.param == "a socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
        elif request.param == "a character device":
            path.symlink_to("/dev/null")
        elif os.geteuid() == 0:
            os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 0))
        else:
            pytest.skip("Only root can make a block device.")
        yield path


@pytest.mark.parametrize(
    "special",
    ["a named pipe", "a link to a named pipe", "a socket", "a character device", "a block device"],
    indirect=True,
)
def test_a_pipe_or_a_device_is_one_sentence_and_nothing_is_written(import_files, acme, special):
    sound = special.with_name("sound.jsonl")
    sound.write_bytes(SAMPLE)

    done = import_files(sound, special)

    assert (done.returncode, done.stdout.decode()) == (2, "")
    assert done.stderr.decode() == (
        f"CommandError: {special} is a pipe or a device; save it as a file first. "
        "Nothing was written.\n"
    )
    assert Conversation.objects.filter(company=acme).count() == 0


def test_standard_input_is_refused_from_a_pipe_and_read_from_a_file(import_files, acme, tmp_path):
    sound = tmp_path / "sound.jsonl"
    sound.write_bytes(SAMPLE)

    piped = import_files("/dev/stdin", input=SAMPLE)
    imported_by_pipe = Conversation.objects.filter(company=acme).count()
    with sound.open("rb") as file:
        redirected = import_files("/dev/stdin", stdin=file)

    assert (piped.returncode, imported_by_pipe) == (2, 0)
    assert piped.stderr.decode().startswith("CommandError: /dev/stdin is a pipe or a device; ")
    assert redirected.returncode == 0, redirected.stderr
    assert Conversation.objects.filter(company=acme).count() == len(SAMPLE.splitlines())
