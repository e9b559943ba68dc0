"""``manage.py create_api_key``: prints a key that works; every mistake is one sentence."""

from __future__ import annotations

import getpass
import io
import json

import pytest
from django.core.management import CommandError, call_command

from credits.models import ApiKey, AuditEvent, Integration
from tests.support import api, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company()


def run(company, *arguments: str) -> str:
    out = io.StringIO()
    given = ("--company", company.slug, "--name", "Laptop", "--scope", "balance:read")
    call_command("create_api_key", *given, *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_the_key_and_nothing_else(acme):
    printed = run(acme)

    assert printed.endswith("\n")
    assert api.client(printed.strip()).get("/api/v1/balance").status_code == 200


def test_as_json_it_says_what_the_key_is(acme):
    Integration.objects.create(company=acme, name="CRM", kind="API")
    alice = api.admin(acme)

    found = json.loads(
        run(
            acme,
            *("--scope", "purchases:request", "--expires-days", "9", "--by", alice.email.upper()),
            *("--network", "203.0.113.9", "--integration", "CRM", "--json"),
        )
    )

    key = ApiKey.objects.get()
    assert found == {
        "id": str(key.pk),
        "key": found["key"],
        "company": acme.slug,
        "name": "Laptop",
        "scopes": ["balance:read", "purchases:request"],
        "limit": None,
        "limit_window": None,
        "networks": ["203.0.113.9/32"],
        "expires_at": key.expires_at.isoformat(),
    }
    assert (key.expires_at - key.created_at).days == 9
    assert (key.created_by, key.integration.name) == (alice, "CRM")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--company", "nowhere"], "There is no company “nowhere”."),
        (["--scope", "all"], "There is no scope “all”; choose from balance:read, "),
        (["--expires-days", "0"], "A key works for 1 to 3650 days, not 0."),
        (["--expires-days", "99999"], "A key works for 1 to 3650 days, not 99999."),
        (["--network", "home"], "“home” is no network; write it like 203.0.113.7"),
        (["--integration", "ERP"], "Acme has no integration “ERP”."),
        (["--by", "nobody@acme.example"], "There is nobody with the e-mail address"),
        (["--name", ""], "A key's name has 1 to 200 characters."),
        (["--name", "x" * 201], "A key's name has 1 to 200 characters."),
        (["--scope", "purchases:request"], "A key that requests purchases or changes"),
    ],
)
def test_a_mistake_makes_no_key_and_says_so(acme, arguments, sentence):
    with pytest.raises(CommandError) as error:
        run(acme, *arguments)

    assert str(error.value).startswith(sentence)
    assert error.value.returncode == 2
    assert not ApiKey.objects.exists()


def test_the_trail_says_that_the_shell_s_user_made_it_in_a_person_s_name(acme):
    alice = people.alice(acme)

    printed = run(acme, "--by", alice.email)

    line = AuditEvent.objects.select_related("text").get()
    assert (line.action, line.company, line.job) == ("ADDED", acme, "create_api_key")
    assert (line.actor_kind, line.actor_ref, line.door) == ("SYSTEM", None, "COMMAND")
    assert line.text.actor_name == getpass.getuser()
    assert {"field": "in_the_name_of", "before": None, "after": "Alice"} in line.text.changes
    assert line.about_ref == alice.public_id
    assert printed.strip().split("_", 2)[2] not in str(line.text.changes)


@pytest.mark.parametrize("who", ["vic", "bob", "vera", "stranger", "inactive"])
def test_who_may_not_make_keys_on_the_page_may_not_by_the_command(acme, who):
    people_ = {
        "vic": lambda: people.vic(acme),
        "bob": lambda: people.bob(acme),
        "vera": people.vera,
        "stranger": lambda: people.alice(people.company("Globex")),
        "inactive": lambda: people.alice(acme),
    }
    person = people_[who]()
    if who == "inactive":
        person.is_active = False
        person.save()

    with pytest.raises(CommandError, match="Only a tech admin of the company makes its keys"):
        run(acme, "--by", person.email)

    assert not ApiKey.objects.exists()
