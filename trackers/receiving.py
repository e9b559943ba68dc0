"""Take in what a company's programs send, with an answer for each conversation (SPEC §8).

Checked and written by the code that imports; what it did is read off the rows before and after.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, get_args
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, TextChoices
from pydantic import BaseModel

from credits import audit
from credits.audit import Action, Actor
from credits.models import Company, UsageAction
from credits.rating import Rates
from trackers import ingestion
from trackers.importers import records
from trackers.importers.records import BadRecord, ConversationRecord
from trackers.models import Conversation, Scan

# Somebody else's import may make the same conversation or account at the same time.
TRIES_MAX = 3
REASON_ERASED = "A conversation with this id was erased; it is not taken in again."
REASON_TWICE = "This id is there twice; send it once."


class Outcome(TextChoices):
    """What became of one conversation that was sent."""

    CREATED = "CREATED", "Not there before"
    REVISED = "REVISED", "A new text revision; nothing is read or charged by itself"
    UPDATED = "UPDATED", "Other facts about it; its text is the same"
    UNCHANGED = "UNCHANGED", "The same as before"
    REFUSED = "REFUSED", "Not taken in; the reason says why"


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one of them; ``trackers`` is for how many it is new, and queued."""

    index: int
    outcome: Outcome
    id: UUID | None = None
    revision: int | None = None
    trackers: int = 0
    reason: str = ""
    is_erased: bool = False

    @property
    def is_new(self) -> bool | None:
        """Tell whether trackers read it by themselves; None for what was there before."""
        return self.trackers > 0 if self.outcome == Outcome.CREATED else None


@dataclass(slots=True)
class Receipt:
    """What became of all of them; ``credits`` is what reading the new ones will use."""

    items: list[Item] = field(default_factory=list)
    credits: Decimal | None = None

    def count(self, outcome: Outcome) -> int:
        return sum(item.outcome == outcome for item in self.items)

    @property
    def new(self) -> int:
        return sum(item.is_new is True for item in self.items)

    @property
    def history(self) -> int:
        return sum(item.is_new is False for item in self.items)

    @property
    def scans(self) -> int:
        return sum(item.trackers for item in self.items)


class _Stored(NamedTuple):
    pk: UUID
    text_revision: int
    metadata_digest: bytes


def receive(
    *, company: Company, sent: Sequence[Mapping[str, Any]], by: Actor, now: datetime
) -> Receipt:
    """Take in what can be read, all of it or, if anything fails, nothing; answer for each.

    One request of a company at a time, so that of two with the same conversation the second finds
    what the first has made.

    :raises CompanyClosed: nothing more is taken in.
    """
    with transaction.atomic():
        ingestion.take_turns(company)
        receipt = _taken_in(company, sent, now)
        audit.record(
            action=Action.IMPORTED,
            by=by,
            company=company,
            subject=audit.Subject(audit.type_of(Conversation), label=f"{len(sent)} sent by API"),
            after={
                outcome.value.lower(): count
                for outcome in Outcome
                if (count := receipt.count(outcome))
            },
        )
    return receipt


def preview(
    *, company: Company, sent: Sequence[Mapping[str, Any]], now: datetime, rates: Rates
) -> Receipt:
    """Say what would become of each, and what reading the new ones will use; nothing is kept.

    :raises CompanyClosed: nothing would be taken in.
    """
    with transaction.atomic():
        ingestion.take_turns(company)
        receipt = _taken_in(company, sent, now)
        transaction.set_rollback(True)
    kept = [None if item.outcome == Outcome.CREATED else item.id for item in receipt.items]
    readable, _ = _read(sent, now)
    planned = ingestion.preview(
        company=company, records=list(readable.values()), now=now, rates=rates
    )
    items = [
        Item(
            index=item.index,
            outcome=item.outcome,
            id=pk,
            revision=item.revision,
            trackers=item.trackers,
            reason=item.reason,
            is_erased=item.is_erased,
        )
        for item, pk in zip(receipt.items, kept, strict=True)
    ]
    return Receipt(items, planned.credits)


