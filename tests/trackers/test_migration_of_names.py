"""Sentences with names, written by earlier versions, become ids or what can be told without."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers.models import Narrowing, Scan

pytestmark = pytest.mark.django_db

migration = import_module("trackers.migrations.0015_mends")
NOW = timezone.now()


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_who_skipped_something_is_no_name_any_more_and_other_reasons_stay(acme):
    conversations.published(acme, people.alice(acme), now=NOW)
    conversations.ingest(
        acme, *(record(name, started_at=NOW) for name in ("skipped", "replaced")), now=NOW
    )
    said = ("Skipped by Petra while it waited for credits.", "The tracker was unpublished.")
    for scan, reason in zip(Scan.objects.order_by("pk"), said, strict=True):
        Scan.objects.filter(pk=scan.pk).update(state="SKIPPED", finished_at=NOW, reason=reason)

    execute(migration.SKIPPED)

    assert list(Scan.objects.order_by("pk").values_list("reason", flat=True)) == [
        "Skipped while it waited for credits.",
        "The tracker was unpublished.",
    ]


def test_a_change_of_filters_that_can_be_told_from_ids_loses_its_sentence(acme):
    tracker = conversations.tracker(acme)
    said = (
        "Filters: user is Petra <petra@acme.example> → all conversations.",
        "The question was changed. Filters: user is Petra <petra@ac…",
        "The question was changed.",
        "Filters: kept, for nothing else tells this.",
    )
    for number, reason in enumerate(said, start=2):
        tracker.edit_number, tracker._change_reason = number, reason
        tracker.save()
    for number in (2, 3, 4):
        Narrowing.objects.create(
            company=acme,
            tracker=tracker,
            edit_number=number,
            calls_before=True,
            emails_before=False,
            filters_before=[],
            made_at=NOW,
        )

    execute(migration.FILTERS)

    rows = tracker.history.order_by("history_id").values_list("history_change_reason", flat=True)
    assert list(rows) == [
        None,
        None,
        "The question was changed.",
        "The question was changed.",
        "Filters: kept, for nothing else tells this.",
    ]
