"""Kill forked processes with -9, at every named point and at random: ``-m tests.faults.killing``.

Every other child kills itself the moment it reaches a point, with the work half done that leads
there; the others charge until the parent kills them, 20 to 120 ms after their first charge. The
broker loses every message here: what is found again, the sweep found. Prints one JSON object;
``--file`` gets a line for each kill.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", required=True)
    options = parser.parse_args()
    django.setup()
    from tests.faults.half_done import WORK, Scene

    began = time.monotonic()
    scene = Scene(Path(f"{options.file}.record"))
    dice = random.Random(options.seed)
    points, hits, in_time = list(WORK), Counter(), 0
    with open(options.file, "w", buffering=1) as file:
        for number in range(options.kills):
            line = {"kill": number, "seed": options.seed}
            if number % 2 == 0:
                point = points[number // 2 % len(points)]
                work = WORK[point]
                about = work.prepare(scene)
                was_hit = killed_at(point, lambda: work.do(scene, about))  # noqa: B023
                hits[point.name] += was_hit
                file.write(json.dumps(line | {"point": point, "was_hit": was_hit}) + "\n")
                scene.let_the_leases_run_out()
                work.do_again(scene, about)
            else:
                after = dice.uniform(0.02, 0.12)
                acts = killed_after(after, scene)
                in_time += acts > 0
                file.write(json.dumps(line | {"after": round(after, 4), "acts": acts}) + "\n")
    seen = scene.finish_and_judge()
    seen |= {"kills": options.kills, "seed": options.seed, "hits": hits}
    seen |= {"killed_after_an_act": in_time, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(seen))


def killed_at(point, work) -> bool:
    """Do the work in a child that kills itself at the point; tell whether it came there."""
    from credits import faults

    child = fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            faults.watch(lambda here: here == point and os.kill(os.getpid(), signal.SIGKILL))
            work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def killed_after(seconds: float, scene) -> int:
    """Let a child charge, kill it so long after its first act; return how many it told of."""
    reading, writing = os.pipe()
    child = fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            scene.charge_on(lambda: os.write(writing, b"."))
        os._exit(1)
    os.close(writing)
    began = os.read(reading, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    acts = len(began) + len(os.read(reading, 65536))
    os.close(reading)
    return acts


def fork() -> int:
    """Fork without an open connection: a child must not end its parent's."""
    from django.db import connection

    connection.close()
    return os.fork()


if __name__ == "__main__":
    main()
