"""Conversations that were there before parts of calls get the times that an import would store."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps

from tests.support import conversations, people
from tests.support.conversations import record
from trackers.models import Conversation

pytestmark = pytest.mark.django_db

migration = import_module("trackers.migrations.0003_kinds")
TIMES = [
    f"{side}_{which}_seconds" for side in ("company", "non_company") for which in ("first", "last")
]


def said(*turns) -> list[dict]:
    return [
        {"id": f"u{at}", "speaker": who, "start": start, "text": text}
        for at, (who, start, text) in enumerate(turns)
    ]


def times() -> dict[str, tuple]:
    rows = Conversation.objects.values_list("external_id", *TIMES)
    return {external_id: tuple(rest) for external_id, *rest in rows}


def test_old_conversations_get_the_times_that_an_import_stores(monkeypatch):
    monkeypatch.setattr(migration, "BATCH_SIZE", 2)
    company = people.company()
    timed = said(("c", None, "Hello."), ("r", 9.5, "–"), ("r", None, "Yes."), ("c", 61.0, "7"))
    conversations.ingest(
        company,
        record("timed", utterances=timed),
        record("untimed", utterances=said(("r", None, "Yes."), ("c", None, "No."))),
        record("mail", kind="email", duration_seconds=0, utterances=timed),
        record("revised", utterances=timed),
        record("silent", utterances=[]),
    )
    conversations.ingest(company, record("revised", utterances=said(("c", 3.0, "Changed."))))
    imported = times()
    Conversation.objects.update(**dict.fromkeys(TIMES))

    migration.write_times(apps, None)

    assert times() == imported
    assert imported["timed"] == pytest.approx((9.5, 9.5, 0, 61))
    assert imported["untimed"] == imported["mail"] == imported["silent"] == (None,) * 4
    assert imported["revised"] == (None, None, 3, 3)