def _taken_in(company: Company, sent: Sequence[Mapping[str, Any]], now: datetime) -> Receipt:
    readable, refused = _read(sent, now)
    ids = {record.id for record in readable.values()}
    for attempt in range(1, TRIES_MAX + 1):
        before = _stored(company, ids)
        try:
            with transaction.atomic():
                for _ in ingestion.ingest(
                    company=company, records=list(readable.values()), now=now
                ):
                    pass
            break
        except IntegrityError:
            if attempt == TRIES_MAX:
                raise
    after = _stored(company, ids)
    created = [after[key].pk for key in after.keys() - before.keys()]
    queued = _queued(created)
    items = dict(refused)
    for index, record in readable.items():
        items[index] = _item(index, before.get(record.id), after.get(record.id), queued)
    return Receipt([items[index] for index in range(len(sent))])


def _item(
    index: int,
    before: _Stored | None,
    after: _Stored | None,
    queued: Mapping[UUID, int],
) -> Item:
    if after is None:
        return Item(index, Outcome.REFUSED, reason=REASON_ERASED, is_erased=True)
    if before is None:
        outcome = Outcome.CREATED
    elif after.text_revision != before.text_revision:
        outcome = Outcome.REVISED
    elif after.metadata_digest != before.metadata_digest:
        outcome = Outcome.UPDATED
    else:
        outcome = Outcome.UNCHANGED
    trackers = queued.get(after.pk, 0)
    return Item(index, outcome, after.pk, after.text_revision, trackers)


def _read(
    sent: Sequence[Mapping[str, Any]], now: datetime
) -> tuple[dict[int, ConversationRecord], dict[int, Item]]:
    """Return what can be read, and what is refused, by place."""
    readable: dict[int, ConversationRecord] = {}
    refused: dict[int, Item] = {}
    seen: set[str] = set()
    for index, data in enumerate(sent):
        try:
            _refuse_unknown(ConversationRecord, data, "")
            record = records.parse(json.dumps(data))
            records.refuse_future(record, arrived_at=now)
            if record.id in seen:
                raise BadRecord(REASON_TWICE)
        except BadRecord as error:
            refused[index] = Item(index, Outcome.REFUSED, reason=str(error))
        else:
            seen.add(record.id)
            readable[index] = record
    return readable, refused


def _refuse_unknown(model: type[BaseModel], data: Any, path: str) -> None:
    """Check the names of an object and of those in it.

    :raises BadRecord: there is one that the format does not have.
    """
    if not isinstance(data, Mapping):
        return  # Said by the model.
    for name, value in data.items():
        if name not in model.model_fields:
            known = ", ".join(model.model_fields)
            raise BadRecord(f"{path}{name[:60]} is no field of it; those there are: {known}")
        inner = _model_in(model.model_fields[name].annotation)
        if inner is not None:
            for one in value if isinstance(value, list) else [value]:
                _refuse_unknown(inner, one, f"{path}{name}.")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds one or several of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)


def _stored(company: Company, external_ids: Iterable[str]) -> dict[str, _Stored]:
    rows = Conversation.objects.filter(company=company, external_id__in=list(external_ids))
    return {
        external_id: _Stored(pk, revision, bytes(digest))
        for external_id, pk, revision, digest in rows.values_list(
            "external_id", "pk", "text_revision", "metadata_digest"
        )
    }


def _queued(conversation_ids: list[UUID]) -> Mapping[UUID, int]:
    """Count for how many trackers each of the conversations, just made, is new."""
    rows = (
        Scan.objects.filter(conversation__in=conversation_ids, action=UsageAction.CONTINUOUS)
        .order_by()
        .values_list("conversation")
        .annotate(count=Count("pk"))
    )
    return Counter(dict(rows))
