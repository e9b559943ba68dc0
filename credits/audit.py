"""The audit trail: write down who did what, when, from where, from what to what, and why.

Every act has one line in the operation that does it, or in the form where the operation is a
single call of the ledger::

    with transaction.atomic():
        audit.record(
            action=Action.VOIDED,
            by=by,                     # a User, an Actor for an API key, None for the system
            company=grant.company,     # None for what concerns no company
            subject=grant,             # the row acted on, or a Subject where there is none yet
            before={"credits": grant.remaining},
            after={"credits": ZERO},   # only what differs is kept
            reason=reason,
        )
        grants.void(...)

In the same transaction as the act, so that neither is there without the other, and before the
ledger's own call, which holds the company's pool until the commit and is therefore the last
statement (DESIGN §3). The exception is ``credits.admin.booking``: what a person books by hand is
rare, and its line states what the ledger answered. A refusal takes the line back with everything
else. A replay of a client's key is no second act: wait for the key and look before.

Acts of machines that the ledger states itself (charges, expiry, lapse) have their entry and no
line here. Where an act comes from is found in ``credits.origins``, which the middleware, commands
and tasks set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from django.db.models.functions import Now

from credits import amounts, erasure, origins
from credits.models import AuditAction, AuditActor, AuditEvent, AuditText, Company, User

# Callers say ``audit.record(action=Action.GRANTED, …)``.
Action = AuditAction

LABEL_LENGTH_MAX = 254
VALUE_LENGTH_MAX = 2000
VALUES_MAX = 200
# Never written down, whatever a form calls its fields.
SECRETS = ("password", "secret", "token")
HIDDEN = "(not shown)"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts and is no person that is signed in: an API key, or nobody known.

    ``ref`` is the key's id, None for nobody.
    """

    kind: AuditActor
    ref: UUID | None = None
    name: str = ""


NOBODY = Actor(AuditActor.NOBODY)


@dataclass(frozen=True, slots=True)
class Subject:
    """What was acted on, where there is no row to pass: its kind, id, and what it is called."""

    type: str
    id: str = ""
    label: str = ""


def record(
    *,
    action: Action,
    by: User | Actor | None,
    company: Company | int | None,
    subject: Model | Subject,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    about: User | None = None,
) -> AuditEvent:
    """Write one act down, inside the caller's transaction and before its ledger call; return it.

    ``by`` None is the system. ``before`` and ``after`` are fields by name; those that differ are
    kept, as people read them. ``about`` is the person whom ``subject`` or the values name, so
    that erasing that person finds the text; a subject that is a person needs no ``about``.
    """
    origin, actor = origins.current(), _actor(by)
    named = subject_of(subject)
    if about is None and isinstance(subject, User):
        about = subject
    changes = _changes(before or {}, after or {})
    event = AuditEvent(
        company_id=company.pk if isinstance(company, Company) else company,
        action=action,
        actor_kind=actor.kind,
        actor_ref=actor.ref,
        about_ref=None if about is None else about.public_id,
        door=origin.door,
        job=origin.job,
        subject_type=named.type,
        subject_id=named.id,
        changed_fields=[str(change["field"])[:100] for change in changes],
        request_id=origin.request_id,
    )
    text = AuditText(
        event=event,
        actor_name=actor.name[:LABEL_LENGTH_MAX],
        ip=origin.ip,
        user_agent=origin.user_agent,
        subject_label=named.label[:LABEL_LENGTH_MAX],
        changes=changes,
        reason=_cut(reason),
    )
    with transaction.atomic():
        # Rows of this kind refuse to be saved, since saving could change one.
        AuditEvent.objects.bulk_create([event])
        AuditText.objects.bulk_create([text])
    return event


def named(row: Model, label: str) -> Subject:
    """Return a row as a subject that is called otherwise than the row calls itself."""
    return Subject(type_of(row.__class__), str(row.pk), label)


def erase_person(*, public_id: UUID) -> int:
    """Blank what the trail says of a person in words (SPEC §10); return how many texts it changed.

    Their name and addresses go where they acted, and what they were called and had where others
    acted on them. Who acted stays as an opaque id, as do the action, its time and which fields
    changed. The trigger on the table allows this and nothing else.
    """
    with erasure.allowed():
        return _blank_person(public_id)


def _blank_person(public_id: UUID) -> int:
    acted = AuditText.objects.filter(event__actor_ref=public_id).exclude(
        actor_name="", ip=None, user_agent=""
    )
    count = acted.update(actor_name="", ip=None, user_agent="", erased_at=Now())
    named = AuditText.objects.filter(event__about_ref=public_id).exclude(
        subject_label="", changes=[], reason=""
    )
    return count + named.update(subject_label="", changes=[], reason="", erased_at=Now())


def erase_subjects(*, kind: str, ids: Collection[str]) -> int:
    """Blank the words about rows of one kind, whoever acted on them; return how many texts."""
    found = AuditText.objects.filter(
        event__subject_type=kind, event__subject_id__in=list(ids)
    ).exclude(subject_label="", changes=[], reason="")
    with erasure.allowed():
        return found.update(subject_label="", changes=[], reason="", erased_at=Now())


def type_of(model: type[Model]) -> str:
    """Return how events name a model's rows."""
    return model._meta.label_lower


def subject_of(subject: Model | Subject) -> Subject:
    """Return how events name a row; a person by the public id, which outlives the row."""
    if isinstance(subject, Subject):
        return subject
    ref = subject.public_id if isinstance(subject, User) else subject.pk
    # A row without a name of its own calls itself by its id, which needs no second telling.
    label = str(subject)
    # Not type(): a request's user is known only by what it says of itself.
    return Subject(
        type_of(subject.__class__), str(ref), "" if label.endswith(f" {subject.pk}") else label
    )


def _actor(by: User | Actor | None) -> Actor:
    match by:
        case User():
            return Actor(AuditActor.PERSON, by.public_id, by.get_full_name())
        case None:
            return Actor(AuditActor.SYSTEM, name=origins.current().who)
        case _:
            return by


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Return the fields that differ, as text; a field that is missing or empty is None."""
    found = []
    for field in dict.fromkeys((*before, *after)):
        old, new = _value(before.get(field)), _value(after.get(field))
        if old == new:
            continue
        if any(secret in field.lower() for secret in SECRETS):
            old, new = old and HIDDEN, new and HIDDEN
        found.append({"field": field, "before": old, "after": new})
    return found


def _value(value: Any) -> str | None:
    match value:
        case None | "":
            return None
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return amounts.text(value)
        case datetime():
            return value.isoformat(timespec="seconds")
        case date():
            return value.isoformat()
        case Enum():
            return str(getattr(value, "label", value.value))
        case list() | tuple() | set() | frozenset():
            texts = [text for one in value if (text := _value(one)) is not None]
            shown = texts if isinstance(value, list | tuple) else sorted(texts)
            return _cut("; ".join(shown[:VALUES_MAX])) or None
        case _:
            return _cut(str(value)) or None


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_LENGTH_MAX else f"{text[: VALUE_LENGTH_MAX - 1]}…"
