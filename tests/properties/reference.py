"""A second ledger, in plain Python and without a database, to hold the real one against.

It knows SPEC §2 and nothing of the SQL. Time is a number handed in; nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

ZERO = Decimal("0.000")
NEVER = datetime.max.replace(tzinfo=UTC)
RANKS = {"ALLOCATION": 1, "INTRODUCTORY": 2, "PURCHASE": 3, "ADJUSTMENT": 4}


@dataclass
class Lot:
    id: object
    source: str
    amount: Decimal
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    remaining: Decimal = ZERO
    held: Decimal = ZERO
    voided: Decimal = ZERO
    corrected_down: Decimal = ZERO
    granted_at: datetime | None = None
    expired_at: datetime | None = None
    is_voided: bool = False
    is_cancelled: bool = False

    @property
    def is_granted(self):
        return self.granted_at is not None

    @property
    def is_expired(self):
        return self.expired_at is not None

    @property
    def is_open(self):
        return self.is_live and self.remaining > 0

    @property
    def is_to_come(self):
        return not self.is_granted and not self.is_cancelled

    @property
    def is_live(self):
        return self.is_granted and not self.is_expired and not self.is_voided

    @property
    def free(self):
        return self.remaining - self.held if self.is_live else ZERO

    @property
    def order(self):
        return (
            self.priority,
            self.expires_at or NEVER,
            RANKS[self.source],
            self.effective_at,
            self.id,
        )


@dataclass
class Promise:
    """A reservation: how much of which lots, until when."""

    id: object
    amount: Decimal
    opened_at: datetime
    lapses_at: datetime
    parts: list[tuple[Lot, Decimal]]
    what: object
    state: str = "OPEN"


@dataclass
class Charge:
    """What was charged, of which lots in drawing order, and how much went back to each.

    ``after`` is how many lines the log had then, ``what`` it was for is none of the ledger's.
    """

    amount: Decimal
    parts: list[tuple[Lot, Decimal]]
    at: datetime
    after: int
    what: object
    emails: int
    returned: dict[object, Decimal] = field(default_factory=dict)

    @property
    def left(self) -> Decimal:
        return self.amount - sum(self.returned.values(), ZERO)


@dataclass
class Line:
    """An entry of the log as a statement of account would print it."""

    kind: str
    amount: Decimal
    before: Decimal
    after: Decimal
    at: datetime
    cause: str
    draws: list[tuple[object, Decimal]]


class Refused(Exception):
    """The operation is not possible; ``args[0]`` says why in one word."""


@dataclass
class ReferenceLedger:
    instant: datetime
    lots: dict[object, Lot] = field(default_factory=dict)
    promises: dict[object, Promise] = field(default_factory=dict)
    charges: dict[object, Charge] = field(default_factory=dict)
    log: list[Line] = field(default_factory=list)

    @property
    def balance(self) -> Decimal:
        return sum((lot.remaining for lot in self.lots.values()), ZERO)

    @property
    def reserved(self) -> Decimal:
        return sum((lot.held for lot in self.lots.values()), ZERO)

    @property
    def available(self) -> Decimal:
        return self.balance - self.reserved

    def dues(self) -> list[datetime]:
        """Instants at which something happens by itself."""
        found = [lot.effective_at for lot in self.lots.values() if lot.is_to_come]
        found += [
            lot.expires_at
            for lot in self.lots.values()
            if lot.expires_at and lot.remaining > 0 and lot.is_live
        ]
        found += [one.lapses_at for one in self.promises.values() if one.state == "OPEN"]
        return found

    def advance(self, instant: datetime) -> None:
        self.instant = instant

    def issue(self, *, id, source, amount, priority, effective_at, expires_at) -> None:
        self.settle()
        start = max(effective_at or self.instant, self.instant)
        if expires_at is not None and expires_at <= start:
            raise Refused("EXPIRES_BEFORE_IT_STARTS")
        self.lots[id] = Lot(id, source, amount, priority, start, expires_at)
        if start == self.instant:
            self._grant(self.lots[id], start)

    def charge(self, *, id, amount: Decimal, what=None, emails=0) -> None:
        self.settle()
        parts = self._take(amount)
        for lot, part in parts:
            lot.remaining -= part
        if amount:
            self._post("CONSUMED", -amount, self.instant, "CHARGE", parts)
        self.charges[id] = Charge(amount, parts, self.instant, len(self.log), what, emails)

    def reserve(self, *, id, amount: Decimal, lease: timedelta, what=None) -> None:
        self.settle()
        parts = self._take(amount)
        for lot, part in parts:
            lot.held += part
        ends_at = self.instant + lease
        self.promises[id] = Promise(id, amount, self.instant, ends_at, parts, what)

    def extend(self, *, id, lease: timedelta) -> None:
        promise = self._open(id)
        latest = promise.opened_at + timedelta(minutes=60)
        promise.lapses_at = min(max(promise.lapses_at, self.instant + lease), latest)

    def capture(self, *, id, usage_id, amount: Decimal, emails=0) -> None:
        promise = self._open(id)
        if amount > promise.amount:
            raise Refused("EXCEEDS")
        needed, taken, returned = amount, [], []
        for lot, held in sorted(promise.parts, key=lambda part: part[0].order):
            part = min(needed, held)
            needed -= part
            lot.held -= part
            lot.remaining -= part
            if part:
                taken.append((lot, part))
            if held > part:
                returned.append((lot, held - part))
        promise.state = "CAPTURED"
        if amount:
            self._post("CONSUMED", -amount, self.instant, "CAPTURE", taken)
        self.charges[usage_id] = Charge(
            amount, taken, self.instant, len(self.log), promise.what, emails
        )
        for lot, rest in returned:
            self._give_back(lot, rest, self.instant, "CAPTURE")

    def release(self, *, id) -> None:
        promise = self._open(id)
        self._close(promise, "RELEASED", self.instant, "RELEASE")

    def cancel(self, *, id) -> None:
        lot = self._lot(id)
        if lot.is_cancelled:
            raise Refused("CANCELLED")
        if lot.is_granted:
            raise Refused("STARTED")
        lot.is_cancelled = True

    def void(self, *, id) -> None:
        lot = self._lot(id)
        if lot.is_cancelled:
            raise Refused("CANCELLED")
        if lot.is_voided:
            raise Refused("VOIDED")
        if not lot.is_granted:
            raise Refused("NOT_STARTED")
        if lot.is_expired:
            raise Refused("EXPIRED")
        if lot.remaining == 0:
            raise Refused("USED_UP")
        rest = lot.free
        lot.is_voided = True
        if rest:
            self._post("VOIDED", -rest, self.instant, "VOID", [(lot, rest)])
            lot.remaining -= rest
            lot.voided += rest

    def give(self, *, id, amount: Decimal, expires_at) -> None:
        self.issue(
            id=id,
            source="ADJUSTMENT",
            amount=amount,
            priority=100,
            effective_at=None,
            expires_at=expires_at,
        )

    def take(self, *, amount: Decimal, id=None) -> None:
        """From one lot, or without one as a charge would."""
        self.settle()
        if id is None:
            parts = self._take(amount)
        elif amount > self.lots[id].free:
            raise Refused("INSUFFICIENT")
        else:
            parts = [(self.lots[id], amount)]
        for lot, part in parts:
            lot.remaining -= part
            lot.corrected_down += part
        self._post("ADJUSTED", -amount, self.instant, "ADJUST", parts)

    def refund(self, *, id, amount: Decimal | None, replacement_id=None) -> None:
        """The lot drawn last gets its credits back first; the dead keep nothing."""
        self.settle()
        charge = self.charges[id]
        if charge.amount == 0:
            raise Refused("FREE")
        if charge.left == 0:
            raise Refused("REFUNDED")
        needed = charge.left if amount is None else amount
        if needed > charge.left:
            raise Refused("EXCEEDS")
        total, parts = needed, []
        for lot, drawn in reversed(charge.parts):
            before = charge.returned.get(lot.id, ZERO)
            part = min(needed, drawn - before)
            if part:
                charge.returned[lot.id] = before + part
                needed -= part
                parts.append((lot, part))
        self._post("REFUNDED", total, self.instant, "REFUND", parts)
        expired = ZERO
        for lot, part in parts:
            if self._is_past(lot) and not lot.is_voided:
                lot.expired_at = lot.expires_at
                expired += part
            lot.remaining += part
            lot.held += part
            self._give_back(lot, part, self.instant, "REFUND")
        if expired and replacement_id is not None:
            end = self.instant + timedelta(days=30)
            self.give(id=replacement_id, amount=expired, expires_at=end)

    def settle(self) -> None:
        """Do what is due, in order of its instant: starts, lapses, expiries; then by id."""
        while due := self._next_due():
            at, rank, _, what = due
            if rank == 1:
                self._grant(what, at)
            elif rank == 2:
                self._close(what, "LAPSED", at, "LAPSE")
            else:
                what.expired_at = at
                rest = what.remaining - what.held
                what.remaining = what.held
                if rest:
                    self._post("EXPIRED", -rest, at, "EXPIRY", [(what, rest)])

    def _next_due(self):
        found = []
        for lot in self.lots.values():
            if lot.is_to_come and lot.effective_at <= self.instant:
                found.append((lot.effective_at, 1, lot.id, lot))
            if lot.is_live and lot.remaining > 0 and self._is_past(lot):
                found.append((lot.expires_at, 3, lot.id, lot))
        for promise in self.promises.values():
            if promise.state == "OPEN" and promise.lapses_at <= self.instant:
                found.append((promise.lapses_at, 2, promise.id, promise))
        return min(found, key=lambda due: due[:3]) if found else None

    def _is_past(self, lot: Lot) -> bool:
        return lot.expires_at is not None and lot.expires_at <= self.instant

    def _lot(self, id) -> Lot:
        self.settle()
        return self.lots[id]

    def _open(self, id) -> Promise:
        self.settle()
        promise = self.promises[id]
        if promise.state != "OPEN":
            raise Refused(promise.state)
        return promise

    def _take(self, amount: Decimal) -> list[tuple[Lot, Decimal]]:
        if amount > self.available:
            raise Refused("INSUFFICIENT")
        parts, needed = [], amount
        for lot in sorted(self.lots.values(), key=lambda lot: lot.order):
            part = min(needed, lot.free)
            if part > 0:
                parts.append((lot, part))
                needed -= part
        assert needed == 0
        return parts

    def _grant(self, lot: Lot, at: datetime) -> None:
        lot.granted_at = at
        lot.remaining = lot.amount
        is_correction = lot.source == "ADJUSTMENT"
        kind, cause = ("ADJUSTED", "ADJUST") if is_correction else ("GRANTED", "ISSUE")
        self._post(kind, lot.amount, at, cause, [(lot, lot.amount)])

    def _close(self, promise: Promise, state: str, at: datetime, cause: str) -> None:
        promise.state = state
        for lot, part in sorted(promise.parts, key=lambda part: part[0].order):
            self._give_back(lot, part, at, cause)

    def _give_back(self, lot: Lot, part: Decimal, at: datetime, cause: str) -> None:
        """Credits that come back to a lot that is dead leave again in the same act."""
        lot.held -= part
        if lot.is_voided:
            lot.remaining -= part
            lot.voided += part
            self._post("VOIDED", -part, at, cause, [(lot, part)])
        elif lot.is_expired:
            lot.remaining -= part
            self._post("EXPIRED", -part, at, cause, [(lot, part)])

    def _post(self, kind, amount, at, cause, parts) -> None:
        before = self.log[-1].after if self.log else ZERO
        sign = 1 if amount > 0 else -1
        draws = [(lot.id, sign * part) for lot, part in parts]
        self.log.append(Line(kind, amount, before, before + amount, at, cause, draws))
