"""Clients that work for a while whenever they are told to.

A program makes a crowd with ``serve``; a benchmark starts the program and drives it through a
``Crowd``. Clients are forked, so that 32 of them load Django once. Needs nothing but Python: the
rivals' environment has it, too.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]

# One piece of work, which returns how many events it did.
Work = Callable[[], int]


class Slice(NamedTuple):
    """What clients did together in a while of their clocks."""

    events: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def serve(make: Callable[[int], Work], clients: int) -> None:
    """Fork the clients, then answer each line ``CLIENTS SECONDS`` of the input with what they did.

    ``make`` is called in each client's own process, with its number, and opens its connection.
    """
    context = multiprocessing.get_context("fork")
    pipes = []
    for number in range(clients):
        ours, theirs = context.Pipe()
        context.Process(target=_client, args=(make, number, theirs), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    print("ready", flush=True)
    for line in sys.stdin:
        count, seconds = line.split()
        for pipe in pipes[: int(count)]:
            pipe.send(float(seconds))
        done = [pipe.recv() for pipe in pipes[: int(count)]]
        answer = {"events": sum(one[0] for one in done), "seconds": max(one[1] for one in done)}
        print(json.dumps(answer), flush=True)


def _client(make: Callable[[int], Work], number: int, pipe: Connection) -> None:
    work = make(number)
    work()
    pipe.send("ready")
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        began, events = time.perf_counter(), 0
        while (taken := time.perf_counter() - began) < seconds:
            events += work()
        pipe.send((events, taken))


class Crowd:
    """A program of clients, started and waiting; use it in a ``with``."""

    def __init__(self, python: str, module: str, *arguments: str, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env=env,
        )

    def __enter__(self) -> Crowd:
        if self._answer() != "ready":
            raise RuntimeError(f"{self._process.args} did not start.")
        return self

    def __exit__(self, *raised: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def work(self, clients: int, seconds: float) -> Slice:
        """Let so many of the clients work for so long."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{clients} {seconds}\n")
        self._process.stdin.flush()
        return Slice(**json.loads(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
