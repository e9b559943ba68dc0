"""A price told line by line: so many items at a rate (for ``credits.explanations``)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from credits import amounts
from credits.amounts import ZERO
from credits.models import RateItem, UsageEvent
from credits.rating import Rates, Work, price

CALLS_TOLD_MAX = 200  # Above it the ways to divide calls are not tried one by one.


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
