"""The audit trail: one line an act, in the act's own transaction, never changed, only blanked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction

from credits import audit, grants, origins
from credits.audit import Action
from credits.models import (
    AppendOnly,
    AuditActor,
    AuditEvent,
    AuditText,
    Membership,
    Role,
    Source,
    User,
)
from tests.support import people
from tests.support.breaking import copy_refused_by, refused_by, update_refused_by

pytestmark = pytest.mark.django_db

UPSERT = (
    "INSERT INTO {table} SELECT * FROM {table} LIMIT 1"
    " ON CONFLICT ({key}) DO UPDATE SET {key} = excluded.{key}"
)


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def vera():
    return people.vera()


def write(company, by, **changes):
    act = {
        "action": Action.CHANGED,
        "by": by,
        "company": company,
        "subject": company,
        "before": {"name": "Acme"},
        "after": {"name": "Acme Inc."},
        "reason": "They were bought",
    }
    return audit.record(**(act | changes))


def moved(event) -> list[tuple]:
    changes = text_of(event).changes
    return [(one["field"], one["before"], one["after"]) for one in changes]


def text_of(event) -> AuditText:
    return AuditText.objects.get(event=event)


def test_a_line_says_who_did_what_from_where_and_why(acme, vera):
    origin = origins.Origin(
        door="ADMIN", ip="203.0.113.9", user_agent="Firefox", request_id="request-1"
    )

    with origins.coming_from(origin):
        event = write(acme, vera)

    event = AuditEvent.objects.get(pk=event.pk)
    text = text_of(event)
    assert (event.action, event.company, event.actor_kind) == ("CHANGED", acme, "PERSON")
    assert (event.actor_ref, text.actor_name) == (vera.public_id, vera.email)
    assert (event.door, text.ip, text.user_agent) == ("ADMIN", "203.0.113.9", "Firefox")
    assert event.request_id == "request-1"
    assert (event.subject_type, event.subject_id) == ("credits.company", str(acme.pk))
    assert text.subject_label == "Acme"
    assert text.changes == [{"field": "name", "before": "Acme", "after": "Acme Inc."}]
    assert event.changed_fields == ["name"]
    assert text.reason == "They were bought"


def test_only_what_differs_is_kept_as_people_read_it(acme, vera):
    before = {
        "credits": Decimal("12.500"),
        "role": Role.VIEWER,
        "names": ["b", "a"],
        "is_active": True,
        "same": 1,
        "note": "",
        "left": "x",
    }
    after = {
        "credits": Decimal("0"),
        "role": Role.TECH_ADMIN,
        "names": ["b"],
        "is_active": False,
        "same": 1,
        "note": None,
        "from": datetime(2026, 3, 2, 12, 0, 1, 5, tzinfo=UTC),
    }

    event = write(acme, vera, before=before, after=after)

    assert moved(event) == [
        ("credits", "12.5", "0.0"),
        ("role", "Viewer", "Tech admin"),
        ("names", "b; a", "b"),
        ("is_active", "yes", "no"),
        ("left", "x", None),
        ("from", None, "2026-03-02T12:00:01+00:00"),
    ]


def test_no_secret_is_written_down_whatever_its_field_is_called(acme, vera):
    event = write(acme, vera, before={}, after={"New_Password": "hunter2", "api_token": "t0k3n"})

    kept = json.dumps(text_of(event).changes)
    assert "hunter2" not in kept
    assert "t0k3n" not in kept
    assert event.changed_fields == ["New_Password", "api_token"]


def test_long_text_is_cut_and_the_line_still_written(acme, vera):
    event = write(acme, vera, after={"name": "x" * 5000}, reason="y" * 5000)

    text = text_of(event)
    assert len(text.changes[0]["after"]) == 2000
    assert len(text.reason) == 2000


def test_an_api_key_the_system_and_nobody_act_under_their_own_kind(acme, vera):
    key = audit.Actor(AuditActor.API_KEY, vera.public_id, "tk_1234")
    with origins.coming_from(origins.of_task("allocate")):
        by_system = write(acme, None)

    by_key, by_nobody = write(acme, key), write(acme, audit.NOBODY)

    assert (by_key.actor_kind, by_key.actor_ref) == ("API_KEY", vera.public_id)
    assert (by_system.actor_kind, by_system.actor_ref) == ("SYSTEM", None)
    assert (by_system.door, by_system.job) == ("TASK", "allocate")
    assert (by_nobody.actor_kind, by_nobody.actor_ref) == ("NOBODY", None)


def test_an_act_and_the_entry_it_made_are_of_one_clock(acme, clock_at, vera):
    event = write(acme, vera)

    assert AuditEvent.objects.get(pk=event.pk).occurred_at == clock_at


@pytest.fixture
def clock_at():
    from config.demo.clock import seeded_clock

    instant = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with seeded_clock(instant):
        yield instant


def test_a_refused_act_leaves_no_line(acme, vera):
    yesterday = datetime(2020, 1, 1, tzinfo=UTC)

    def grant() -> None:
        with transaction.atomic():
            write(acme, vera)
            grants.issue(
                company=acme,
                source=Source.ADJUSTMENT,
                amount=Decimal(1),
                by=vera,
                expires_at=yesterday,
            )

    with pytest.raises(grants.GrantExpiresBeforeItStarts):
        grant()

    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("action", ["UPDATE", "DELETE", "TRUNCATE", "UPSERT"])
def test_events_are_never_changed(acme, vera, action):
    event = write(acme, vera)
    table = AuditEvent._meta.db_table
    statement = {
        "UPDATE": f"UPDATE {table} SET action = 'DELETED'",
        "DELETE": f"DELETE FROM {table}",
        # Its text points to it: both at once, or PostgreSQL refuses for that reason.
        "TRUNCATE": f"TRUNCATE {table}, credits_audittext",
        "UPSERT": UPSERT.format(table=table, key="id"),
    }[action]

    assert refused_by(statement) == f"{table}_is_append_only"
    assert AuditEvent.objects.get(pk=event.pk).action == "CHANGED"


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}"])
def test_the_text_of_an_event_is_never_removed(acme, vera, statement):
    write(acme, vera)

    refused = refused_by(statement.format("credits_audittext"))

    assert refused == "credits_audittext_is_append_only"


@pytest.mark.parametrize(
    "changes",
    [
        {"actor_name": "Somebody else"},
        {"actor_name": "Somebody else", "erased_at": datetime(2199, 1, 1, tzinfo=UTC)},
        {"ip": "198.51.100.1", "erased_at": datetime(2199, 1, 1, tzinfo=UTC)},
        {"user_agent": "Chrome", "erased_at": datetime(2199, 1, 1, tzinfo=UTC)},
        {"subject_label": "Beta", "erased_at": datetime(2199, 1, 1, tzinfo=UTC)},
        {"changes": '[{"field": "name"}]', "erased_at": datetime(2199, 1, 1, tzinfo=UTC)},
        {"reason": "No reason", "erased_at": datetime(2199, 1, 1, tzinfo=UTC)},
        # Blank, and not said to be: an erasure shows.
        {"reason": ""},
    ],
)
def test_the_text_of_an_event_is_never_rewritten(acme, vera, changes):
    text = text_of(write(acme, vera))

    assert update_refused_by(text, **changes) == "credits_audittext_is_only_erased"


def test_erased_text_does_not_come_back(acme, vera):
    event = write(acme, vera)
    audit.erase_person(public_id=vera.public_id)

    refused = update_refused_by(text_of(event), actor_name="Vera", erased_at="2199-01-01")

    assert refused == "credits_audittext_is_only_erased"


def test_python_refuses_what_the_triggers_refuse(acme, vera):
    event = write(acme, vera)

    for row in (event, text_of(event)):
        with pytest.raises(AppendOnly):
            row.save()
        with pytest.raises(AppendOnly):
            row.delete()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"action": "WHIM"}, "audit_action_is_known"),
        ({"door": "WINDOW"}, "audit_door_is_known"),
        ({"actor_ref": None}, "audit_actor_is_named_by_its_id"),
        ({"actor_kind": "SYSTEM"}, "audit_actor_is_named_by_its_id"),
        ({"actor_kind": "SPIRIT"}, "audit_actor_is_named_by_its_id"),
    ],
)
def test_an_event_of_unknown_kind_is_refused(acme, vera, changes, constraint):
    event = AuditEvent.objects.get(pk=write(acme, vera).pk)
    new_key = {"id": vera.public_id}

    assert copy_refused_by(event, **(new_key | changes)) == constraint


def test_erasing_a_person_takes_their_words_and_leaves_the_act(acme, vera):
    alice = people.alice(acme)
    membership = Membership.objects.get(user=alice)
    with origins.coming_from(origins.Origin(door="ADMIN", ip="203.0.113.9", user_agent="Firefox")):
        by_alice = write(acme, alice)
        about_alice = write(
            acme,
            vera,
            subject=audit.Subject("credits.membership", str(membership.pk), "Alice in Acme"),
            after={"role": Role.VIEWER},
            before={"role": Role.TECH_ADMIN},
            about=alice,
        )
        of_alice = write(None, vera, subject=alice, after={"name": "Alicia"}, before={})
        of_others = write(acme, vera)

    count = audit.erase_person(public_id=alice.public_id)

    assert count == 3
    acted = text_of(by_alice)
    assert (acted.actor_name, acted.ip, acted.user_agent) == ("", None, "")
    # What was done to the company is the company's, and stays.
    assert (acted.subject_label, acted.reason) == ("Acme", "They were bought")
    for event in (about_alice, of_alice):
        text = text_of(event)
        assert (text.subject_label, text.changes, text.reason) == ("", [], "")
        assert text.actor_name == vera.email
        assert text.erased_at is not None
    assert AuditEvent.objects.get(pk=about_alice.pk).changed_fields == ["role"]
    assert AuditEvent.objects.get(pk=by_alice.pk).actor_ref == alice.public_id
    assert text_of(of_others).erased_at is None
    everything = json.dumps(
        [*AuditEvent.objects.values(), *AuditText.objects.values()], default=str
    )
    assert "alic" not in everything.lower()
    assert audit.erase_person(public_id=alice.public_id) == 0


def test_erasing_a_subject_takes_its_words(acme, vera):
    event, other = write(acme, vera), write(acme, vera, subject=vera)
    named = audit.subject_of(acme)

    assert audit.erase_subjects(kind=named.type, ids=[named.id]) == 1

    assert (text_of(event).subject_label, text_of(event).changes) == ("", [])
    assert text_of(event).actor_name == vera.email
    assert text_of(other).erased_at is None


def test_people_of_the_audit_are_found_however_they_are_called(acme):
    """Erasure finds a person by the id their rows carry, not by a name that changes."""
    alice = people.alice(acme)
    event = write(acme, vera := people.vera(), subject=alice)
    User.objects.filter(pk=alice.pk).update(name="Somebody", email="else@acme.example")

    audit.erase_person(public_id=alice.public_id)

    assert text_of(event).subject_label == ""
    assert text_of(event).actor_name == vera.email
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM credits_audittext WHERE erased_at IS NOT NULL")
        assert cursor.fetchone() == (1,)
