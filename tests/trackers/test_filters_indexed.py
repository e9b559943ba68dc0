"""Filters read an index however many conversations there are (issue 4, SPEC §5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import estimates, filters
from trackers.models import Conversation, Participant, Team, TeamMember, TrackerFilter

pytestmark = pytest.mark.django_db
COUNT = 5_000


@pytest.fixture
def acme():
    """Five thousand conversations of others, and one that each filter is about."""
    company = people.company()
    conversations.ingest(
        company,
        record("many", team="Many", owner="many@acme.example", participants=said("many")),
        record(
            "one",
            team="One",
            owner="one@acme.example",
            account={"name": "One", "type": "one"},
            deal={"name": "One", "stage": "one"},
            participants=said("one"),
        ),
    )
    copy_many(
        Conversation,
        "external_id",
        "external_id || n",
        "started_at",
        "started_at - n * interval '1 hour'",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trackers_participant"
            " (company_id, conversation_id, external_id, name, email, affiliation, team_member_id)"
            " SELECT c.company_id, c.id, p.external_id, '', '', p.affiliation, p.team_member_id"
            " FROM trackers_conversation c, trackers_participant p JOIN trackers_conversation o"
            " ON o.id = p.conversation_id"
            " WHERE o.external_id = 'many' AND c.external_id LIKE 'many_%'"
        )
        cursor.execute("ANALYZE trackers_conversation, trackers_participant")
    assert Participant.objects.count() == 2 * COUNT + 4
    return company


def said(name):
    return [
        {"id": "r", "name": "Rita", "email": f"{name}@acme.example", "role": "internal"},
        {"id": "c", "name": "Carl", "email": "carl@globex.example", "role": "external"},
    ]


def copy_many(model, *changes):
    changed = dict(zip(changes[::2], changes[1::2], strict=True)) | {"id": "gen_random_uuid()"}
    names = [field.column for field in model._meta.concrete_fields]
    values = ", ".join(changed.get(name, name) for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) SELECT {values}"
            f" FROM {model._meta.db_table}, generate_series(1, {COUNT}) n"
            " WHERE external_id = 'many'"
        )


def only(company, field):
    tracker = conversations.tracker(company, field)
    value = {
        "TEAM": {"team": Team.objects.get(name="One")},
        "USER": {"member": TeamMember.objects.get(email="one@acme.example")},
    }.get(field, {"text": "one"})
    TrackerFilter.objects.create(company=company, tracker=tracker, field=field, **value)
    return tracker


def plan_of(query) -> str:
    return query.explain()


def test_every_filter_finds_its_few_conversations_through_an_index(acme):
    for field in ("TEAM", "ACCOUNT_TYPE", "DEAL_STAGE", "USER"):
        tracker = only(acme, field)

        matched = filters.matching(tracker)
        backfill = estimates.unscanned(tracker, tracker.versions.get())
        plans = plan_of(matched), plan_of(backfill), plan_of(matched.order_by("started_at")[:1])

        assert [one.external_id for one in matched] == ["one"]
        for plan in plans:
            assert "Seq Scan on trackers_conversation" not in plan, f"{field}\n{plan}"
            assert "Seq Scan on trackers_participant" not in plan, f"{field}\n{plan}"
        TrackerFilter.objects.filter(tracker=tracker).delete()


def test_a_month_s_estimate_reads_the_month_alone(acme):
    tracker = conversations.tracker(acme)
    now = timezone.now()
    month = filters.with_item(
        filters.matching(tracker).filter(
            started_at__gte=now - timedelta(days=35), started_at__lt=now - timedelta(days=29)
        ),
        tracker.versions.get(),
    )

    assert "conversation_by_start" in plan_of(month)
