"""Where an act comes from: what a client claims counts only through our own proxy."""

from __future__ import annotations

import io
import ipaddress
import logging
import uuid

import pytest
from django.test import RequestFactory

from credits import origins

OUR_PROXIES = (ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/8"))


@pytest.fixture
def behind_a_proxy(settings):
    settings.TRUSTED_PROXIES = OUR_PROXIES


def address(remote: str, forwarded: str | None = None) -> str | None:
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return origins.client_address(RequestFactory().get("/", REMOTE_ADDR=remote, **headers))


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        # A stranger's claim.
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.7", "203.0.113.9", "203.0.113.9"),
        # A stranger's claim that our proxy passed on, with the stranger's own address after it.
        ("10.0.0.7", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        # Two proxies of ours.
        ("10.0.0.7", "198.51.100.1, 203.0.113.9, 10.0.0.8", "203.0.113.9"),
        # A client inside our own network.
        ("10.0.0.7", "10.0.0.9", "10.0.0.9"),
        ("10.0.0.7", None, "10.0.0.7"),
        ("10.0.0.7", "nonsense", "10.0.0.7"),
        ("10.0.0.7", "203.0.113.9, nonsense", "10.0.0.7"),
        ("10.0.0.7", "", "10.0.0.7"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:10.0.0.7", "::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", None, "fe80::1"),
        # A socket file has no address.
        ("", "203.0.113.9", None),
    ],
)
def test_an_address_is_the_last_that_none_of_our_proxies_has(
    behind_a_proxy, remote, forwarded, expected
):
    assert address(remote, forwarded) == expected


def test_without_proxies_of_our_own_no_claim_counts():
    assert address("127.0.0.1", "203.0.113.9") == "127.0.0.1"


@pytest.mark.django_db
def test_every_answer_tells_the_request_s_id_and_each_has_its_own(client):
    answers = [client.get("/admin/login/"), client.get("/nowhere/"), client.post("/")]

    ids = [answer["X-Request-Id"] for answer in answers]
    assert len(set(ids)) == 3
    assert all(uuid.UUID(one).version == 7 for one in ids)


@pytest.mark.django_db
def test_what_a_request_logs_names_the_request_and_other_lines_name_none(client, monkeypatch):
    log = io.StringIO()
    ours = next(one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler)
    monkeypatch.setattr(ours, "stream", log)

    answer = client.get("/nowhere/")
    logging.getLogger("tallystick").warning("Between requests")

    first, second = log.getvalue().splitlines()
    assert first.endswith(
        f"WARNING django.request request {answer['X-Request-Id']} Not Found: /nowhere/"
    )
    assert second.endswith("WARNING tallystick Between requests")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("remote", "given", "is_taken"),
    [
        ("10.0.0.7", "req-2026.11_25", True),
        ("203.0.113.9", "req-2026.11_25", False),
        ("10.0.0.7", "short", False),
        ("10.0.0.7", "x" * 65, False),
        ("10.0.0.7", "line\nbreak-in-it", False),
        ("10.0.0.7", "<script>alert(1)</script>", False),
    ],
)
def test_a_request_s_id_is_taken_from_our_proxy_only(
    client, behind_a_proxy, remote, given, is_taken
):
    answer = client.get("/admin/login/", REMOTE_ADDR=remote, HTTP_X_REQUEST_ID=given)

    assert (answer["X-Request-Id"] == given) is is_taken


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/admin/", "ADMIN"),
        ("/sign-in/abc/", "ADMIN"),
        ("/api/v1/balance", "API"),
        ("/v2/calls/extensive", "API"),
        ("/mcp", "MCP"),
        ("/apiary/", "ADMIN"),
    ],
)
def test_the_path_tells_the_door(path, door):
    assert origins.of_request(RequestFactory().get(path)).door == door


def test_a_browser_s_name_is_short_and_printable():
    request = RequestFactory().get("/", HTTP_USER_AGENT="Fire\x00fox\n" + "x" * 900)

    agent = origins.of_request(request).user_agent

    assert agent.startswith("Firefoxxx")
    assert len(agent) == 200


def test_what_comes_from_somewhere_ends_with_its_block():
    with origins.coming_from(origins.of_task("settle")) as task:
        assert origins.current() is task

    assert origins.current() == origins.Origin(door="COMMAND")


def test_a_command_is_named_with_the_system_s_user(monkeypatch):
    monkeypatch.setenv("LOGNAME", "deploy")

    assert origins.of_command("sign_in_link") == origins.Origin(
        door="COMMAND", job="sign_in_link", who="deploy"
    )


def test_a_user_without_a_name_runs_commands_too(monkeypatch):
    def nameless() -> str:
        raise KeyError("uid not found: 10001")

    monkeypatch.setattr(origins.getpass, "getuser", nameless)

    assert origins.of_command("sign_in_link").who == ""
