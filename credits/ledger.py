"""The one door to the ledger's SQL functions (DESIGN §3).

Only these functions write ledger entries, a grant's remaining credits and a pool's balance. Each
is one statement; in a transaction the last one before the commit: it holds the company's pool.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from credits import amounts, faults
from credits.rating import Work

KEY_LENGTH_MAX = 255


class Outcome(NamedTuple):
    """What an operation answered, with the pool as it was when the operation ended.

    ``available`` is what can be spent now: balance minus what is held. ``until`` is the instant
    the answer is about: when a lease or a pool's quiet ends, or when a reservation was closed.
    """

    outcome: str
    instant: datetime
    required: Decimal | None
    available: Decimal
    balance: Decimal
    reserved: Decimal
    sequence: int
    entry_id: int | None
    result_ref: UUID | None
    until: datetime | None

    @property
    def certain_ref(self) -> UUID:
        """Return the row that was made or found, for outcomes that name one."""
        assert self.result_ref is not None
        return self.result_ref

    @property
    def certain_until(self) -> datetime:
        """Return the instant, for outcomes that name one."""
        assert self.until is not None
        return self.until


@dataclass(frozen=True, slots=True)
class Use:
    """What is paid for: snapshots and opaque ids, no personal text.

    The fields are in the order of the SQL type ``ledger_use``.
    """

    feature_type: str
    feature_name: str
    feature_ref: UUID | None
    action: str
    integration_ref: UUID | None = None
    api_key_ref: UUID | None = None
    user_ref: UUID | None = None
    team_ref: UUID | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A client's retry: the same key with the same body gives the first result again."""

    text: str
    body_sha256: bytes

    @classmethod
    def of(cls, text: str, **body: Any) -> Key:
        """Derive the body's digest from the request's own, stable content.

        :raises ValueError: if the key is empty or longer than 255 characters.
        """
        if not 0 < len(text) <= KEY_LENGTH_MAX:
            raise ValueError(
                f"A key has 1 to {KEY_LENGTH_MAX} characters; this one has {len(text)}."
            )
        digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode())
        return cls(text=text, body_sha256=digest.digest())


class Signature(NamedTuple):
    """Who corrects the books and why, under the correction's new id; ``actor_ref`` is on entries.

    The first three are the SQL type ``ledger_signature``.
    """

    correction_id: UUID
    reason: str
    by_id: int | None
    actor_ref: UUID | None


class Voidable(NamedTuple):
    """What a void would do: the outcome, and figures of the grant as it is."""

    outcome: str
    amount: Decimal
    used: Decimal
    held: Decimal
    taken: Decimal


class Refundable(NamedTuple):
    """What can be refunded of a use; ``amount`` is what was asked for, or all that is left."""

    outcome: str
    charge_sequence: int
    charged: Decimal
    refunded: Decimal
    amount: Decimal


class RefundPart(NamedTuple):
    """What of a refund goes to one grant, and its fate there: KEPT, EXPIRED or VOIDED."""

    grant_id: UUID
    amount: Decimal
    fate: str


class InsufficientCredits(Exception):
    """There are not enough credits: says how many are needed and how many are available."""

    def __init__(self, *, required: Decimal, available: Decimal) -> None:
        self.required = required
        self.available = available
        super().__init__(
            f"This needs {amounts.grouped(required)} credits and {amounts.grouped(available)} are "
            "available."
        )

    @property
    def shortfall(self) -> Decimal:
        return self.required - self.available


class IdempotencyConflict(Exception):
    """This key was used before with another request; use a new key for a new request."""


class _Work(NamedTuple):
    """The SQL type ``ledger_work``, its fields in order."""

    rate_card_id: int
    calls: int
    emails: int
    web_searches: int
    request_count: int | None


def issue(
    *,
    company_id: int,
    actor_ref: UUID | None,
    grant_id: UUID,
    source: str,
    amount: Decimal,
    effective_at: datetime | None,
    expires_at: datetime | None,
    priority: int,
    reference: str,
    reason: str,
    created_by_id: int | None,
    key: Key | None,
) -> Outcome:
    return call(
        "ledger_issue",
        company_id,
        actor_ref,
        grant_id,
        source,
        amount,
        effective_at,
        expires_at,
        priority,
        reference,
        reason,
        created_by_id,
        key,
    )


def charge(
    *,
    company_id: int,
    actor_ref: UUID | None,
    usage_id: UUID,
    amount: Decimal,
    use: Use,
    work: Work,
    rate_card_id: int,
    key: Key | None,
) -> Outcome:
    done = _work(work, rate_card_id)
    return call("ledger_charge", company_id, actor_ref, usage_id, amount, use, done, key)


def reserve(
    *,
    company_id: int,
    actor_ref: UUID | None,
    reservation_id: UUID,
    amount: Decimal,
    lease: timedelta,
    use: Use,
    rate_card_id: int,
    key: Key | None,
) -> Outcome:
    return call(
        "ledger_reserve",
        company_id,
        actor_ref,
        reservation_id,
        amount,
        lease,
        use,
        rate_card_id,
        key,
    )


