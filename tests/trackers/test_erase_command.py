"""``erase_personal_data``: counts first, then erases; says in one sentence what it cannot."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from credits.models import AuditEvent, Membership
from tests.support import conversations, people
from tests.support.conversations import record
from trackers.models import Conversation, Retention, TeamMember

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(capsys):
    def erasing(**options):
        call_command("erase_personal_data", **options)
        return capsys.readouterr().out

    return erasing


def test_a_dry_run_prints_the_counts_and_changes_nothing(acme, run):
    conversations.ingest(acme, record("call-1"), record("mail-1", kind="email"))
    before = list(Conversation.objects.order_by("pk").values())

    said = run(company=acme.slug, email="carl@globex.example", dry_run=True)

    figures = {line[10:].strip(): line[:10].strip() for line in said.splitlines()[:-1]}
    assert (figures["calls"], figures["e-mails"], figures["utterances"]) == ("1", "1", "4")
    assert said.splitlines()[-1] == "Nothing was changed: this was a dry run."
    assert list(Conversation.objects.order_by("pk").values()) == before
    assert not AuditEvent.objects.filter(action="ERASED").exists()


def test_it_erases_what_the_dry_run_counted(acme, run):
    conversations.ingest(acme, record("call-1"), record("call-2"))

    counted = json.loads(run(company=acme.slug, external_id="call-1", dry_run=True, json=True))
    erased = json.loads(run(company=acme.slug, external_id="call-1", json=True))

    assert counted["counts"] == erased["counts"]
    assert (counted["dry_run"], erased["dry_run"]) == (True, False)
    assert Conversation.objects.filter(erased_at=None).get().external_id == "call-2"


def test_it_names_those_that_only_mention_an_address(acme, run):
    turns = [{"id": "u0", "speaker": "r", "start": 0.0, "text": "Ask dora@globex.example."}]
    conversations.ingest(acme, record("call-1", utterances=turns))

    said = run(company=acme.slug, email="dora@globex.example", dry_run=True)
    taken = run(company=acme.slug, email="dora@globex.example", mentions=True)

    assert "1 more conversations mention the address" in said
    assert "1  calls" in taken
    assert Conversation.objects.filter(erased_at=None).count() == 0


def test_what_is_older_than_the_company_keeps_goes(acme, run):
    now = timezone.now()
    conversations.ingest(
        acme,
        record("old", started_at=now - timedelta(days=91)),
        record("young", started_at=now - timedelta(days=89)),
    )
    Retention.objects.create(company=acme, days=90)

    run(company=acme.slug, retention=True)

    assert Conversation.objects.filter(erased_at=None).get().external_id == "young"


def test_without_a_period_nothing_is_too_old(acme, run):
    conversations.ingest(acme, record("old"))

    assert "0  calls" in run(company=acme.slug, retention=True)
    assert Conversation.objects.filter(erased_at=None).count() == 1


def test_a_person_becomes_removed_in_every_company(acme, run):
    rita = people.member(acme, "BUSINESS_ADMIN", "Rita")
    conversations.ingest(
        acme,
        record(
            "call-1",
            owner=rita.email,
            participants=[{"id": "r", "name": "Rita", "email": rita.email, "role": "internal"}],
            utterances=[{"id": "u0", "speaker": "r", "start": 0.0, "text": "Hello."}],
        ),
    )
    address, ref = rita.email, str(rita.public_id)

    counted = run(person=address, dry_run=True)
    run(person=address)

    rita.refresh_from_db()
    assert "1  team members made unknown" in counted
    assert (rita.email, rita.is_active) == (f"removed-{ref}@removed.invalid", False)
    assert rita.get_full_name() == f"Removed person #{ref[-8:]}"
    assert str(rita.public_id) == ref
    assert not Membership.objects.filter(user=rita).exists()
    assert not rita.has_usable_password()
    member = TeamMember.objects.get()
    assert member.name == f"Removed person #{member.pk.hex[-8:]}"
    (party,) = Conversation.objects.get().participants.all()
    assert (party.name, party.email) == ("", "")
    assert Conversation.objects.get().utterances.get().text == "Hello."


REFUSED = {
    "no such id": ({"external_id": "call-9"}, "Nothing of this is stored here"),
    "no such address": ({"email": "x@y.example"}, "Nothing of this is stored here"),
    "no such company": ({"external_id": "x", "company": "nobody"}, "There is no company “nobody”"),
    "no company": ({"external_id": "x", "company": None}, "Name the company with --company"),
    "nobody signs in": ({"person": "x@y.example", "company": None}, "Nobody signs in"),
    "a person of a company": ({"person": "x@y.example"}, "leave --company out"),
    "mentions of no address": ({"external_id": "x", "mentions": True}, "--mentions goes with"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses_in_one_sentence(acme, case):
    options, sentence = REFUSED[case]

    with pytest.raises(CommandError, match=sentence) as refusal:
        call_command("erase_personal_data", **({"company": acme.slug} | options))

    assert refusal.value.returncode == 2
    assert not AuditEvent.objects.filter(action="ERASED").exists()
