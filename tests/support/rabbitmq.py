"""Debian's RabbitMQ on loopback, run and killed by a test: ``apt-get install rabbitmq-server``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombu import Connection
from kombu.exceptions import OperationalError

from tests.support import ports
from tests.support.processes import kill, wait_until

# The one on the path changes to a user of its own and his folders.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQ:
    """One broker, with its name server, its ports and its folder."""

    def __init__(self, folder: Path) -> None:
        assert SERVER.exists(), "RabbitMQ is missing: apt-get install rabbitmq-server."
        self._folder = folder
        port = ports.free(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        self._ports = port, port + 1, port + 2

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen]:
        """Run it on what its folder holds; yield the leader of its process group."""
        data, names, others = (str(port) for port in self._ports)
        environment = os.environ | {
            "HOME": str(self._folder),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_NODENAME": f"tallystick{data}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": data,
            "RABBITMQ_DIST_PORT": others,
            "RABBITMQ_MNESIA_BASE": str(self._folder / "kept"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": names,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        alone = {"env": environment, "start_new_session": True, "cwd": self._folder}
        # Started by RabbitMQ it would be a daemon that outlives it.
        name_server = subprocess.Popen(["epmd", "-port", names], **quiet, **alone)
        server = subprocess.Popen([SERVER], **quiet, **alone)
        try:
            wait_until(self._answers, "RabbitMQ to take connections", seconds=300)
            yield server
        finally:
            kill(server, signal.SIGKILL)
            kill(name_server, signal.SIGKILL)

    def lose_the_disk(self) -> None:
        """Remove all that it kept: a killed RabbitMQ finds its durable messages again."""
        shutil.rmtree(self._folder / "kept")

    def length(self, queue: str) -> int:
        """Return how many messages wait in a queue; 0 when there is none of that name."""
        with Connection(self.url) as connection:
            channel = connection.channel()
            try:
                return channel.queue_declare(queue, passive=True).message_count
            except connection.channel_errors:
                return 0

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=5) as connection:
                connection.connect()
        except (OperationalError, OSError):
            return False
        return True
