"""The page of API keys: for tech admins; a secret is shown once and kept nowhere."""

from __future__ import annotations

import html
import logging
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from credits import api_keys
from credits.identifiers import new_id
from credits.models import ApiKey, Integration
from tests.support import api, people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/credits/apikey/"
ADD = f"{LIST}add/"
KEY = re.compile(r"tsk_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")


@pytest.fixture(autouse=True)
def _many_requests(settings):
    settings.API_REQUESTS_PER_SECOND = 1000


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def client(acme, alice):
    return signed_in(alice, acme)


def wish(**changes) -> dict:
    return {
        "id": str(new_id()),
        "name": "Nightly export",
        "scopes": ["balance:read", "usage:read"],
        "life_days": "90",
        "networks": "",
    } | changes


def shown_key(response) -> str:
    found = set(KEY.findall(response.content.decode()))
    assert len(found) == 1, response.content.decode()[-3000:]
    return found.pop()


def test_a_tech_admin_makes_a_key_that_works_and_sees_it_once(client, acme, alice):
    before = timezone.now()

    answer = client.post(ADD, wish(networks="127.0.0.1\n203.0.113.0/24"))

    text = shown_key(answer)
    key = ApiKey.objects.get(company=acme)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert api.client(text).get("/api/v1/balance").status_code == 200
    assert (key.name, key.created_by, key.networks) == (
        "Nightly export",
        alice,
        ["127.0.0.1/32", "203.0.113.0/24"],
    )
    assert before + timedelta(days=90) <= key.expires_at <= timezone.now() + timedelta(days=90)
    for url in (LIST, f"{LIST}{key.pk}/change/", f"{LIST}{key.pk}/rotate/"):
        page = client.get(url).content.decode()
        assert text not in page
        assert text.split("_", 2)[2] not in page
    assert f"tsk_{key.prefix}_…" in client.get(LIST).content.decode()


def test_the_line_to_try_it_works_as_it_stands(client):
    page = html.unescape(client.post(ADD, wish()).content.decode())

    line = re.search(r"curl -H '(Authorization): (Bearer [^']+)' http://testserver(\S+?)<", page)
    assert line is not None
    answer = Client().get(line[3], headers={line[1].lower(): line[2]})
    assert (answer.status_code, "remaining" in answer.json()) == (200, True)


def test_the_secret_is_in_no_log_no_session_and_no_row(client, acme, caplog):
    caplog.set_level(logging.DEBUG)

    text = shown_key(client.post(ADD, wish()))
    api.client(text).get("/api/v1/balance")

    secret = text.split("_", 2)[2]
    assert secret not in caplog.text
    assert secret not in str(dict(client.session))
    assert secret not in str(list(ApiKey.objects.values()))


def test_a_second_submit_makes_no_second_key(client, acme):
    form = wish()
    client.post(ADD, form)

    again = client.post(ADD, form)

    assert "This form made its key already" in html.unescape(again.content.decode())
    assert not KEY.search(again.content.decode())
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["balance:write"]}, "balance:write is not one of the available choices"),
        ({"name": ""}, "This field is required."),
        ({"networks": "the office"}, "“the” is no network; write it like 203.0.113.7"),
        ({"life_days": "0"}, "greater than or equal to 1"),
        ({"life_days": "3651"}, "less than or equal to 3650"),
    ],
)
def test_a_form_that_makes_no_sense_makes_no_key(client, changes, sentence):
    answer = client.post(ADD, wish(**changes))

    assert sentence in html.unescape(answer.content.decode())
    assert not ApiKey.objects.exists()


def test_a_key_without_an_end_works_until_it_is_revoked(client):
    shown_key(client.post(ADD, wish(life_days="")))

    assert ApiKey.objects.get().expires_at is None


