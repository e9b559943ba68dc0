"""The server by itself: over HTTP on this machine, and over stdio for a client that starts it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys

import anyio
import pytest
from django.db import connections
from django.utils import timezone
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from config import databases
from config.embedded_postgres import PROJECT
from credits import api_keys
from tests.support import ai_clients, people, ports, processes
from tests.support.ai_clients import AiClient


def documented(option: str, *, port: int = 8001) -> list[str]:
    """Return the arguments of the one line of docs/mcp.md with an option, on another port."""
    page = (PROJECT / "docs" / "mcp.md").read_text()
    lines = re.findall(r"^\.venv/bin/python (manage\.py mcp_server .*)$", page, re.MULTILINE)
    (line,) = (line for line in lines if option in line.split())
    return line.replace("8001", str(port)).split()


@pytest.fixture
def acme(committed):
    company = people.company()
    people.credits_for(company, "100")
    return company


def command(dsn, *arguments, key="", **more):
    return subprocess.run(
        [sys.executable, "manage.py", "mcp_server", *arguments],
        cwd=PROJECT,
        env=databases.environment(dsn) | ({"TALLYSTICK_MCP_KEY": key} if key else {}),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        **more,
    )


def test_over_stdio_the_key_comes_from_the_environment_and_is_checked_at_every_call(
    committed, acme
):
    made = ai_clients.connection(acme).made
    server = StdioServerParameters(
        command=sys.executable,
        args=documented("--stdio"),
        cwd=str(PROJECT),
        env=databases.environment(committed) | {"TALLYSTICK_MCP_KEY": made.text},
    )

    def revoke():
        try:
            api_keys.revoke(key=made.key, by=None, now=timezone.now())
        finally:
            # The thread's own connection, which nobody else would close.
            connections.close_all()

    async def talk():
        with anyio.fail_after(120):
            async with Client(stdio_client(server)) as client:
                listed = await client.list_tools()
                balance = await client.call_tool("get_credit_balance", {})
                await anyio.to_thread.run_sync(revoke)
                refused = await client.call_tool("get_credit_balance", {})
                return listed, balance, refused

    listed, balance, refused = anyio.run(talk)

    assert next(tool.name for tool in listed.tools) == "ask_account"
    assert balance.structured_content["available"] == "100.0"
    assert refused.is_error
    assert refused.structured_content["code"] == "unauthorized"


def test_over_stdio_a_key_that_does_not_work_is_one_sentence(committed):
    without = command(committed, "--stdio")
    wrong = command(committed, "--stdio", key="tsk_aaaaaaaa_nonsense")

    assert (without.returncode, wrong.returncode) == (2, 2)
    assert without.stderr.strip().endswith(
        "Set TALLYSTICK_MCP_KEY to a key; make one on the page “Connect an AI client”."
    )
    assert "This key opens nothing" in wrong.stderr
    assert without.stdout == wrong.stdout == ""


def test_alone_over_http_there_is_only_mcp(committed, acme):
    port = ports.free()
    process = subprocess.Popen(
        [sys.executable, *documented("--port", port=port)],
        cwd=PROJECT,
        env=databases.environment(committed),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        processes.wait_until(lambda: _answers(port), "the MCP server", seconds=120)
        program = AiClient(f"http://127.0.0.1:{port}", ai_clients.connection(acme).made.text)

        balance = program.call("get_credit_balance")

        assert balance.structured_content["available"] == "100.0"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        if process.poll() is None:
            processes.kill(process, signal.SIGKILL)


def test_a_port_that_is_none_is_one_sentence(committed):
    done = command(committed, "--port", "70000")

    assert done.returncode == 2
    assert "A port is a number from 1 to 65,535." in done.stderr


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_company_may_call_as_often_as_it_may_ask_the_api(site):
    acme = people.company()
    people.credits_for(acme, "100")
    program = AiClient(site, ai_clients.connection(acme).made.text)

    results = program.together(12, "get_credit_balance")

    refused = [one.structured_content for one in results if one.is_error]
    assert refused
    assert {(one["code"], one["status"]) for one in refused} == {("rate_limited", 429)}
    assert {one["retry_after_seconds"] for one in refused} == {1}
    assert len(results) - len(refused) >= 3
