"""After an erasure no word of the erased is anywhere in the database: it is dumped and searched.

Each place a conversation's words get to has a canary of its own; the same dump finds those of a
conversation that stays.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from credits import audit
from credits.models import Company, User
from credits.reports import files
from credits.reports.base import DayRange
from credits.reports.registry import Choice
from tests.support import api, asks, briefs, conversations, dumping, people, uploads
from tests.support.conversations import record
from trackers import configuring, entities, scanning, waiting
from trackers.configuring import FilterValue
from trackers.models import (
    Brief,
    BriefPage,
    BriefResult,
    EntityType,
    FilterField,
    Quote,
    Scan,
    TeamMember,
    Tracker,
)
from trackers.waiting import Decision

PLACES = (
    "asked",
    "briefed",
    "paged",
    "id",
    "source",
    "title",
    "rep",
    "customer",
    "said",
    "quoted",
    "answered",
    "earlier",
    "example",
    "refused",
)
# A place that is found before; and after an erasure of others, too.
SEEN = [place for place in PLACES if place != "example"]
STAYING = [place for place in SEEN if place != "refused"]


def canaries(name: str) -> dict[str, str]:
    return {place: f"zq{name}{place}xw" for place in PLACES}


def call(words: dict[str, str], *, started_at):
    return record(
        f"crm:{words['id']}",
        started_at=started_at,
        source=words["source"],
        title=f"About {words['title']}",
        owner=f"{words['rep']}@acme.example",
        participants=[
            {
                "id": "r",
                "name": f"Rita {words['rep']}",
                "email": f"{words['rep']}@acme.example",
                "role": "internal",
            },
            {
                "id": "c",
                "name": f"Carl {words['customer']}",
                "email": f"{words['customer']}@globex.example",
                "role": "external",
            },
        ],
        utterances=[
            {"id": "u0", "speaker": "r", "start": 0.0, "text": f"I said {words['said']} then."},
            {
                "id": "u1",
                "speaker": "c",
                "start": 4.0,
                "text": f"That is too expensive for {words['quoted']} and us.",
            },
        ],
    )


def leave_words_everywhere(acme: Company, words: dict[str, str], tracker: Tracker) -> None:
    """Import, read, answer, quote, copy to examples, write to the trail, and upload once more."""
    now = timezone.now()
    fresh = now - timedelta(days=1)
    early = call(words | {"said": words["earlier"]}, started_at=fresh)
    conversations.ingest(acme, early, now=now)
    conversations.ingest(acme, call(words, started_at=fresh), now=now)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    scan = Scan.objects.get(conversation__external_id=f"crm:{words['id']}", state="DONE")
    Scan.objects.filter(pk=scan.pk).update(answer=f"Because of {words['answered']}.")
    assert Quote.objects.filter(scan=scan).exists()
    ask_about(acme, words)
    brief_about(acme, words)
    tracker.refresh_from_db()
    tracker.examples = [*tracker.examples, f"That is too expensive for {words['quoted']}"]
    tracker.save()
    audit.record(
        action=audit.Action.CHANGED,
        by=None,
        company=acme,
        subject=audit.named(scan, f"of About {words['title']}"),
        before={"examples": ""},
        after={"examples": tracker.examples},
        reason=f"{words['customer']}@globex.example asked",
    )
    send(acme, words)
    uploads.kept(
        acme,
        people.member(acme, "VIEWER", f"uploader{scan.pk.hex[-6:]}"),
        now=now,
        content=json.dumps({"id": words["id"], "text": words["said"]}).encode(),
        name=f"{words['customer']}.jsonl",
    )


def send(acme: Company, words: dict[str, str]) -> None:
    """Leave answers to requests, kept for their repetition: one refuses, one shows a tracker."""
    tess = api.admin(acme)
    bad = call(words, started_at=timezone.now()).model_dump(mode="json")
    bad["utterances"][0]["speaker"] = words["refused"]
    answer = post(acme, tess, "conversations/bulk", {"conversations": [bad]})
    assert words["refused"] in answer.json()["items"][0]["reason"]
    answer = post(acme, tess, "trackers", tracker_quoting(words))
    assert words["said"] in answer.json()["examples"][0]


def tracker_quoting(words: dict[str, str]) -> dict:
    return {
        "name": f"Quotes {words['said'][2:6]}",
        "question": "Was it said?",
        "examples": [f"I said {words['said']} then."],
    }


def post(acme: Company, by: User, path: str, body: dict):
    return api.of(acme, by=by).post(
        f"/api/v1/{path}",
        json.dumps(body),
        "application/json",
        headers={"Idempotency-Key": uuid4().hex},
    )


def ask_about(acme: Company, words: dict[str, str]) -> None:
    """Ask about the customer, so that question, answer and citation say words of theirs.

    It goes with what it cites.
    """
    address = f"{words['customer']}@globex.example"
    person = entities.find(company=acme, entity_type=EntityType.CONTACT, id=address)
    cited = asks.ask(acme, f"Too expensive for {words['asked']}?", entity=person)
    assert words["quoted"] in cited.answer
    assert cited.citations.exists()


def brief_about(acme: Company, words: dict[str, str]) -> None:
    """Run a brief about the customer: its facts name them, its quotes and pages say their words."""
    person = people.member(acme, "BUSINESS_ADMIN", f"writer{Brief.objects.count()}")
    brief = briefs.brief(
        acme,
        person,
        briefs.PRICES,
        briefs.NEWS,
        name=f"Brief {Brief.objects.count()}",
        entity_type=EntityType.CONTACT,
    )
    address = f"{words['customer']}@globex.example"
    entity = entities.find(company=acme, entity_type=EntityType.CONTACT, id=address)
    run = briefs.run(briefs.by_hand(person, acme), brief, entity=entity)
    assert any(words["customer"] in fact for fact in run.facts)
    quoting, searching = run.results.order_by("position")
    assert quoting.citations.exists()
    # As an analyzer writes that answers in sentences of its own, and a search that found a page.
    BriefResult.objects.filter(pk=quoting.pk).update(text=[f"It was {words['briefed']}."])
    BriefPage.objects.create(
        company=acme, result=searching, rank=1, title=words["paged"], url="https://x.example"
    )


def reports(company: Company) -> dict[str, bytes]:
    found = {}
    for name in ("credit-usage", "credit-balance", "purchase-history"):
        choice = Choice(report=name, days=DayRange(), file_format="csv", has_free_use=True)
        out = BytesIO()
        files.write(choice.report_of(company), choice.days, out, file_format="csv")
        found[name] = out.getvalue()
    return found


ERASE = {
    "by its id": lambda words: {"external_id": f"crm:{words['id']}"},
    "by the customer's address": lambda words: {"email": f"{words['customer']}@globex.example"},
    "by the rep's address": lambda words: {"email": f"{words['rep']}@acme.example"},
}


@pytest.mark.parametrize("how", ERASE)
def test_nothing_of_the_erased_is_in_a_dump(committed, how):
    acme = people.company()
    people.credits_for(acme, "50")
    tracker = conversations.published(
        acme, people.alice(acme), now=timezone.now() - timedelta(days=60)
    )
    gone, stays = canaries("gone"), canaries("stays")
    leave_words_everywhere(acme, gone, tracker)
    leave_words_everywhere(acme, stays, tracker)
    before = dumping.dump(committed)
    said = [gone[place] for place in SEEN]
    assert dumping.found_in(before, said) == said
    figures = reports(acme)

    call_command("erase_personal_data", company=acme.slug, **ERASE[how](gone))

    after = dumping.dump(committed)
    assert dumping.found_in(after, said) == []
    kept = [stays[place] for place in STAYING]
    assert dumping.found_in(after, kept) == kept
    assert reports(acme) == figures
    call_command("check_ledger", allow_test_clock=True)


def test_a_person_who_is_removed_is_in_no_dump(committed):
    acme = people.company()
    person = people.member(acme, "BUSINESS_ADMIN", "Zqwanda")
    person.name = "Zqwanda Surnamezq"
    person.save()
    conversations.ingest(
        acme,
        record(
            "call-1",
            participants=[
                {
                    "id": "r",
                    "party_id": "zqparty@acme.example",
                    "name": person.name,
                    "email": person.email,
                    "role": "internal",
                },
            ],
            utterances=[{"id": "u0", "speaker": "r", "start": 0.0, "text": "Hello."}],
            owner=person.email,
        ),
    )
    audit.record(action=audit.Action.CHANGED, by=person, company=acme, subject=acme)
    filter_by(acme, person)
    skip_what_waits(acme, person)
    leave_old_words_of(acme, person)
    words = [person.email, "zqwanda", "surnamezq", "zqparty"]
    assert dumping.found_in(dumping.dump(committed).lower(), words) == words

    call_command("erase_personal_data", person=person.email)

    # Of an address that was cut no readable part is left either.
    words += [person.email[:20], "zqwan"]
    assert dumping.found_in(dumping.dump(committed).lower(), words) == []
    assert Scan.objects.get().reason_shown == (
        f"Skipped by Removed person #{str(person.public_id)[-8:]} while it waited for credits."
    )


def filter_by(acme: Company, person: User) -> None:
    """Let another person filter two trackers by this one, and one of them by somebody else."""
    alice = people.alice(acme)
    theirs = FilterValue(FilterField.USER, TeamMember.objects.get(email=person.email).pk)
    stage = FilterValue(FilterField.DEAL_STAGE, "evaluation")
    for name, *steps in (("Prices", {theirs}), ("Plans", {theirs}, {stage})):
        tracker = conversations.published(acme, alice, name, now=timezone.now() - timedelta(days=9))
        for filters in steps:
            tracker = configuring.save(
                company=acme,
                tracker_id=tracker.pk,
                edit_number=tracker.edit_number,
                settings=replace(configuring.settings_of(tracker), filters=frozenset(filters)),
                question=configuring.question_of(tracker.version_in_force),
                by=alice,
                now=timezone.now(),
            )


def skip_what_waits(acme: Company, person: User) -> None:
    """Let a call wait, since there are no credits, and this person skip it."""
    prices = Tracker.objects.get(name="Prices")
    fresh = record("call-2", owner=person.email, started_at=timezone.now() - timedelta(hours=1))
    conversations.ingest(acme, fresh)
    Scan.objects.exclude(tracker=prices).delete()
    scanning.run_batch(version_id=prices.current_version_id, backfill_id=None, clock=timezone.now)
    asked = {"company": acme, "decision": Decision(waiting.Choice.SKIP)}
    shown = waiting.preview(available=Decimal(0), **asked)
    waiting.decide(shown=shown, by=person, now=timezone.now(), **asked)


def leave_old_words_of(acme: Company, person: User) -> None:
    """Write down what earlier versions did: reasons with names, cut in the middle of an address."""
    tracker = Tracker.objects.get(name="Plans")
    for letters in (100, 20, 5):
        tracker._change_reason = f"Filters: all → user is Wanda <{person.email[:letters]}…"
        tracker.save()
    tracker._change_reason = f"Filters: all → user is {person.name[:12]}…"
    tracker.description = f"Calls with {person.name.split()[0]} ({person.email})"
    tracker.save()
    audit.record(
        action=audit.Action.CHANGED,
        by=None,
        company=acme,
        subject=audit.Subject("notes", "1", f"About {person.name}"),
        reason=f"{'x' * 1978} {person.email}",
    )
    named_only = audit.Subject("notes", "2", f"Lunch with {person.name}")
    audit.record(action=audit.Action.CHANGED, by=None, company=acme, subject=named_only)
    # A company that does not know this person, where somebody wrote the address down.
    globex = people.company("Globex")
    written = audit.Subject("notes", "3", f"Ask {person.email}")
    audit.record(action=audit.Action.CHANGED, by=None, company=globex, subject=written)
