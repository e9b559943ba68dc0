"""Two companies with one result each, and people to look at them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.test import Client

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import analyzers, scanning
from trackers.analyzers.base import (
    Calibration,
    Confidence,
    Evidence,
    Finding,
    Verdict,
)
from trackers.models import Conversation, Scan

# 11:30 in Berlin, where winter time is CET.
STARTED_AT = datetime(2026, 1, 14, 10, 30, tzinfo=UTC)


class QuotingAnalyzer:
    """Finds it and quotes the utterances that say “expensive”."""

    name = "quoting"
    version = "1"
    generative = False
    answer = ""

    def calibrate(self, questions, sample):
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(self, conversation, questions, calibration):
        quotes = tuple(
            Evidence(one.id, 0, len(one.text), one.text)
            for one in conversation.utterances
            if "expensive" in one.text
        )[:3]
        verdict = Verdict.YES if quotes else Verdict.NO
        return [
            Finding(one.id, verdict, 0.9, Confidence.HIGH, self.answer or verdict.value, quotes)
            for one in questions
        ]


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    quoting = QuotingAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: quoting)
    return quoting


@pytest.fixture
def world(db, settings):
    """Acme's people, and Globex, whose every word holds the canary."""
    # Nobody signs in by password here, and five slow hashes a test are a second.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    acme, globex = people.company("Acme"), people.company("Globex")
    return SimpleNamespace(
        acme=acme,
        globex=globex,
        alice=people.alice(acme),
        bob=people.bob(acme),
        vic=people.vic(acme),
        vera=people.vera(),
        gina=people.member(globex, "TECH_ADMIN", "Gina"),
    )


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def turns(*said):
    """Utterances four seconds apart; those of the customer begin with “c:”."""
    return [
        {
            "id": f"u{number}",
            "speaker": "c" if text.startswith("c:") else "r",
            "start": 217.0 + 4 * number,
            "text": text.removeprefix("c:").strip(),
        }
        for number, text in enumerate(said)
    ]


def published(company, by, name="Pricing objection", **settings):
    now = STARTED_AT - timedelta(days=1)
    return conversations.published(company, by, name, now=now, **settings)


def scanned(company, tracker, *records, amount="10") -> list[Scan]:
    """Import new conversations and read them; return their results, the oldest first."""
    now = STARTED_AT + timedelta(hours=1)
    if Decimal(amount):
        people.credits_for(company, amount)
    conversations.ingest(company, *records, now=now)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=lambda: now)
    return list(Scan.objects.filter(tracker=tracker).order_by("conversation__external_id"))


def call(external_id, **changes):
    return record(external_id, **({"started_at": STARTED_AT} | changes))


def canary_call(external_id="canary-external-id"):
    """A call of Globex in which everything that can be shown says canary."""
    return call(
        external_id,
        title="Canary title",
        team="Canary team",
        owner="canary@globex.example",
        account={"name": "Canary account", "type": "canary type"},
        deal={"name": "Canary deal", "stage": "canary stage"},
        utterances=turns("Hello.", "c: The canary is too expensive."),
    )


def canary_of(world) -> Scan:
    tracker = published(world.globex, world.gina, "Canary tracker")
    return scanned(world.globex, tracker, canary_call())[0]


def conversation_of(company) -> Conversation:
    return Conversation.objects.get(company=company)


@pytest.fixture
def tracker(world):
    return published(world.acme, world.alice, include_emails=True)


@pytest.fixture
def scans(world, tracker):
    """Loud of Globex finds it; Quiet of Initech does not; Mail of Initech, by Support, does."""
    initech = {"account": {"name": "Initech", "type": "customer"}}
    quiet = initech | {"deal": {"name": "Initech racks", "stage": "won"}}
    loud = call("loud", title="Loud")
    mail = call(
        "mail", title="Mail", kind="email", duration_seconds=0, team="Support", deal=None, **initech
    )
    said = turns("c: Nothing of the kind.")
    scanned(world.acme, tracker, loud, mail, call("quiet", title="Quiet", utterances=said, **quiet))
    # The other team's: a batch is of one.
    version, at = tracker.current_version_id, STARTED_AT + timedelta(hours=1)
    scanning.run_batch(version_id=version, backfill_id=None, clock=lambda: at)
    return {str(scan.conversation): scan for scan in Scan.objects.filter(tracker=tracker)}
