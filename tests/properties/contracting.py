"""The machine's acts of contract: seats change, periods begin, somebody buys."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from billing import allocations, fulfilment, seats
from billing.models import Allocation, AllocationState, Contract
from tests.properties.correcting import LOT_AMOUNTS
from tests.properties.reference_contract import AHEAD, Count, ReferenceContract, midnight
from tests.properties.reporting import Bought

ZONE = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 3, 1)
SEAT_CREDITS = {"Light": Decimal("0.4"), "Seat": Decimal("1.25")}
OFFSETS = st.sampled_from([timedelta(microseconds=count) for count in (-1, 0, 1)])


class ContractActs:
    """Part of ``LedgerMachine``."""

    def open_contract(self):
        Contract.objects.create(
            company=self.company, starts_on=FIRST, changed_at=self.model.instant
        )
        self.kinds = {
            name: seats.add_type(company=self.company, name=name, credits=credits)
            for name, credits in SEAT_CREDITS.items()
        }
        self.contract = ReferenceContract(FIRST, ZONE, SEAT_CREDITS)
        self.bought = []

    def change_seats(self, data):
        """From some day on, past days too; what it brings is for the next beat to say."""
        kind = data.draw(st.sampled_from(sorted(self.kinds)))
        count = data.draw(st.integers(0, 6))
        on = self._today + timedelta(days=data.draw(st.sampled_from([-30, 0, 1, 3, 4, 33])))
        now = self.model.instant
        seats.count(seat_type=self.kinds[kind], seats=count, effective_on=on, by=self.vera, now=now)
        self.contract.counts.append(Count(kind, count, on, now))
        if data.draw(st.booleans()):
            self.beat(data)

    def beat(self, data):
        """What the scheduler does; doing it twice is doing it once."""
        now = self.model.instant
        for _ in range(data.draw(st.sampled_from([1, 1, 2]))):
            allocations.run(company=self.company, now=now)
        issued = Allocation.objects.filter(company=self.company, state=AllocationState.ISSUED)
        grant_ids = dict(issued.values_list("period_number", "grant_id"))
        self._agree(
            "OK", lambda: self.contract.run(ledger=self.model, now=now, id_of=grant_ids.get)
        )

    def step_to_a_period(self, data):
        """To where the next period is issued, or one that was issued starts."""
        starts_at = self.contract.next_start()
        last = self.contract.written[-1:]
        dues = [starts_at - AHEAD]
        dues += [one.starts_at for one in last if one.starts_at > self.model.instant]
        self._set_clock(data.draw(st.sampled_from(dues)) + data.draw(OFFSETS))
        self.beat(data)

    def buy(self, data):
        """For whole days of the company, from one that is past, today's or to come."""
        amount = data.draw(LOT_AMOUNTS)
        first = self._today + timedelta(days=data.draw(st.sampled_from([-2, 0, 0, 1, 3])))
        last = first + timedelta(days=data.draw(st.sampled_from([0, 1, 30])))
        now, made = self.model.instant, []
        outcome = self._outcome(
            lambda: made.append(
                fulfilment.record(
                    company=self.company,
                    amount=amount,
                    by=self.vera,
                    starts_on=first,
                    ends_on=last,
                    now=now,
                )
            )
        )
        lot_id = made[0].grant_id if made else None
        self.bought += [Bought(one.pk, now, amount, first, last, lot_id) for one in made]
        self._agree(
            outcome,
            lambda: self.model.issue(
                id=lot_id,
                source="PURCHASE",
                amount=amount,
                priority=100,
                effective_at=midnight(first, ZONE),
                expires_at=midnight(last + timedelta(days=1), ZONE),
            ),
        )

    @property
    def _today(self):
        return self.model.instant.astimezone(ZONE).date()

    @property
    def _bought_lots(self):
        return {one.lot_id for one in self.bought}