def test_a_key_names_an_integration_of_its_own_company_only(client, acme):
    mine = Integration.objects.create(company=acme, name="CRM", kind="API")
    foreign = Integration.objects.create(company=people.company("Globex"), name="ERP", kind="API")

    assert "ERP" not in client.get(ADD).content.decode()
    refused = client.post(ADD, wish(integration=str(foreign.pk)))
    client.post(ADD, wish(integration=str(mine.pk)))

    assert "Select a valid choice" in refused.content.decode()
    assert ApiKey.objects.get().integration == mine


def test_revoking_says_what_it_ends_and_ends_it_at_once(client, acme, alice):
    made = api.key(acme)
    program = api.client(made.text)
    program.get("/api/v1/balance")
    url = f"{LIST}{made.key.pk}/revoke/"

    page = client.get(url)
    assert ("Last used" in page.content.decode(), program.get("/api/v1/balance").status_code) == (
        True,
        200,
    )
    done = client.post(url, follow=True)

    assert program.get("/api/v1/balance").status_code == 401
    assert "Nightly job is revoked. Requests with it are refused." in done.content.decode()
    assert ApiKey.objects.get().revoked_by == alice
    again = client.post(url, follow=True).content.decode()
    assert "This key is revoked already." in again
    assert f"{made.key.pk}/revoke/" not in again


def test_replacing_a_key_shows_the_new_one_and_lets_the_old_one_work_on(client, acme):
    old = api.key(acme)
    url = f"{LIST}{old.key.pk}/rotate/"

    new = shown_key(client.post(url, {"overlap_hours": "2"}))

    assert api.client(old.text).get("/api/v1/balance").status_code == 200
    assert api.client(new).get("/api/v1/balance").status_code == 200
    old.key.refresh_from_db()
    ends_in = old.key.expires_at - timezone.now()
    assert timedelta(hours=1, minutes=59) < ends_in <= timedelta(hours=2)
    assert 'data-status="being-replaced"' in client.get(LIST).content.decode()
    again = client.post(url, {"overlap_hours": "2"}).content.decode()
    assert "This key has a successor already; replace that one." in again
    assert ApiKey.objects.count() == 2


def test_a_revoked_key_is_not_replaced(client, acme):
    key = api.key(acme).key
    api_keys.revoke(key=key, by=None, now=timezone.now())

    page = client.post(f"{LIST}{key.pk}/rotate/", {"overlap_hours": "2"}).content.decode()

    assert "Only a key that works can be replaced" in page
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("who", ["bob", "vic", "vera", "audrey"])
def test_only_tech_admins_come_here(acme, who):
    key = api.key(acme).key
    user = getattr(people, who)(acme) if who in ("bob", "vic") else getattr(people, who)()
    other = signed_in(user, acme)
    urls = (LIST, ADD, *(f"{LIST}{key.pk}/{name}/" for name in ("change", "rotate", "revoke")))

    answers = {other.get(url).status_code for url in urls}
    posts = {other.post(url, wish() | {"overlap_hours": "0"}).status_code for url in urls}

    assert answers == posts == {403}
    key.refresh_from_db()
    assert (key.revoked_at, ApiKey.objects.count()) == (None, 1)
    assert "API keys" not in other.get(reverse("admin:credits_page")).content.decode()


def test_another_company_s_key_is_not_there(client):
    foreign = api.key(people.company("Globex")).key

    for name in ("rotate", "revoke"):
        url = f"{LIST}{foreign.pk}/{name}/"
        assert client.get(url).status_code == 404
        assert client.post(url, {"overlap_hours": "0"}).status_code == 404

    foreign.refresh_from_db()
    assert (foreign.revoked_at, foreign.expires_at) == (None, None)


def test_the_list_asks_no_more_the_more_keys_there_are(client, acme):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST).status_code == 200
        return len(captured)

    for _ in range(2):
        api.key(acme)
    few = queries()
    for number in range(30):
        made = api.key(acme)
        if number % 3 == 0:
            api_keys.rotate(key=made.key, by=None, now=timezone.now())

    assert queries() == few
