"""What a contract brings by itself, in plain Python: seats by day, and a grant for each month.

It knows SPEC §2: a period is issued three days before it starts, from the seats then known for its
first day; one that has not started is issued anew when those have changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.properties.reference import ReferenceLedger, Refused

AHEAD = timedelta(days=3)


@dataclass
class Count:
    kind: str
    seats: int
    on: date
    at: datetime


@dataclass
class Period:
    number: int
    starts_at: datetime
    ends_at: datetime
    lines: dict[str, int]
    lot_id: object = None


@dataclass
class ReferenceContract:
    """Months from the first of one on, in a zone; ``credits`` of a seat, by its kind."""

    first: date
    zone: ZoneInfo
    credits: dict[str, Decimal]
    counts: list[Count] = field(default_factory=list)
    written: list[Period] = field(default_factory=list)

    def run(self, *, ledger: ReferenceLedger, now: datetime, id_of) -> None:
        """Write what is due; ``id_of`` names the grant of a period's number."""
        if self.written and self.written[-1].starts_at > now:
            last = self.written[-1]
            lot = ledger.lots.get(last.lot_id)
            if not (lot and lot.is_cancelled) and last.lines != self._seats(last.number):
                if lot:
                    ledger.cancel(id=last.lot_id)
                self.written.pop()
                self._write(last.number, ledger, now, id_of)
        while self.next_start() - AHEAD <= now:
            self._write(len(self.written) + 1, ledger, now, id_of)

    def next_start(self) -> datetime:
        return self.starts_at(len(self.written) + 1)

    def starts_at(self, number: int) -> datetime:
        return midnight(self._first_day(number), self.zone)

    def _first_day(self, number: int) -> date:
        months = self.first.month - 1 + number - 1
        return date(self.first.year + months // 12, months % 12 + 1, 1)

    def _seats(self, number: int) -> dict[str, int]:
        """Return the seats known for a period's first day; of two for a day the later counts."""
        found = {}
        for kind in self.credits:
            known = [
                (one.on, one.at, place, one.seats)
                for place, one in enumerate(self.counts)
                if one.kind == kind and one.on <= self._first_day(number)
            ]
            if known and max(known)[-1]:
                found[kind] = max(known)[-1]
        return found

    def _write(self, number: int, ledger: ReferenceLedger, now: datetime, id_of) -> None:
        lines = self._seats(number)
        period = Period(number, self.starts_at(number), self.starts_at(number + 1), lines)
        amount = sum((self.credits[kind] * seats for kind, seats in lines.items()), Decimal(0))
        self.written.append(period)
        if amount and period.ends_at > now:
            period.lot_id = id_of(number)
            try:
                ledger.issue(
                    id=period.lot_id,
                    source="ALLOCATION",
                    amount=amount,
                    priority=100,
                    effective_at=period.starts_at,
                    expires_at=period.ends_at,
                )
            except Refused as refusal:
                raise AssertionError("A period that is not over can be issued.") from refusal


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
