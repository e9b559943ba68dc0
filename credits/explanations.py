"""Explain any number of the ledger: what it was for, its price, what was held, which lots paid.

An explanation is the whole chain behind one entry or one use: rate card, reservation and its
holds, lots drawn, what was read, refunds, who and when. It only reads, and adds up: ``breaches``
says where it does not. What was read is known to the apps that did the work, which answer
through settings ``CREDIT_EXPLAINERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import product
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from credits import amounts, expirations
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
    RateItem,
    Reservation,
    UsageEvent,
)
from credits.rating import Rates, Work, price

CALLS_TOLD_MAX = 200  # Above it the ways to divide calls are not tried one by one.
OF_RESERVATIONS = (Cause.CAPTURE, Cause.RELEASE, Cause.LAPSE)


class NoSuchEntry(Exception):
    """There is no such ledger entry in your company."""


class NoSuchUsage(Exception):
    """There is no such usage event in your company."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a price: so many items at a rate make an amount."""

    item: str
    label: str
    count: int
    rate: Decimal

    @property
    def amount(self) -> Decimal:
        return self.count * self.rate

    def __str__(self) -> str:
        return f"{self.count:,} {self.label} × {amounts.text(self.rate)}"


@dataclass(frozen=True, slots=True)
class Piece:
    """One conversation that a use read: what it cost, and in words what was found there.

    ``credits`` is None where the price is of the request as a whole. ``title``, ``answer`` and
    ``quotes`` are empty for who may not read results.
    """

    conversation_id: UUID
    kind: str
    started_at: datetime
    credits: Decimal | None = None
    verdict: str = ""
    title: str = ""
    answer: str = ""
    quotes: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a use read. ``work`` is None where it is no longer known item by item."""

    work: Work | None = None
    question: str = ""
    answer: str = ""
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The chain behind an entry or a use; what does not belong to it is None or empty.

    ``usage`` of a refund is the use that was refunded, in part or whole, and ``corrected`` its
    charge. ``lines`` are empty where the items are no longer known one by one: then the counts
    of the use and the rate card remain.
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
        lines=() if event is None else lines_of(event, rates, sources.work),
        reservation=held,
        holds=_rows_of_holds(held),
        drawdowns=_drawdowns(entry),
        grant=None if entry is None else entry.grant,
        correction=_correction(company, entry),
        corrected=corrected,
        corrections=_corrections(company, entry),
        api_key=None if event is None else _api_key(company, event.api_key_ref),
        integration=None if event is None else _integration(company, event.integration_ref),
        sources=sources,
    )


def lines_of(event: UsageEvent, rates: dict[str, Decimal], work: Work | None) -> tuple[Line, ...]:
    """Return the price of a use line by line; nothing where its items are not known for sure.

    A use keeps how many calls and e-mails were read, not how many of them were long or had no
    text. What those who did the work know of it counts if it comes to the same; else the items
    are told from the amount, if only one tally of them comes to it.
    """
    known = Rates(card_id=event.rate_card_id, amounts=rates)
    if work is not None and _is_work_of(work, event, known):
        return _lines(work, known)
    possible = _tallies(event, known)
    return _lines(possible[0], known) if len(possible) == 1 else ()


def _is_work_of(work: Work, event: UsageEvent, rates: Rates) -> bool:
    counts = (work.calls, work.emails, work.web_searches)
    is_same = counts == (event.calls, event.emails, event.web_searches)
    return is_same and price(work, rates) == event.amount


def _tallies(event: UsageEvent, rates: Rates) -> list[Work]:
    """Return up to two tallies of a use's calls and e-mails that come to its amount."""
    found: list[Work] = []
    if event.amount == ZERO:
        free = Work(
            free_calls=event.calls, free_emails=event.emails, web_searches=event.web_searches
        )
        return [free] if price(free, rates) == ZERO else []
    if event.calls > CALLS_TOLD_MAX:
        return []
    for long, short in product(range(event.calls + 1), repeat=2):
        if long + short > event.calls:
            continue
        calls = long * rates.of(RateItem.CALL_LONG) + short * rates.of(RateItem.CALL_SHORT)
        rest = event.amount - calls - event.web_searches * rates.of(RateItem.WEB_SEARCH)
        emails = _items(rest, rates.of(RateItem.EMAIL), event.emails)
        if emails is None:
            continue
        found.append(
            Work(
                long_calls=long,
                short_calls=short,
                calls_without_text=event.calls - long - short,
                emails_with_text=emails,
                emails_without_text=event.emails - emails,
                web_searches=event.web_searches,
            )
        )
        if len(found) > 1:
            break
    return found


def _items(amount: Decimal, rate: Decimal, count_max: int) -> int | None:
    """Return how many items at a rate make an amount; None if none do, or too many."""
    if amount == ZERO:
        return 0
    if rate == ZERO or amount < ZERO or amount % rate:
        return None
    count = int(amount / rate)
    return count if count <= count_max else None


def _lines(work: Work, rates: Rates) -> tuple[Line, ...]:
    has_both = bool(work.long_calls and work.short_calls)
    rows = (
        (RateItem.CALL_LONG, "long call" if has_both else "call", work.long_calls),
        (RateItem.CALL_SHORT, "short call" if has_both else "call", work.short_calls),
        ("CALL_WITHOUT_TEXT", "call without text", work.calls_without_text),
        ("FREE_CALL", "call", work.free_calls),
        (RateItem.EMAIL, "e-mail", work.emails_with_text),
        ("EMAIL_WITHOUT_TEXT", "e-mail without text", work.emails_without_text),
        ("FREE_EMAIL", "e-mail", work.free_emails),
        (RateItem.WEB_SEARCH, "web search", work.web_searches),
    )
    return tuple(
        Line(str(item), _counted(label, count), count, rates.of(item))
        for item, label, count in rows
        if count
    )


def _counted(label: str, count: int) -> str:
    if count == 1:
        return label
    noun, _, rest = label.partition(" without")
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{plural} without{rest}" if rest else plural


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


def _sources(event: UsageEvent, with_words: bool) -> Sources:
    for path in settings.CREDIT_EXPLAINERS:
        explain: Callable[..., Sources | None] = import_string(path)
        found = explain(event, with_words=with_words)
        if found is not None:
            return found
    return Sources()
