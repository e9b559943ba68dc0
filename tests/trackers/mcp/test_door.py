"""Who is let in at /mcp, and what those are told who are not."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from django.utils import timezone

from billing import closing
from credits import api_keys
from credits.models import ApiKey, Membership
from tests.support import ai_clients, api, people

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def post(site, body=PING, *, path="/mcp", method="POST", **headers):
    """Return status, headers and text of one bare request."""
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"{site}{path}",
        json.dumps(body).encode() if method == "POST" else None,
        sent,
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def status_with(site, key):
    return post(site, Authorization=f"Bearer {key}")[0]


def test_without_a_key_the_answer_says_where_to_read_how_to_get_one(served):
    status, headers, text = post(served)

    assert status == 401
    assert headers["WWW-Authenticate"] == (
        f'Bearer realm="Tallystick", '
        f'resource_metadata="{served}/.well-known/oauth-protected-resource/mcp"'
    )
    assert json.loads(text)["code"] == "unauthorized"


def test_a_wrong_key_is_told_that_it_is_wrong_and_no_more(served):
    status, headers, text = post(served, Authorization="Bearer tsk_aaaaaaaa_nonsense")

    assert status == 401
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]
    assert json.loads(text)["detail"].startswith("This key opens nothing.")


@pytest.mark.parametrize("path", ["", "/mcp"])
def test_the_metadata_document_names_the_resource_and_how_keys_are_sent(served, path):
    address = f"/.well-known/oauth-protected-resource{path}"

    status, headers, text = post(served, path=address, method="GET")

    assert (status, headers["Content-Type"]) == (200, "application/json")
    found = json.loads(text)
    assert found == {
        "resource": f"{served}/mcp",
        "resource_name": "Tallystick",
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["balance:read", "ask", "brief"],
        "resource_documentation": "http://localhost:8000/admin/credits/integration/add/",
    }


def test_a_key_works_until_it_is_revoked_or_expires(served, acme):
    made = ai_clients.connection(acme).made
    short = api.key(acme, expires_at=timezone.now() + timedelta(hours=1))
    assert (status_with(served, made.text), status_with(served, short.text)) == (200, 200)

    api_keys.revoke(key=made.key, by=None, now=timezone.now())
    ApiKey.objects.filter(pk=short.key.pk).update(
        created_at=timezone.now() - timedelta(days=2), expires_at=timezone.now() - timedelta(days=1)
    )

    assert (status_with(served, made.text), status_with(served, short.text)) == (401, 401)


def test_a_key_counts_in_the_header_only(served, acme):
    text = ai_clients.connection(acme).made.text

    in_the_address = post(served, path=f"/mcp?access_token={text}&key={text}")[0]
    as_basic = post(served, Authorization=f"Basic {text}")[0]
    in_a_cookie = post(served, Cookie=f"sessionid={text}")[0]

    assert (in_the_address, as_basic, in_a_cookie) == (401, 401, 401)


def test_a_key_works_from_its_networks_only_whatever_a_header_says(served, acme):
    text = api.key(acme, networks=["203.0.113.0/24"]).text

    assert status_with(served, text) == 401
    claims = post(served, Authorization=f"Bearer {text}", X_Forwarded_For="203.0.113.7")

    assert claims[0] == 401


def test_keys_of_a_closed_company_open_nothing(served, acme):
    text = ai_clients.connection(acme).made.text

    closing.close(company=acme, by=people.vera(), reason="They left us", now=timezone.now())

    assert status_with(served, text) == 401


def test_a_personal_key_opens_this_door_only_and_nothing_once_its_person_has_left(served, acme):
    vic = people.vic(acme)
    text = ai_clients.connection(acme, person=vic, name="Vic's assistant").made.text
    rest = post(served, path="/api/v1/balance", method="GET", Authorization=f"Bearer {text}")
    assert (status_with(served, text), rest[0]) == (200, 401)

    Membership.objects.filter(user=vic).delete()

    assert status_with(served, text) == 401


def test_another_host_or_another_site_s_page_is_refused(served, acme):
    text = ai_clients.connection(acme).made.text
    key = {"Authorization": f"Bearer {text}"}

    rebound = post(served, **key, Host="evil.example")
    from_a_page = post(served, **key, Origin="https://evil.example")
    from_no_page = post(served, **key, Origin="null")
    from_here = post(served, **key, Origin=served)

    assert [answer[0] for answer in (rebound, from_a_page, from_no_page, from_here)] == [
        400,
        403,
        403,
        200,
    ]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_nothing_is_pushed_and_no_session_is_kept(served, acme, method):
    text = ai_clients.connection(acme).made.text

    status, headers, _ = post(served, method=method, Authorization=f"Bearer {text}")

    assert (status, headers["Allow"]) == (405, "POST")


def test_a_session_s_id_is_no_way_in(served, acme):
    text = ai_clients.connection(acme).made.text
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"},
        },
    }

    _, headers, _ = post(served, hello, Authorization=f"Bearer {text}")
    stolen = post(served, Mcp_Session_Id="0" * 32)

    assert "Mcp-Session-Id" not in headers
    assert stolen[0] == 401


def test_a_body_too_large_is_not_read(served, acme):
    text = ai_clients.connection(acme).made.text

    status, *_ = post(served, PING | {"params": "x" * 70_000}, Authorization=f"Bearer {text}")

    assert status == 413


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "nan", '{"jsonrpc": "1.0"}'])
def test_what_is_no_message_is_refused_without_a_traceback(served, acme, body):
    text = ai_clients.connection(acme).made.text
    request = urllib.request.Request(
        f"{served}/mcp",
        body.encode(),
        {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {text}",
        },
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    with refused.value:
        said = refused.value.read().decode()

    assert refused.value.code == 400
    assert "Traceback" not in said
    assert not re.search(r"File \"", said)


def test_every_answer_has_its_request_id(served, acme):
    text = ai_clients.connection(acme).made.text

    _, refused, _ = post(served)
    _, let_in, _ = post(served, Authorization=f"Bearer {text}")

    assert refused["X-Request-Id"] != let_in["X-Request-Id"]
    assert let_in["Cache-Control"] == "no-store"
    assert len(let_in["X-Request-Id"]) == 36


def test_the_pages_are_where_they_were(served):
    status, _, text = post(served, path="/admin/login/", method="GET")

    assert status == 200
    assert "Tallystick" in text
