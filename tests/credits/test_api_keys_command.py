"""``manage.py api_keys``: list, rotate and revoke, as the page does."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from credits import api_keys
from credits.models import ApiKey, AuditEvent, Scope
from tests.support import api, people

pytestmark = pytest.mark.django_db
BALANCE = "/api/v1/balance"


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def made(acme, alice):
    return api.key(acme, Scope.BALANCE_READ, by=alice)


@pytest.fixture
def run(acme, capsys):
    def running(*options: str, company=None) -> str:
        call_command("api_keys", *options, company=(company or acme).slug)
        return capsys.readouterr().out.strip()

    return running


def refusal_of(run, *options: str, **more) -> str:
    with pytest.raises(CommandError) as refused:
        run(*options, **more)
    assert refused.value.returncode == 2
    return str(refused.value)


def test_keys_that_work_are_listed_without_their_secret(made, run):
    gone = api.key(made.key.company, Scope.BALANCE_READ)
    api_keys.revoke(key=gone.key, by=None, now=timezone.now())

    said = run("list")
    (working,) = json.loads(run("list", "--json"))["keys"]
    everything = json.loads(run("list", "--all", "--json"))["keys"]

    assert made.text not in said
    assert f"tsk_{made.key.prefix}_…  {made.key.name}: works" in said
    assert said.endswith("may balance:read; last used never")
    assert (working["id"], working["state"]) == (str(made.key.pk), "works")
    assert {one["state"] for one in everything} == {"works", "revoked"}


def test_a_rotated_key_does_the_same_in_the_same_name_and_both_work_for_a_while(made, run, alice):
    text = run("rotate", "--key", f"tsk_{made.key.prefix}_…", "--overlap-hours", "2")

    new = ApiKey.objects.get(replaces=made.key)
    assert api.client(text).get(BALANCE).status_code == 200
    assert api.client(made.text).get(BALANCE).status_code == 200
    made.key.refresh_from_db()
    assert timedelta(hours=1) < made.key.expires_at - timezone.now() <= timedelta(hours=2)
    assert (new.scopes, new.created_by) == (["balance:read"], alice)
    line = AuditEvent.objects.get(action="REPLACED")
    assert (line.door, line.actor_kind, line.job) == ("COMMAND", "SYSTEM", "api_keys")
    again = refusal_of(run, "rotate", "--key", str(made.key.pk))
    assert again == api_keys.AlreadyReplaced.__doc__


def test_a_revoked_key_opens_nothing_at_once(made, run):
    said = run("revoke", "--key", str(made.key.pk))

    assert said == f"Revoked: tsk_{made.key.prefix}_… “{made.key.name}”."
    assert api.client(made.text).get(BALANCE).status_code == 401
    assert refusal_of(run, "revoke", "--key", made.key.prefix) == api_keys.AlreadyRevoked.__doc__
    assert refusal_of(run, "rotate", "--key", made.key.prefix) == api_keys.KeyNotUsable.__doc__


@pytest.mark.parametrize("act", ["rotate", "revoke"])
def test_a_dry_run_changes_nothing(made, run, act):
    said = run(act, "--key", made.key.prefix, "--dry-run")

    assert said.endswith("Nothing was changed.")
    assert ApiKey.objects.count() == 1
    made.key.refresh_from_db()
    assert (made.key.revoked_at, made.key.expires_at) == (None, None)


@pytest.mark.parametrize("shown", ["tsk_{}", "tsk_{}_…", "{}", "whole", "id"])
def test_a_key_is_named_by_its_beginning_by_its_id_or_whole(made, run, shown):
    names = {"whole": made.text, "id": str(made.key.pk)}
    named = names.get(shown) or shown.format(made.key.prefix)

    run("revoke", "--key", named)

    assert ApiKey.objects.get(pk=made.key.pk).revoked_at is not None


def test_a_refusal_repeats_no_secret(made, run):
    other = people.company("Other")

    for named in (made.text, made.text.upper(), made.text[13:]):
        said = refusal_of(run, "revoke", "--key", named, company=other)
        assert named[16:] not in said
        assert f"“{named[:12]}…”" in said


def test_what_cannot_be_done_is_one_sentence(made, run):
    other = people.company("Other")

    assert refusal_of(run, "revoke", "--key", made.key.prefix, company=other) == (
        f"Other has no key “{made.key.prefix}”; “api_keys list --all” prints them."
    )
    assert "has no key “”" in refusal_of(run, "revoke")
    assert refusal_of(run, "rotate", "--key", made.key.prefix, "--overlap-hours", "721") == (
        "Two keys overlap for 0 to 720 hours, not 721."
    )
    assert run("list", company=other) == "No key works."


def test_a_key_of_somebody_who_left_is_not_replaced_in_their_name(made, run, alice):
    alice.is_active = False
    alice.save()

    assert refusal_of(run, "rotate", "--key", made.key.prefix) == api_keys.MakerRefused.__doc__
