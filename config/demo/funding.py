"""Where the demo companies' credits come from, and when (SPEC §2): acts for a history to live.

The only code beside the staff's page that fulfils purchases: in an empty database, as the people
it makes up (tests/security/test_nothing_buys_by_itself).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing import allocations, contracts, fulfilment, periods, purchases, voiding
from billing.contracts import Seats, Terms
from billing.models import Contract, Purchase
from config.demo.history import History
from credits import charging, corrections, grants, shown, trail, zones
from credits.identifiers import new_id
from credits.models import CorrectionKind, Source, UsageEvent, User

PERIOD_ENDS_IN = timedelta(days=9)  # So that something expires soon after the first start.
PERIODS = 3
# What a seat of each kind brings a month, and how many there were in each period.
SALES_SEAT, SERVICE_SEAT = ("Sales seat", Decimal(24)), ("Service seat", Decimal(12))
SALES_SEATS, SERVICE_SEATS = (20, 27, 31), (8, 9, 9)


class Funding:
    """Plans what the vendor's people and a company's admins do about one company's credits."""

    def __init__(self, life: History, *, vendor: User, admin: User, today: date) -> None:
        self.life, self.vendor, self.admin = life, vendor, admin
        self.company = life.company
        self.zone = ZoneInfo(life.company.time_zone)
        self.today = today

    def at(self, days_ago: int, hour: int = 0, minute: int = 0) -> datetime:
        """Return a local time of a day some days ago; without an hour, the day's start."""
        day = self.today - timedelta(days=days_ago)
        if not hour:
            return zones.start_of_day(day, self.zone)
        return datetime.combine(day, time(hour, minute), tzinfo=self.zone).astimezone(UTC)

    def plan(self, days_ago: int, hour: int, minute: int, act: Callable[[], object]) -> None:
        self.life.plan(self.at(days_ago, hour, minute), act)

    def introduce(self, amount: int, *, days_ago: int, reason: str) -> None:
        starts_at, grant_id = self.at(days_ago), new_id()
        ends_at = starts_at + timedelta(days=90)

        def give() -> None:
            trail.granted(
                grant_id=grant_id,
                company=self.company,
                source=Source.INTRODUCTORY,
                amount=Decimal(amount),
                by=self.vendor,
                first_day=None,
                last_day=shown.last_day_before(ends_at, self.zone),
                reason=reason,
            )
            grants.issue(
                company=self.company,
                source=Source.INTRODUCTORY,
                amount=Decimal(amount),
                by=self.vendor,
                expires_at=ends_at,
                reason=reason,
                grant_id=grant_id,
            )

        self.life.plan(starts_at, give)

    def agree(self) -> None:
        """Plan a contract by seats that grow, its periods ending some days after today."""
        starts_on = periods.months_after(self.today + PERIOD_ENDS_IN, -PERIODS)
        ago = (self.today - starts_on).days
        sales = self._seats(SALES_SEAT, SALES_SEATS)
        service = self._seats(SERVICE_SEAT, SERVICE_SEATS)
        self.plan(
            ago + 5,
            14,
            30,
            lambda: contracts.agree(
                company=self.company,
                terms=Terms(starts_on=starts_on, approval_limit=Decimal(2000)),
                seat_counts=(sales(0, starts_on), service(0, starts_on)),
                by=self.vendor,
                now=self.life.clock(),
            ),
        )
        for place in range(PERIODS):
            first = periods.first_day(starts_on, place + 1, 1)
            before = (self.today - first).days
            for seats in (sales(place, first), service(place, first)) if place else ():
                self.plan(before + 6, 10, 15, self._count_later(seats))
            self.plan(before + 3, 6, 0, self._allocate)

    def sell(self, amount: int, order: str, *, days_ago: int, starts_in: int = 0) -> None:
        """Plan an order that staff record; its credits can be used ``starts_in`` days later."""
        self.plan(days_ago, 11, 20, lambda: self._record(amount, order, days_ago, starts_in))

    def sell_by_mistake(self, *, days_ago: int) -> None:
        """Plan an order typed with a zero too many, reversed, and recorded as it was meant."""

        def reverse() -> None:
            wrong = Purchase.objects.get(company=self.company, order_reference="NW-2188")
            voiding.void(
                purchase=wrong,
                by=self.vendor,
                reason="Typed 1,500 in place of 150.",
                now=self.life.clock(),
            )
            self._record(150, "NW-2188", days_ago, 0, replaces=wrong)

        self.plan(days_ago, 15, 5, lambda: self._record(1500, "NW-2188", days_ago, 0))
        self.plan(days_ago, 15, 22, reverse)

    def ask_for(self, amount: int, note: str, *, days_ago: int) -> None:
        """Plan a request of the company's admin that still waits for the vendor."""
        self.plan(
            days_ago,
            16,
            40,
            lambda: purchases.request(
                company=self.company,
                amount=Decimal(amount),
                by=self.admin,
                note=note,
                now=self.life.clock(),
            ),
        )

    def add(self, amount: str, reason: str, *, days_ago: int, ends_in: int) -> None:
        """Plan a correction upwards."""
        ends_at = self.at(-ends_in)

        def add() -> None:
            grants.adjust(
                company=self.company,
                amount=Decimal(amount),
                by=self.vendor,
                reason=reason,
                expires_at=ends_at,
            )
            last_day = shown.last_day_before(ends_at, self.zone)
            trail.corrected(
                corrections.newest(company=self.company, kind=CorrectionKind.ADJUSTED),
                self.company,
                asked={"last": last_day},
            )

        self.plan(days_ago, 10, 40, add)

    def refund(self, amount: str, reason: str, *, days_ago: int) -> None:
        """Plan to give back a part of what was charged last."""

        def give_back() -> None:
            event = (
                UsageEvent.objects.filter(company=self.company, amount__gte=Decimal(amount))
                .order_by("after_sequence")
                .last()
            )
            if event is not None:
                charging.refund(
                    usage_event=event, amount=Decimal(amount), by=self.vendor, reason=reason
                )
                trail.corrected(
                    corrections.newest(company=self.company, kind=CorrectionKind.REFUNDED),
                    event,
                    asked={},
                )

        self.plan(days_ago, 9, 50, give_back)

    def _record(
        self,
        amount: int,
        order: str,
        days_ago: int,
        starts_in: int,
        replaces: Purchase | None = None,
    ) -> None:
        starts_on = self.today - timedelta(days=days_ago) + timedelta(days=starts_in)
        fulfilment.record(
            company=self.company,
            amount=Decimal(amount),
            by=self.vendor,
            starts_on=starts_on,
            ends_on=fulfilment.last_day(self.company, starts_on),
            now=self.life.clock(),
            order_reference=order,
            replaces=replaces,
        )

    def _seats(
        self, kind: tuple[str, Decimal], counts: tuple[int, ...]
    ) -> Callable[[int, date], Seats]:
        name, credits = kind
        return lambda place, day: Seats(name, credits, counts[place], day)

    def _count_later(self, seats: Seats) -> Callable[[], object]:
        return lambda: contracts.count_seats(
            contract=Contract.objects.get(company=self.company),
            counted=seats,
            by=self.vendor,
            now=self.life.clock(),
        )

    def _allocate(self) -> None:
        allocations.run(company=self.company, now=self.life.clock())


def fund_first(funding: Funding, *, days: int) -> None:
    """A pilot, then a contract by seats, orders right and wrong, and corrections."""
    funding.introduce(300, days_ago=days - 1, reason="Pilot of five weeks")
    funding.agree()
    funding.sell(600, "NW-2107", days_ago=74)
    funding.add("25.5", "Results of one weekend came late", days_ago=55, ends_in=-25)
    funding.sell_by_mistake(days_ago=34)
    funding.refund("0.5", "One call was read with half of its text missing", days_ago=27)
    funding.add("40", "Thanks for taking part in the interview", days_ago=18, ends_in=12)
    funding.sell(1000, "NW-2291", days_ago=2, starts_in=16)
    funding.ask_for(400, "Two more trackers are planned for the new year.", days_ago=1)


def fund_second(funding: Funding, *, days: int) -> None:
    """A trial, too small for the whole month."""
    funding.introduce(20, days_ago=days - 1, reason="Trial")
