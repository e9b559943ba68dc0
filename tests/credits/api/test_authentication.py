"""Who is let in: only a key that works, from where it may, for what it may."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from credits import api_keys
from credits.models import ApiKey, Company, Scope
from tests.support import api, people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db
URL = "/api/v1/balance"
# The address Django's test client calls from.
HERE = "127.0.0.1"


@pytest.fixture
def acme():
    return people.company()


def refused(response) -> tuple[str, str]:
    problem = api.problem(response)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="Tallystick"'
    assert response["Cache-Control"] == "no-store"
    return problem["code"], problem["detail"]


NO_KEY = ("unauthorized", "Send the header “Authorization: Bearer <key>”.")
OPENS_NOTHING = (
    "unauthorized",
    "This key opens nothing. Check it, or ask a tech admin of your company for a new one.",
)


def close(company: Company) -> None:
    Company.objects.filter(pk=company.pk).update(
        closed_at=timezone.now(), closed_by=people.vera(), closing_reason="They left us."
    )


def test_a_key_that_works_is_let_in(acme):
    assert api.of(acme).get(URL).status_code == 200


def test_the_scheme_s_case_does_not_matter(acme):
    text = api.key(acme).text

    assert Client().get(URL, headers={"authorization": f"bearer {text}"}).status_code == 200


def test_without_a_key_one_is_told_how_to_send_it():
    assert refused(Client().get(URL)) == NO_KEY


def test_a_signed_in_person_is_nobody_here(acme):
    assert refused(signed_in(people.alice(acme), acme).get(URL)) == NO_KEY


@pytest.mark.parametrize("place", ["?key={}", "?api_key={}", "?access_token={}"])
def test_a_key_in_the_address_is_not_looked_at(acme, place):
    assert refused(Client().get(URL + place.format(api.key(acme).text))) == NO_KEY


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic {key}",
        "{key}",
        "Bearer {key}x",
        "Bearer {key} {key}",
        "Bearer {prefix}",
        "Bearer {other_prefix}",
        "Bearer {upper}",
        "Bearer tsk_\x00",
        "Bearer " + "tsk_" * 5000,
    ],
)
def test_what_is_no_key_opens_nothing(acme, header):
    made = api.key(acme)
    _, prefix, secret = made.text.split("_", 2)
    sent = header.format(
        key=made.text,
        prefix=f"tsk_{prefix}_" + "A" * 43,
        other_prefix=f"tsk_{'a' * 8}_{secret}",
        upper=made.text.upper(),
    )

    assert refused(Client().get(URL, headers={"authorization": sent})) == OPENS_NOTHING


def revoked(made):
    api_keys.revoke(key=made.key, by=None, now=timezone.now())


def expired(made):
    now = timezone.now()
    ApiKey.objects.filter(pk=made.key.pk).update(created_at=now, expires_at=now)


def from_elsewhere(made):
    ApiKey.objects.filter(pk=made.key.pk).update(networks=["203.0.113.0/24"])


def of_a_closed_company(made):
    close(made.key.company)


@pytest.mark.parametrize("end", [revoked, expired, from_elsewhere, of_a_closed_company])
def test_a_key_that_no_longer_works_is_refused_like_one_that_never_did(acme, end):
    made = api.key(acme)
    assert api.client(made.text).get(URL).status_code == 200
    end(made)

    answer = api.client(made.text).get(URL)

    assert refused(answer) == OPENS_NOTHING
    assert shape(answer) == shape(api.client("tsk_aaaaaaaa_" + "A" * 43).get(URL))


def shape(response):
    """Return all of an answer but what is of this one request."""
    own = {"request_id", "instance"}
    headers = {name: value for name, value in response.items() if name != "X-Request-Id"}
    headers.pop("Content-Length", None)
    return headers, {k: v for k, v in response.json().items() if k not in own}


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        ([], "198.51.100.9", 200),
        (["203.0.113.7"], "203.0.113.7", 200),
        (["203.0.113.7"], "203.0.113.8", 401),
        (["203.0.113.0/24", "2001:db8::/32"], "203.0.113.200", 200),
        (["203.0.113.0/24", "2001:db8::/32"], "2001:db8:1::1", 200),
        (["203.0.113.0/24"], "::ffff:203.0.113.9", 200),
        (["203.0.113.0/24"], "::ffff:198.51.100.9", 401),
        (["2001:db8::/32"], "203.0.113.9", 401),
        (["0.0.0.0/0"], "", 401),
        (["0.0.0.0/0"], "unix:", 401),
    ],
)
def test_a_key_works_only_from_its_networks(acme, networks, address, status):
    text = api.key(acme, networks=networks).text

    assert api.client(text).get(URL, REMOTE_ADDR=address).status_code == status


def test_a_forwarded_address_is_not_believed(acme):
    text = api.key(acme, networks=["203.0.113.0/24"]).text

    answer = api.client(text).get(URL, headers={"x-forwarded-for": "203.0.113.9"})

    assert answer.status_code == 401


SCOPED = {
    "/api/v1/balance": "balance:read",
    "/api/v1/grants": "grants:read",
    "/api/v1/grants/01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11": "grants:read",
    "/api/v1/ledger": "ledger:read",
    "/api/v1/ledger/1": "ledger:read",
    "/api/v1/usage": "usage:read",
    "/api/v1/usage/01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11": "usage:read",
    "/api/v1/purchases": "purchases:read",
    "/api/v1/purchases/01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11": "purchases:read",
    "/api/v1/rate-card": "rates:read",
}


@pytest.mark.parametrize("url", SCOPED)
def test_each_address_asks_for_its_scope_and_for_no_other(acme, url):
    wanted = SCOPED[url]
    alice = api.admin(acme)
    others = [scope for scope in Scope.values if scope != wanted]

    without = api.of(acme, *others, by=alice).get(url)
    alone = api.of(acme, wanted).get(url)

    problem = api.problem(without)
    assert (without.status_code, problem["code"]) == (403, "missing_scope")
    assert problem["required_scope"] == wanted
    assert wanted in problem["detail"]
    assert alone.status_code in ({404} if url.split("/")[-1][:1].isdigit() else {200})


def test_requesting_a_purchase_asks_for_its_own_scope(acme):
    alice = api.admin(acme)
    others = [scope for scope in Scope.values if scope != "purchases:request"]

    answer = api.of(acme, *others, by=alice).post("/api/v1/purchases", {}, "application/json")

    assert answer.status_code == 403
    assert api.problem(answer)["required_scope"] == "purchases:request"


def test_the_last_use_is_noted_once_a_minute(acme):
    made = api.key(acme)
    program = api.client(made.text)

    def last_used():
        return ApiKey.objects.get(pk=made.key.pk).last_used_at

    program.get(URL)
    first = last_used()
    program.get(URL)
    assert last_used() == first
    assert timezone.now() - first < timedelta(seconds=30)

    ApiKey.objects.filter(pk=made.key.pk).update(last_used_at=first - timedelta(minutes=1))
    program.get(URL)
    assert last_used() > first


def test_a_refused_key_is_not_noted_as_used(acme):
    made = api.key(acme, networks=["203.0.113.7"])

    api.client(made.text).get(URL)

    assert ApiKey.objects.get(pk=made.key.pk).last_used_at is None