def capture(
    *,
    company_id: int,
    actor_ref: UUID | None,
    reservation_id: UUID,
    usage_id: UUID,
    amount: Decimal,
    work: Work,
    rate_card_id: int,
) -> Outcome:
    done = _work(work, rate_card_id)
    return call("ledger_capture", company_id, actor_ref, reservation_id, usage_id, amount, done)


def release(*, company_id: int, actor_ref: UUID | None, reservation_id: UUID) -> Outcome:
    return call("ledger_release", company_id, actor_ref, reservation_id)


def extend(*, company_id: int, reservation_id: UUID, lease: timedelta) -> Outcome:
    return call("ledger_extend", company_id, reservation_id, lease)


def settle(*, company_id: int) -> Outcome:
    return call("ledger_settle", company_id)


def read(*, company_id: int) -> Outcome:
    return call("ledger_read", company_id)


def standing(*, company_id: int) -> tuple[Any, ...]:
    return _rows("ledger_standing", company_id)[0]


def open_pool(*, company_id: int) -> None:
    """Give a new company its empty pool."""
    _rows("ledger_open_pool", company_id)


def cancel(*, company_id: int, grant_id: UUID, signature: Signature, key: Key | None) -> Outcome:
    return call("ledger_cancel", company_id, signature.actor_ref, grant_id, signature, key)


def void(*, company_id: int, grant_id: UUID, signature: Signature, key: Key | None) -> Outcome:
    return call("ledger_void", company_id, signature.actor_ref, grant_id, signature, key)


def voidable(*, company_id: int, grant_id: UUID) -> Voidable:
    """Answer for a void as of now; the caller has settled what is due."""
    return Voidable(*_rows("ledger_voidable", company_id, grant_id)[0])


def adjust_up(
    *,
    company_id: int,
    grant_id: UUID,
    amount: Decimal,
    expires_at: datetime | None,
    priority: int,
    signature: Signature,
    key: Key | None,
) -> Outcome:
    return call(
        "ledger_adjust_up",
        company_id,
        signature.actor_ref,
        grant_id,
        amount,
        expires_at,
        priority,
        signature,
        key,
    )


def adjust_down(
    *,
    company_id: int,
    grant_id: UUID | None,
    amount: Decimal,
    signature: Signature,
    key: Key | None,
) -> Outcome:
    return call(
        "ledger_adjust_down", company_id, signature.actor_ref, grant_id, amount, signature, key
    )


def refund(
    *,
    company_id: int,
    usage_id: UUID,
    amount: Decimal | None,
    signature: Signature,
    replacement_id: UUID | None,
    replacement: Signature | None,
    priority: int,
    key: Key | None,
) -> Outcome:
    return call(
        "ledger_refund",
        company_id,
        signature.actor_ref,
        usage_id,
        amount,
        signature,
        replacement_id,
        replacement,
        priority,
        key,
    )


def refundable(*, company_id: int, usage_id: UUID, amount: Decimal | None) -> Refundable:
    """Answer for a refund as of now; the caller has settled what is due."""
    return Refundable(*_rows("ledger_refundable", company_id, usage_id, amount)[0])


def refund_parts(
    *, company_id: int, charge_sequence: int, amount: Decimal, instant: datetime
) -> list[RefundPart]:
    """Return where a refund would go, in that order."""
    rows = _rows("ledger_refund_parts", company_id, charge_sequence, amount, instant)
    return [RefundPart(*row[1:]) for row in rows]


def _work(work: Work, rate_card_id: int) -> _Work:
    return _Work(rate_card_id, work.calls, work.emails, work.web_searches, work.request_count)


def call(function: str, *arguments: Any) -> Outcome:
    """Run one operation in one statement."""
    answer = Outcome(*_rows(function, *arguments)[0])
    faults.reach(faults.Point.ANSWERED)
    return answer


def _rows(function: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """Run one function; a ``Use``, ``_Work`` or ``Signature`` is passed as its SQL row type.

    A ``Key`` is its text and its digest; the digest's default, NULL, goes with a key of None.
    """
    places: list[str] = []
    values: list[Any] = []
    for argument in arguments:
        match argument:
            case Use():
                places.append("ROW(%s,%s,%s,%s,%s,%s,%s,%s,%s)::ledger_use")
                values += astuple(argument)
            case _Work():
                places.append("ROW(%s,%s,%s,%s,%s)::ledger_work")
                values += argument
            case Signature():
                places.append("ROW(%s,%s,%s)::ledger_signature")
                values += argument[:3]
            case Key():
                places += ["%s", "%s"]
                values += [argument.text, argument.body_sha256]
            case _:
                places.append("%s")
                values.append(argument)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}({', '.join(places)})", values)
        return cursor.fetchall()
