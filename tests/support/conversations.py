"""Conversations and trackers for tests, made by the code that imports and publishes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from django.utils import timezone

from credits.models import Company, User
from trackers import ingestion, publishing
from trackers.importers import records
from trackers.models import Conversation, Tracker, TrackerVersion


def record(external_id: str, *, started_at: datetime | None = None, **changes):
    """A short call in which the customer objects to the price, unless changed."""
    started_at = started_at or timezone.now() - timedelta(days=30)
    content = {
        "id": external_id,
        "source": "test",
        "kind": "call",
        "title": f"Call {external_id}",
        "started_at": started_at.isoformat(),
        "duration_seconds": 300,
        "team": "EMEA Sales",
        "owner": "rep@acme.example",
        "account": {"name": "Globex", "type": "prospect"},
        "deal": {"name": "Globex robots", "stage": "evaluation"},
        "participants": [
            {"id": "r", "name": "Rita Rep", "email": "rep@acme.example", "role": "internal"},
            {
                "id": "c",
                "name": "Carl Customer",
                "email": "carl@globex.example",
                "role": "external",
            },
        ],
        "utterances": [
            {"id": "u0", "speaker": "r", "start": 0.0, "text": "Here is our proposal."},
            {"id": "u1", "speaker": "c", "start": 4.5, "text": "That is too expensive for us."},
        ],
    }
    return records.parse(json.dumps(content | changes))


def ingest(company: Company, *incoming, now: datetime | None = None):
    """Take the records in and return the report of the whole."""
    report = ingestion.Report()
    for running in ingestion.ingest(company=company, records=incoming, now=now or timezone.now()):
        report = running
    return report


def conversation(company: Company, external_id: str, **changes) -> Conversation:
    ingest(company, record(external_id, **changes))
    return Conversation.objects.get(company=company, external_id=external_id)


def tracker(company: Company, name: str = "Pricing objection", **settings) -> Tracker:
    """A draft tracker about prices, on the customer's words in calls, unless changed."""
    version = {
        "question": settings.pop("question", "Did the customer object to the price?"),
        "side": settings.pop("side", "CUSTOMER"),
    }
    draft = Tracker.objects.create(
        company=company,
        name=name,
        **({"examples": ["That is too expensive.", "We have no budget for this."]} | settings),
    )
    TrackerVersion.objects.create(company=company, tracker=draft, number=1, **version)
    return draft


def published(company: Company, by: User, name: str = "Pricing objection", **settings) -> Tracker:
    now = settings.pop("now", None) or timezone.now()
    draft = tracker(company, name, **settings)
    return publishing.publish(tracker_id=draft.pk, edit_number=draft.edit_number, by=by, now=now)
