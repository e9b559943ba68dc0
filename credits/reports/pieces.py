"""Cut a long report into pieces, each read in a snapshot of its own.

A snapshot that is open while a million rows are copied keeps every version of the pool's row that
was since replaced; each charge has to step over all of them, and charging slows down to half.

Note [Pieces are one report]
The pieces together hold exactly what one snapshot would, whatever is written between them:

- Entries and usage events are only added, never changed or removed (I10), and an entry's sequence
  is the company's next one (I4). Who holds the pool's lock and sees sequence S knows that all
  entries up to S are committed, and every later one has a larger sequence. So the entries up to
  S, and the uses they paid for, are the same set of rows at any time after that.
- A free use bears the sequence that it found, so one written later may bear S too; but not an
  instant before the lock's, and the file ends there.
- The reports are in ledger order. Pieces are ranges of sequences, in that order, so every row is
  in exactly one piece, and the pieces' rows follow each other as they would in one.
- Rows of a day added up are in order of days; their pieces are whole local days.

Only an integration's name is as of its piece: it is no fact of the ledger and may be edited.

Instants in a piece of sequences only help to find it, since usage events have no index by
sequence alone: ``occurred_at`` never decreases along the entries, so the uses of sequences from a
to b are dated between entry a and the entry after b; free uses may be later than that by as much
as a clock was set back.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from credits import zones
from credits.models import Company, LedgerEntry
from credits.usage_days import CLOCK_STEP_MAX

# A quarter of a second's reading, and many times what a piece costs by itself.
ENTRIES_MAX = 50_000

# A half-open span of instants; None for an open side.
Span = tuple[datetime | None, datetime | None]


class Limit(NamedTuple):
    """Where a company's ledger stood, seen under its lock: what came later is in no piece."""

    sequence: int
    instant: datetime


class Piece(NamedTuple):
    """Rows of ``first <= sequence <= last``, dated ``since <= t < before``; None: no bound."""

    first: int
    last: int
    since: datetime | None
    before: datetime

    def of_events(self, events: QuerySet[Any]) -> QuerySet[Any]:
        found = events.filter(
            after_sequence__gte=self.first,
            after_sequence__lte=self.last,
            occurred_at__lt=self.before,
        )
        return found if self.since is None else found.filter(occurred_at__gte=self.since)

    def of_entries(self, entries: QuerySet[Any]) -> QuerySet[Any]:
        return entries.filter(sequence__gte=self.first, sequence__lte=self.last)


def of_ledger(*, company: Company, span: Span, limit: Limit) -> list[Piece]:
    """Cut the entries and uses of a span at sequences."""
    start, end = span
    entries = LedgerEntry.objects.filter(company=company, sequence__lte=limit.sequence)
    # A use at the beginning may bear the sequence of an entry before it.
    first = 0 if start is None else _last_before(entries, start)
    last = limit.sequence if end is None else _last_before(entries, end)
    firsts = range(first, last + 1, ENTRIES_MAX)
    instants = dict(
        entries.filter(sequence__in=list(firsts)).values_list("sequence", "occurred_at")
    )
    pieces = [
        Piece(
            first=sequence,
            last=following - 1,
            since=instants.get(sequence),
            before=instants[following] + CLOCK_STEP_MAX,
        )
        for sequence, following in itertools.pairwise(firsts)
    ]
    # The smallest step there is: the limit's own instant is in.
    end_of_all = limit.instant + timedelta(microseconds=1)
    return [*pieces, Piece(firsts[-1], last, instants.get(firsts[-1]), end_of_all)]


def of_days(*, company: Company, span: Span, limit: Limit, zone: ZoneInfo) -> list[Piece]:
    """Cut the uses of a span at the beginnings of local days."""
    parts = of_ledger(company=company, span=span, limit=limit)
    cuts = sorted(
        {
            zones.start_of_day(part.since.astimezone(zone).date(), zone)
            for part in parts[1:]
            if part.since is not None
        }
    )
    ends = [*cuts, parts[-1].before]
    return [
        Piece(parts[0].first, limit.sequence, since, before)
        for since, before in zip([None, *cuts], ends, strict=True)
    ]


def _last_before(entries: QuerySet[LedgerEntry], instant: datetime) -> int:
    """Return the sequence of the last entry before an instant; 0 before the first."""
    found = entries.filter(occurred_at__lt=instant).order_by("-occurred_at", "-sequence")
    return found.values_list("sequence", flat=True).first() or 0
