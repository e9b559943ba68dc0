"""Who gets in below /v2/, what is refused, and in what shape."""

from __future__ import annotations

import pytest
from django.test import Client

from credits.models import RequestTally, Scope
from tests.support import api
from tests.trackers.api.gong import asking
from tests.trackers.api.gong.asking import post
from trackers.api.gong import users
from trackers.models import TeamMember

PATHS = ("/v2/users", "/v2/settings/trackers")
CHALLENGE = 'Basic realm="Tallystick", Bearer realm="Tallystick"'


def test_a_key_comes_in_two_halves_or_as_a_bearer_token(acme):
    text = api.key(acme).text
    access_key, secret = asking.halves(text)

    assert access_key == text[:12]
    assert f"{access_key}_{secret}" == text
    assert asking.basic(access_key, secret).get("/v2/users").status_code == 200
    assert api.client(text).get("/v2/users").status_code == 200


@pytest.mark.parametrize(
    "pair",
    [
        lambda access_key, secret: (access_key, ""),
        lambda access_key, secret: ("", secret),
        lambda access_key, secret: (f"{access_key}_{secret}", ""),
        lambda access_key, secret: ("", f"{access_key}_{secret}"),
        lambda access_key, secret: (access_key, secret[:-1]),
        lambda access_key, secret: (access_key.upper(), secret),
        lambda access_key, secret: (secret, access_key),
        lambda access_key, secret: ("", ""),
    ],
)
def test_both_halves_are_needed_each_in_its_place(acme, pair):
    text = api.key(acme).text

    answer = asking.basic(*pair(*asking.halves(text))).get("/v2/users")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == CHALLENGE
    assert len(asking.errors(answer)) == 1


@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic ?", "Basic /w==", "Digest x", "Bearer"]
)
def test_without_a_key_nobody_gets_in(db, header):
    client = Client(headers={} if header is None else {"authorization": header})

    answer = client.get("/v2/users")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == CHALLENGE
    assert len(asking.errors(answer)) == 1


def test_the_two_halves_open_nothing_of_our_own_api(acme):
    assert asking.of(acme).get("/api/v1/balance").status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "scope"),
    [("/v2/users", 403, "team:read"), ("/v2/settings/trackers", 401, "trackers:read")],
)
def test_a_key_without_the_scope_is_told_which_it_lacks(acme, path, status, scope):
    answer = asking.of(acme, Scope.BALANCE_READ).get(path)

    assert answer.status_code == status
    (sentence,) = asking.errors(answer)
    assert sentence.endswith(f"it lacks the scope {scope}.")


def test_calls_take_the_scope_of_conversations(acme):
    for path in ("/v2/calls/extensive", "/v2/calls/transcript"):
        answer = post(asking.of(acme, Scope.TEAM_READ), path, {"filter": {}})
        assert answer.status_code == 401
        assert "conversations:read" in asking.errors(answer)[0]


def test_beyond_the_limit_a_client_is_told_how_long_to_wait(acme, settings):
    settings.API_REQUESTS_PER_SECOND = 1
    program = asking.of(acme)
    program.get("/v2/users")

    answer = program.get("/v2/users")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert asking.errors(answer) == [
        "Your company may make 1 requests in any second. Try again in 1 second."
    ]
    assert RequestTally.objects.get(company=acme).day_count == 1


def test_an_unknown_address_and_a_wrong_method_keep_the_shape(acme):
    program = asking.of(acme)

    unknown = program.get("/v2/meetings")
    wrong = program.get("/v2/calls/extensive")

    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert asking.errors(wrong) == ["This address takes POST, OPTIONS only."]
    assert asking.errors(unknown) == [
        "There is nothing at this address. The addresses there are: docs/gong-api.md."
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("a=b", "application/x-www-form-urlencoded", 415),
        ('{"filter": {}, "pad": "' + "x" * 70_000 + '"}', "application/json", 413),
    ],
)
def test_a_body_that_is_none_keeps_the_shape(acme, body, content_type, status):
    answer = asking.of(acme).post("/v2/calls/extensive", body, content_type)

    assert answer.status_code == status
    assert len(asking.errors(answer)) == 1


def test_a_failure_keeps_the_shape_and_says_nothing_of_itself(acme, monkeypatch):
    def broken(member):
        raise RuntimeError("a secret of ours")

    TeamMember.objects.create(company=acme, email="rita@acme.example")
    monkeypatch.setattr(users, "_user", broken)

    answer = asking.of(acme).get("/v2/users")

    assert answer.status_code == 500
    assert "secret" not in asking.errors(answer)[0]


def test_what_a_client_sends_besides_asks_for_nothing(acme):
    """A client written for that API is not refused for what only the original knows."""
    for path in PATHS:
        assert asking.of(acme).get(path, {"limit": "5", "cursor": ""}).status_code == 200
    wrong = asking.of(acme).get("/v2/users", {"includeAvatars": "perhaps"})
    assert asking.errors(wrong) == ["includeAvatars: Write true or false."]
    empty = asking.of(acme).get("/v2/users", {"includeAvatars": ""})
    assert asking.errors(empty) == ["includeAvatars: Give it a value, or leave it out."]
