"""Whom and what can be asked about, and which calls and e-mails that selects (SPEC §5)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Max, Q, QuerySet

from credits import rating
from credits.models import Company
from credits.rating import Work
from trackers import periods
from trackers.models import (
    Contact,
    Conversation,
    ConversationKind,
    CustomerAccount,
    Deal,
    EntityType,
    Participant,
)
from trackers.periods import Span
from trackers.requesters import Requester

CALLS_MAX = 60
EMAILS_MAX = 500
NAMES_MAX = 20
IDS_MAX = 5
OF_ACCOUNT = re.compile(r"(.+?) \(of (.+)\)", re.DOTALL)


class UnknownEntity(Exception):
    """There is no such account, deal, contact or lead in your company."""

    def __init__(self, entity_type: EntityType) -> None:
        noun = EntityType(entity_type).label.lower()
        super().__init__(f"There is no such {noun} in your company.")


class AmbiguousName(UnknownEntity):
    """Several have this name; name one by its id."""

    def __init__(self, entity_type: EntityType, name: str, rows: QuerySet[Any]) -> None:
        noun = EntityType(entity_type).label.lower()
        ids = [_in_words(row) for row in _with_account(rows).order_by("name", "pk")[:IDS_MAX]]
        more = rows.count() - len(ids)
        listed = ", ".join(ids) + (f" and {more:,} more" if more > 0 else "")
        how = f", or as “{name} (of …)” by its account" if entity_type == EntityType.DEAL else ""
        Exception.__init__(
            self, f"Several {noun}s are named “{name}”: {listed}. Name one by its id{how}."
        )


@dataclass(frozen=True, slots=True)
class Entity:
    """An account, a deal, a contact or a lead of one company."""

    type: EntityType
    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read for a request: at most 60 calls and 500 e-mails, each newest first.

    ``revisions`` holds the text revision of each, and ``work`` what reading them is; ``digest``
    is the same for the same conversations with the same texts. The span is half-open.
    """

    calls: tuple[UUID, ...]
    emails: tuple[UUID, ...]
    revisions: dict[UUID, int]
    work: Work
    digest: bytes
    since: datetime | None
    until: datetime

    @property
    def ids(self) -> tuple[UUID, ...]:
        return self.calls + self.emails


def find(*, company: Company, entity_type: EntityType, id: UUID | str) -> Entity:
    """Return the entity of our id, of the CRM's, or of the name or address only it has.

    A deal may be named together with its account: “Renewal (of Globex)”.

    :raises UnknownEntity: there is none in the company.
    :raises AmbiguousName: several have the name; the message names them.
    """
    rows = _rows(company, entity_type)
    text = str(id).strip()
    found = _ours(rows, text) or (rows.filter(external_id=text).first() if text else None)
    if found is None:
        found = _named(rows, entity_type, text)
    if found is None and entity_type == EntityType.DEAL and (parts := OF_ACCOUNT.fullmatch(text)):
        name, account = parts.groups()
        found = _named(rows.filter(account__name__iexact=account), entity_type, name)
    if found is None:
        raise UnknownEntity(entity_type)
    return Entity(type=EntityType(entity_type), id=found.pk, name=str(found))


def address_of(entity: Entity) -> str:
    """Return what a person writes to name an entity: a name, or a person's e-mail address.

    A deal whose name another has too is named by its id.
    """
    if entity.type == EntityType.DEAL:
        same = Deal.objects.filter(pk=entity.id).values("company")
        rows = Deal.objects.filter(company__in=same, name__iexact=entity.name)
        return entity.name if rows.count() == 1 else str(entity.id)
    if entity.type in (EntityType.CONTACT, EntityType.LEAD):
        return Contact.objects.get(pk=entity.id).email
    return entity.name


def search(*, company: Company, entity_type: EntityType, text: str) -> list[Entity]:
    """Return the first entities, by name, of which the name or address has the text in it."""
    rows = (
        _rows(company, entity_type).filter(_has(entity_type, text))
        if text
        else _rows(company, entity_type)
    )
    return [
        Entity(type=EntityType(entity_type), id=row.pk, name=str(row))
        for row in rows.order_by("name", "pk")[:NAMES_MAX]
    ]


