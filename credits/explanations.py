"""Explain any number of the ledger: what it was for, its price, what was held, which lots paid.

An explanation is the whole chain behind one entry or one use: rate card, reservation and its
holds, lots drawn, what was read, refunds, who and when. It only reads, and adds up: ``breaches``
says where it does not. What was read is known to the apps that did the work, which answer
through settings ``CREDIT_EXPLAINERS``; what a grant was made for to those who made it
(``CREDIT_GRANT_EXPLAINERS``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from credits import amounts, expirations, price_lines
from credits.amounts import ZERO
from credits.models import (
    ApiKey,
    Cause,
    Company,
    Correction,
    CreditGrant,
    Drawdown,
    Hold,
    Integration,
    LedgerEntry,
    RateCard,
    Reservation,
    UsageEvent,
    User,
)
from credits.price_lines import Line
from credits.rating import Work

OF_RESERVATIONS = (Cause.CAPTURE, Cause.RELEASE, Cause.LAPSE)


class NoSuchEntry(Exception):
    """There is no such ledger entry in your company."""


class NoSuchUsage(Exception):
    """There is no such usage event in your company."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One conversation that a use read: what it cost, and in words what was found there.

    ``is_cited`` where something it says stands in the answer. ``credits`` is None where the price
    is of the request as a whole. ``title``, ``answer`` and ``quotes`` are empty for who may not
    read results.
    """

    conversation_id: UUID
    kind: str
    started_at: datetime
    credits: Decimal | None = None
    is_cited: bool = False
    verdict: str = ""
    title: str = ""
    answer: str = ""
    quotes: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class Reused:
    """The earlier use whose answer was given again, and what that saved, in credits."""

    usage_id: UUID
    answered_at: datetime
    saved: Decimal


@dataclass(frozen=True, slots=True)
class Sources:
    """What a use read, those cited first.

    ``work`` is None where it is no longer known item by item.
    """

    work: Work | None = None
    question: str = ""
    answer: str = ""
    pieces: tuple[Piece, ...] = ()
    reused: Reused | None = None

    @property
    def cited_count(self) -> int:
        return sum(piece.is_cited for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a person did: “approved”, who, and when."""

    did: str
    by: User
    at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """What a grant was made for: a purchase by its number, a period by its seats; who did what."""

    name: str
    facts: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The chain behind an entry or a use; what does not belong to it is None or empty.

    ``usage`` of a refund is the use that was refunded, in part or whole, and ``corrected`` its
    charge. ``origin`` is what the entry's grant was made for. ``lines`` are empty where the items
    are no longer known one by one: then the counts of the use and the rate card remain.
    """

    company: Company
    entry: LedgerEntry | None
    usage: UsageEvent | None
    card: RateCard | None
    rates: dict[str, Decimal]
    lines: tuple[Line, ...]
    reservation: Reservation | None
    holds: tuple[Hold, ...]
    drawdowns: tuple[Drawdown, ...]
    grant: CreditGrant | None
    origin: Origin | None
    correction: Correction | None
    corrected: LedgerEntry | None
    corrections: tuple[LedgerEntry, ...]
    api_key: ApiKey | None
    integration: Integration | None
    sources: Sources

    @property
    def arithmetic(self) -> str:
        """Return the price as a sum: “10 calls × 1.0 + 26 e-mails × 0.1 = 12.6”."""
        if self.usage is None:
            return ""
        total = amounts.text(self.usage.amount)
        return f"{' + '.join(map(str, self.lines))} = {total}" if self.lines else total

    @property
    def refunded(self) -> Decimal:
        """Return how much of the use came back."""
        return sum((one.amount for one in self.corrections if one.amount > ZERO), ZERO)

    @property
    def released(self) -> Decimal:
        """Return what was held and not charged; 0 while it is held."""
        held = self.reservation
        return ZERO if held is None or held.closed_at is None else held.amount - held.captured

    def breaches(self) -> list[str]:
        """Return where the figures do not add up: nothing, unless the books are broken."""
        entry, usage, held = self.entry, self.usage, self.reservation
        pairs = []
        if entry is not None:
            drawn = sum((one.amount for one in self.drawdowns), ZERO)
            pairs += [
                ("what the lots moved", drawn, entry.amount),
                ("before and after", entry.balance_after - entry.balance_before, entry.amount),
            ]
        if usage is not None and (charge := self._charge) is not None:
            pairs.append(("the charge", -charge.amount, usage.amount))
        if usage is not None and self.lines:
            total = sum((line.amount for line in self.lines), ZERO)
            pairs.append(("the price", total, usage.amount))
        priced = [one.credits for one in self.sources.pieces if one.credits is not None]
        if usage is not None and priced:
            pairs.append(("what was read", sum(priced, ZERO), usage.amount))
        if held is not None:
            pairs.append(("the holds", sum((one.amount for one in self.holds), ZERO), held.amount))
            if usage is not None:
                pairs.append(("what was charged of the holds", held.captured, usage.amount))
        return [
            f"{name}: {amounts.text(found)}, not {amounts.text(expected)}"
            for name, found, expected in pairs
            if found != expected
        ]

    @property
    def _charge(self) -> LedgerEntry | None:
        """Return the entry that charged the use: this one, or that which this one corrects."""
        if self.usage is None or not self.usage.amount:
            return None
        return self.entry if self.corrected is None else self.corrected


def entry(*, company: Company, sequence: int, with_words: bool) -> Explanation:
    """Explain the entry at a place of a company's ledger, settled.

    ``with_words`` adds what was found, for who may read results.

    :raises NoSuchEntry: the company has none there.
    """
    expirations.settle(company=company)
    found = (
        LedgerEntry.objects.filter(company=company, sequence=sequence)
        .select_related("grant", "usage_event")
        .first()
    )
    if found is None:
        raise NoSuchEntry(NoSuchEntry.__doc__)
    return _explained(company, found, getattr(found, "usage_event", None), with_words)


def usage(*, company: Company, usage_id: UUID, with_words: bool) -> Explanation:
    """Explain a use, and the entry that charged it where there is one.

    :raises NoSuchUsage: the company has none of this id.
    """
    expirations.settle(company=company)
    found = UsageEvent.objects.filter(company=company, pk=usage_id).select_related("entry").first()
    if found is None:
        raise NoSuchUsage(NoSuchUsage.__doc__)
    return _explained(company, found.entry, found, with_words)


def _explained(
    company: Company, entry: LedgerEntry | None, event: UsageEvent | None, with_words: bool
) -> Explanation:
    corrected = None
    if entry is not None and entry.corrects_sequence is not None:
        corrected = (
            LedgerEntry.objects.filter(company=company, sequence=entry.corrects_sequence)
            .select_related("usage_event")
            .get()
        )
        event = event or getattr(corrected, "usage_event", None)
    held = _reservation(company, entry, event)
    sources = Sources() if event is None else _sources(event, with_words)
    card = None if event is None else event.rate_card
    rates = {} if card is None else {rate.item: rate.amount for rate in card.rates.all()}
    return Explanation(
        company=company,
        entry=entry,
        usage=event,
        card=card,
        rates=rates,
        lines=() if event is None else price_lines.lines_of(event, rates, sources.work),
        reservation=held,
        holds=_rows_of_holds(held),
        drawdowns=_drawdowns(entry),
        grant=None if entry is None else entry.grant,
        origin=None if entry is None or entry.grant is None else _origin(entry.grant),
        correction=_correction(company, entry),
        corrected=corrected,
        corrections=_corrections(company, entry),
        api_key=None if event is None else _api_key(company, event.api_key_ref),
        integration=None if event is None else _integration(company, event.integration_ref),
        sources=sources,
    )


def _reservation(
    company: Company, entry: LedgerEntry | None, event: UsageEvent | None
) -> Reservation | None:
    mine = Reservation.objects.filter(company=company)
    if entry is not None and entry.cause in OF_RESERVATIONS:
        return mine.filter(pk=entry.cause_ref).first()
    return None if event is None else mine.filter(usage_event=event).first()


def _rows_of_holds(held: Reservation | None) -> tuple[Hold, ...]:
    if held is None:
        return ()
    return tuple(held.holds.select_related("grant").order_by("pk"))


def _drawdowns(entry: LedgerEntry | None) -> tuple[Drawdown, ...]:
    if entry is None:
        return ()
    return tuple(entry.drawdowns.select_related("grant").order_by("pk"))


def _correction(company: Company, entry: LedgerEntry | None) -> Correction | None:
    if entry is None:
        return None
    mine = Correction.objects.filter(company=company).select_related("by")
    return mine.filter(entry=entry).first() or mine.filter(pk=entry.cause_ref).first()


def _corrections(company: Company, entry: LedgerEntry | None) -> tuple[LedgerEntry, ...]:
    """Return what corrected the entry; of a refund, all that corrected the charge it refunds."""
    if entry is None:
        return ()
    sequence = entry.corrects_sequence or entry.sequence
    rows = LedgerEntry.objects.filter(company=company, corrects_sequence=sequence)
    return tuple(rows.order_by("sequence"))


def _api_key(company: Company, ref: UUID | None) -> ApiKey | None:
    return ApiKey.objects.filter(company=company, pk=ref).first() if ref else None


def _integration(company: Company, ref: UUID | None) -> Integration | None:
    return Integration.objects.filter(company=company, pk=ref).first() if ref else None


def _origin(grant: CreditGrant) -> Origin | None:
    for path in settings.CREDIT_GRANT_EXPLAINERS:
        explain: Callable[[CreditGrant], Origin | None] = import_string(path)
        if (found := explain(grant)) is not None:
            return found
    return None


def _sources(event: UsageEvent, with_words: bool) -> Sources:
    for path in settings.CREDIT_EXPLAINERS:
        explain: Callable[..., Sources | None] = import_string(path)
        found = explain(event, with_words=with_words)
        if found is not None:
            return found
    return Sources()
