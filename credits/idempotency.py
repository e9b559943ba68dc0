"""Do a client's write once, however often it is sent: the same key gives the first answer again.

Only what succeeded is remembered, in the transaction that did it. That it was done is remembered
for ever; what was answered, for 30 days, or until an erasure (SPEC §10).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from credits import erasure
from credits.ledger import IdempotencyConflict, Key
from credits.models import Company, IdempotencyRecord

ANSWER_KEPT = timedelta(days=30)
FORGET_BATCH = 1000
_ANY_SPACE = re.compile(r"(?:\s|\\[nrt])+")  # However a space is written in JSON.


class InFlight(Exception):
    """A request with this key is being answered; repeat it in a second."""


class AnswerExpired(Exception):
    """This was done before: its answer is no longer kept, and what was done stands."""

    def __init__(self, result_ref: UUID | None) -> None:
        self.result_ref = result_ref
        super().__init__(AnswerExpired.__doc__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client was told, to the byte; ``result_ref`` is the id of the row that was made."""

    status: int
    text: str
    location: str
    result_ref: UUID
    is_replay: bool = False


def once(
    *, company: Company, operation: str, key: Key, now: datetime, act: Callable[[], Answer]
) -> Answer:
    """Return what ``act`` answers, or what it answered when the key was first used.

    ``act`` runs in the transaction that remembers its answer: either both happen or neither. Of
    several at once one runs; the lock ends with its transaction, so none is left behind by a
    process that died.

    :raises InFlight: another request with the key is running; nothing was done.
    :raises IdempotencyConflict: the key was used with another body.
    :raises AnswerExpired: the answer is no longer kept.
    """
    with transaction.atomic():
        if not _locked(f"{company.pk} {operation} {key.text}"):
            raise InFlight(InFlight.__doc__)
        first = IdempotencyRecord.objects.filter(
            company=company, operation=operation, key=key.text
        ).first()
        if first is not None:
            return _replayed(first, key)
        answer = act()
        IdempotencyRecord.objects.create(
            company=company,
            operation=operation,
            key=key.text,
            body_sha256=key.body_sha256,
            result_ref=answer.result_ref,
            answer={
                "status": answer.status,
                "text": answer.text,
                "location": answer.location,
            },
            created_at=now,
        )
    return answer


@dataclass(slots=True)
class Claim:
    """A key that nobody else may use until its request is done.

    ``result_ref`` is what the key made before; None when it was not used.
    """

    company: Company
    operation: str
    key: Key
    result_ref: UUID | None = None

    def remember(self, result_ref: UUID, *, now: datetime) -> None:
        """Remember for ever what the key made: in the transaction that makes it."""
        IdempotencyRecord.objects.create(
            company=self.company,
            operation=self.operation,
            key=self.key.text,
            body_sha256=self.key.body_sha256,
            result_ref=result_ref,
            created_at=now,
        )


@contextmanager
def claimed(*, company: Company, operation: str, key: Key) -> Iterator[Claim]:
    """Have a key while work of some seconds is done that no transaction may be open for.

    The lock belongs to the connection: a process that dies leaves none behind, and the next
    request with the key does the work. The row that ``Claim.remember`` writes keeps it from being
    done twice even then. The first answer is made again from the row it names, not stored.

    :raises InFlight: another request with the key is running; nothing was done.
    :raises IdempotencyConflict: the key was used with another body.
    """
    name = f"{company.pk} {operation} {key.text}"
    if not _called("pg_try_advisory_lock", name):
        raise InFlight(InFlight.__doc__)
    try:
        first = IdempotencyRecord.objects.filter(
            company=company, operation=operation, key=key.text
        ).first()
        if first is not None and bytes(first.body_sha256) != key.body_sha256:
            raise IdempotencyConflict(IdempotencyConflict.__doc__)
        yield Claim(company, operation, key, first.result_ref if first else None)
    finally:
        # A connection that was lost has lost the lock as well.
        with suppress(DatabaseError):
            _called("pg_advisory_unlock", name)


def is_known(*, company: Company, operation: str, key: Key) -> bool:
    """Tell whether the key was used, with whatever body."""
    return IdempotencyRecord.objects.filter(
        company=company, operation=operation, key=key.text
    ).exists()


def wait_for(key: Key) -> None:
    """Let nobody else act under the key until the transaction ends; wait for whoever does now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key.text])


def forget_answers(*, now: datetime, batch_size: int = FORGET_BATCH) -> int:
    """Drop the answers of more than 30 days ago, some at a time; return how many there were.

    Their keys stay, and what was done with them is not done again.
    """
    forgotten = 0
    while True:
        old = IdempotencyRecord.objects.filter(
            answer__isnull=False, created_at__lte=now - ANSWER_KEPT
        )
        some = list(old.order_by("pk").values_list("pk", flat=True)[:batch_size])
        forgotten += IdempotencyRecord.objects.filter(pk__in=some).update(answer=None)
        if len(some) < batch_size:
            return forgotten


def forget_answers_to(*, company: Company, operations: str) -> int:
    """Drop a company's answers to the operations that begin so; return how many there were."""
    return _forget(
        IdempotencyRecord.objects.filter(company=company, operation__startswith=operations)
    )


def forget_answers_saying(*, company: Company | None, words: Iterable[str]) -> int:
    """Drop the answers that say one of some words; without a company, all companies'.

    However the words are spaced and capitalized. Returns how many answers there were.
    """
    wanted = {_spaced_once(_in_json(word.strip())) for word in words if word.strip()}
    if not wanted:
        return 0
    rows = IdempotencyRecord.objects.filter(answer__isnull=False)
    if company is not None:
        rows = rows.filter(company=company)
    texts = rows.values_list("pk", KeyTextTransform("text", "answer"))
    saying = [pk for pk, text in texts.iterator() if _says(text or "", wanted)]
    return _forget(IdempotencyRecord.objects.filter(pk__in=saying))


def _in_json(word: str) -> str:
    """Return a word as an answer's text has it."""
    return json.dumps(word, ensure_ascii=False)[1:-1]


def _says(text: str, wanted: set[str]) -> bool:
    said = _spaced_once(text)
    return any(word in said for word in wanted)


def _spaced_once(json_text: str) -> str:
    return _ANY_SPACE.sub(" ", json_text).casefold()


def _forget(rows: QuerySet[IdempotencyRecord]) -> int:
    """Drop answers; their keys stay, and what was done with them is not done again."""
    with erasure.allowed():
        some = list(rows.filter(answer__isnull=False).values_list("pk", flat=True))
        return IdempotencyRecord.objects.filter(pk__in=some).update(answer=None)


def _locked(name: str) -> bool:
    """Take the lock of that name until the transaction ends, unless somebody has it."""
    return _called("pg_try_advisory_xact_lock", name)


def _called(function: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


def _replayed(first: IdempotencyRecord, key: Key) -> Answer:
    if bytes(first.body_sha256) != key.body_sha256:
        raise IdempotencyConflict(IdempotencyConflict.__doc__)
    if first.answer is None or first.result_ref is None:
        raise AnswerExpired(first.result_ref)
    return Answer(**first.answer, result_ref=first.result_ref, is_replay=True)