def conversations(*, company_id: int, entity_type: EntityType, id: UUID) -> QuerySet[Conversation]:
    """Return the conversations of an entity, whenever they were."""
    rows = Conversation.objects.filter(company_id=company_id, erased_at=None)
    match entity_type:
        case EntityType.ACCOUNT:
            return rows.filter(account=id)
        case EntityType.DEAL:
            return rows.filter(deal=id)
    took_part = Participant.objects.filter(company_id=company_id, contact=id)
    return rows.filter(pk__in=took_part.values("conversation"))


def selection(*, entity: Entity, period: Span, requester: Requester, now: datetime) -> Selection:
    """Choose what is read: of the entity, in the period, that the requester may read."""
    rows = conversations(
        company_id=requester.company.pk, entity_type=entity.type, id=entity.id
    ).filter(requester.conversations)
    newest = rows.aggregate(newest=Max("started_at"))["newest"]
    since, until = periods.bounds(
        period.name,
        company=requester.company,
        now=now,
        newest=newest,
        since=period.since,
        until=period.until,
    )
    rows = rows.filter(started_at__lt=until)
    if since is not None:
        rows = rows.filter(started_at__gte=since)
    calls = _newest(rows, ConversationKind.CALL, CALLS_MAX)
    emails = _newest(rows, ConversationKind.EMAIL, EMAILS_MAX)
    counts: dict[str, int] = {}
    for row in (*calls, *emails):
        counts[row["item"]] = counts.get(row["item"], 0) + 1
    revisions = {row["pk"]: row["text_revision"] for row in (*calls, *emails)}
    return Selection(
        calls=tuple(row["pk"] for row in calls),
        emails=tuple(row["pk"] for row in emails),
        revisions=revisions,
        work=Work.of_items(counts),
        digest=_digest(revisions),
        since=since,
        until=until,
    )


def _newest(rows: QuerySet[Conversation], kind: str, limit: int) -> list[dict[str, Any]]:
    item = rating.item_of(
        kind="kind",
        duration_seconds="duration_seconds",
        has_text=Q(company_text_count__gt=0) | Q(non_company_text_count__gt=0),
    )
    chosen = rows.filter(kind=kind).annotate(item=item).order_by("-started_at", "-pk")
    return [dict(row) for row in chosen.values("pk", "text_revision", "item")[:limit]]


def _digest(revisions: dict[UUID, int]) -> bytes:
    digest = hashlib.sha256()
    for pk, revision in sorted(revisions.items()):
        digest.update(f"{pk} {revision}\n".encode())
    return digest.digest()


def _rows(company: Company, entity_type: EntityType) -> QuerySet[Any]:
    match entity_type:
        case EntityType.ACCOUNT:
            return CustomerAccount.objects.filter(company=company)
        case EntityType.DEAL:
            return Deal.objects.filter(company=company)
        case EntityType.CONTACT:
            return Contact.objects.filter(company=company, removed_at=None)
    return Contact.objects.filter(company=company, removed_at=None, account=None)


def _ours(rows: QuerySet[Any], text: str) -> models.Model | None:
    try:
        return rows.filter(pk=UUID(text)).first()
    except ValueError:
        return None


def _named(rows: QuerySet[Any], entity_type: EntityType, name: str) -> models.Model | None:
    is_person = entity_type in (EntityType.CONTACT, EntityType.LEAD)
    near = rows.filter(**{"email__iexact" if is_person else "name__iexact": name})
    found = list(near[:2])
    if len(found) > 1:
        exact = near if is_person else near.filter(name=name)
        found = list(exact[:2])
        if len(found) != 1:
            raise AmbiguousName(entity_type, name, exact if found else near)
    return found[0] if found else None


def _with_account(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows if rows.model is CustomerAccount else rows.select_related("account")


def _in_words(row: CustomerAccount | Deal | Contact) -> str:
    """Return an entity's id, with the account that tells it from its namesakes."""
    if isinstance(row, CustomerAccount):
        return f"{row.pk} (“{row.name}”)"
    return f"{row.pk} (of {row.account})" if row.account_id else str(row.pk)


def _has(entity_type: EntityType, text: str) -> Q:
    named = Q(name__icontains=text)
    if entity_type in (EntityType.CONTACT, EntityType.LEAD):
        named |= Q(email__icontains=text)
    return named
