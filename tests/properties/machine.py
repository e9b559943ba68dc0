"""Any sequence of operations: the database's ledger beside the reference one (DESIGN §3).

Each example works in a company of its own, commits every step, and compares balances, lots,
reservations and the whole log after each. Clock steps aim at boundaries: a microsecond before
something is due, at its instant, a microsecond after.
"""

from __future__ import annotations

import copy
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from billing.reports import PurchaseHistoryReport
from credits import balances, charging, companies, expirations, grants, limits
from credits.identifiers import new_id
from credits.ledger import InsufficientCredits, Use
from credits.models import (
    LimitWindow,
    RateItem,
    Reservation,
    Source,
)
from credits.rating import Rates, Work
from credits.reports.balance import CreditBalanceReport
from credits.reports.usage import CreditUsageReport
from tests.properties import comparing, reporting
from tests.properties.contracting import OFFSETS, ZONE, ContractActs
from tests.properties.correcting import LIVES, LOT_AMOUNTS, CorrectingActs, credits_of
from tests.properties.reference import RANKS, ReferenceLedger, Refused
from tests.properties.reporting import What
from tests.properties.retrying import RetryingActs
from tests.support import people
from tests.support.sheets import written

# An hour before April's credits are issued, in a night that has no hour from 2 to 3 in Berlin.
START = datetime(2026, 3, 28, 21, tzinfo=UTC)
WORK_MILLS = st.integers(1, 3000)
SOURCES = st.sampled_from([Source.ALLOCATION, Source.PURCHASE, Source.ADJUSTMENT])
MINUTES = st.integers(1, 60).map(lambda count: timedelta(minutes=count))
# A little lot, of the priority and end of an older one, so that where they come from decides.
IS_ALIKE = st.sampled_from([True, False])
STARTS = st.sampled_from([0, 0, 0, -30, 5, 45, 120])  # Minutes from now; most start now.

# How often each act is tried, out of their sum. One rule draws from this list, because
# Hypothesis would otherwise switch whole rules off for an example.
WEIGHTS = {
    "issue": 5,
    "charge": 4,
    "reserve": 8,
    "capture_part": 6,
    "capture_all": 2,
    "capture_nothing": 1,
    "capture_too_much": 1,
    "release": 3,
    "cancel": 4,
    "void": 2,
    "adjust_up": 1,
    "adjust_down": 3,
    "refund": 6,
    "extend": 2,
    "step": 3,
    "step_to_a_boundary": 6,
    "step_back": 1,
    "settle": 1,
    "look_ahead": 1,
    "use_free": 1,
    "again": 3,
    "another_body": 1,
    "change_seats": 2,
    "beat": 1,
    "step_to_a_period": 1,
    "buy": 2,
}
# What was used, for the ledger and in the words of the report.
ASKED = What("AI Ask Anything", "Ask anything", "API request")
USES = {
    ASKED: Use("ASK", "Ask anything", None, "API_REQUEST"),
    What("AI Ask Anything", "=1+1, or “so”", "MCP request"): Use(
        "ASK", "=1+1, or “so”", None, "MCP_REQUEST"
    ),
    What("AI Briefer", 'The "quarterly", once', "API request"): Use(
        "BRIEF", 'The "quarterly", once', None, "API_REQUEST"
    ),
}
FREE = What("AI Briefer", "Looked at", "Manual", is_request=False, is_free=True)
NEED_A_RESERVATION = {name for name in WEIGHTS if name.startswith(("capture", "release", "extend"))}
ACTS = [name for name, weight in WEIGHTS.items() for _ in range(weight)]
ERRORS = {
    charging.AlreadyCaptured: "CAPTURED",
    charging.AlreadyReleased: "RELEASED",
    charging.ReservationLapsed: "LAPSED",
    charging.CaptureExceedsReservation: "EXCEEDS",
    InsufficientCredits: "INSUFFICIENT",
    grants.GrantExpiresBeforeItStarts: "EXPIRES_BEFORE_IT_STARTS",
    grants.GrantAlreadyStarted: "STARTED",
    grants.GrantNotStarted: "NOT_STARTED",
    grants.AlreadyCancelled: "CANCELLED",
    grants.AlreadyVoided: "VOIDED",
    grants.GrantExpired: "EXPIRED",
    grants.GrantUsedUp: "USED_UP",
    grants.AdjustmentExceedsAvailable: "INSUFFICIENT",
    charging.NothingCharged: "FREE",
    charging.AlreadyRefunded: "REFUNDED",
    charging.RefundExceedsCharge: "EXCEEDS",
}


class LedgerMachine(CorrectingActs, ContractActs, RetryingActs, RuleBasedStateMachine):
    """Set ``clock`` to the seeded clock of the database before running."""

    clock = None
    is_sound = False
    operation_count = 0

    @initialize(data=st.data())
    def open_company(self, data):
        self.clock.set(START)
        slug = f"machine-{uuid.uuid4().hex[:12]}"
        self.company = companies.open_company(name="Machine", slug=slug, time_zone=ZONE.key)
        self.key_counts = Counter()
        self.sent = []
        self.seen_count = 0
        # Far too high to refuse anything: what they count is checked in the end.
        for window in LimitWindow:
            limits.set(
                company=self.company,
                subject=limits.of_feature("ASK"),
                window=window,
                credits=Decimal(1_000_000),
                by=None,
            )
        self.model = ReferenceLedger(START)
        self.reservations = []
        self.uses = []
        self.vera = people.vera()
        self.open_contract()
        # A thousandth a piece makes any amount chargeable.
        self.card = Rates(card_id=1, amounts=dict.fromkeys(RateItem.values, Decimal("0.001")))
        for _ in range(2):
            self.issue(data)

    @rule(act=st.sampled_from(ACTS), data=st.data())
    def act(self, act, data):
        if not self.reservations and act in NEED_A_RESERVATION:
            act = "reserve"
        if not self.uses and act == "refund":
            act = "charge"
        if not self.sent and act == "again":
            act = "issue"
        if not self._plain_lots and act in ("cancel", "void"):
            act = "issue"
        type(self).operation_count += 1
        self.is_sound = False
        getattr(self, act)(data)
        self.is_sound = True

    def step(self, data):
        minutes = data.draw(st.sampled_from([1, 5, 20, 90, 400]))
        self._set_clock(self.model.instant + timedelta(minutes=minutes))

    def step_back(self, data):
        self._set_clock(self.model.instant - timedelta(minutes=7))

    def step_to_a_boundary(self, data):
        """A microsecond before something is due, at its instant, or a microsecond after."""
        if dues := sorted(self.model.dues()):
            self._set_clock(data.draw(st.sampled_from(dues[:3])) + data.draw(OFFSETS))

    def issue(self, data):
        effective_at = self.model.instant + timedelta(minutes=data.draw(STARTS))
        life = data.draw(LIVES)
        terms = {
            "source": data.draw(SOURCES),
            "amount": data.draw(LOT_AMOUNTS),
            "priority": data.draw(st.sampled_from([100, 100, 100, 50])),
            "effective_at": effective_at,
            "expires_at": None if life is None else effective_at + timedelta(minutes=life),
        }
        if (alike := self._spent_after(terms["source"])) and data.draw(IS_ALIKE):
            lot = data.draw(st.sampled_from(alike[-4:]))
            terms |= {"priority": lot.priority, "expires_at": lot.expires_at}
            terms["amount"] = data.draw(WORK_MILLS.map(credits_of))
        by = self.vera if terms["source"] == Source.PURCHASE else None
        made, company = [], self.company
        outcome = self._outcome(
            lambda: made.append(
                self._sent(
                    data,
                    lambda key: grants.issue(company=company, by=by, key=key, **terms),
                    of="ISSUE",
                )
            )
        )
        grant_id = made[0].pk if made else None
        self._agree(outcome, lambda: self.model.issue(id=grant_id, **terms))

    def _spent_after(self, source):
        lots = self.model.lots.values()
        return [lot for lot in lots if lot.free > 0 and RANKS[lot.source] > RANKS[source]]

    def charge(self, data):
        self._charge(data, data.draw(WORK_MILLS), data.draw(st.sampled_from(list(USES))))

    def use_free(self, data):
        self._charge(data, data.draw(WORK_MILLS), FREE)

    def _charge(self, data, mills, what):
        use = USES.get(what, Use("BRIEF", FREE.name, None, "MANUAL"))
        work = Work(emails_with_text=mills, request_count=1 if what.is_request else None)
        terms = {"company": self.company, "use": use, "work": work, "rates": self.card}
        made = []
        outcome = self._outcome(
            lambda: made.append(
                self._sent(
                    data,
                    lambda key: charging.charge(key=key, is_free=what.is_free, **terms),
                    of="CHARGE",
                )
            )
        )
        self.uses += made
        usage_id = made[0].pk if made else None
        amount = credits_of(0 if what.is_free else mills)
        self._agree(
            outcome,
            lambda: self.model.charge(id=usage_id, amount=amount, what=what, emails=mills),
        )

    def reserve(self, data):
        terms = {"amount": data.draw(WORK_MILLS.map(credits_of)), "lease": data.draw(MINUTES)}
        what = data.draw(st.sampled_from(list(USES)))
        known = {"company": self.company, "use": USES[what], "rates": self.card}
        made = []
        outcome = self._outcome(
            lambda: made.append(
                self._sent(
                    data, lambda key: charging.reserve(key=key, **known, **terms), of="RESERVE"
                )
            )
        )
        self.reservations += made
        reservation_id = made[0].pk if made else None
        self._agree(outcome, lambda: self.model.reserve(id=reservation_id, what=what, **terms))

    def capture_part(self, data):
        reservation = self._some_reservation(data)
        mills = int(reservation.amount * 1000)
        self._capture(data, reservation, data.draw(st.integers(1, mills)))

    def capture_all(self, data):
        reservation = self._some_reservation(data)
        self._capture(data, reservation, int(reservation.amount * 1000))

    def capture_nothing(self, data):
        self._capture(data, self._some_reservation(data), 0)

    def capture_too_much(self, data):
        reservation = self._some_reservation(data)
        self._capture(data, reservation, int(reservation.amount * 1000) + 1)

    def release(self, data):
        reservation = self._some_reservation(data)
        outcome = self._outcome(lambda: charging.release(reservation=reservation))
        self._agree(outcome, lambda: self.model.release(id=reservation.pk))

    def extend(self, data):
        reservation, lease = self._some_reservation(data), data.draw(MINUTES)
        outcome = self._outcome(lambda: charging.extend(reservation=reservation, lease=lease))
        self._agree(outcome, lambda: self.model.extend(id=reservation.pk, lease=lease))

    def settle(self, data):
        expirations.settle(company=self.company)
        self._agree("OK", self.model.settle)

    def look_ahead(self, data):
        """What ``balances.at`` says of the future is what settling then would leave."""
        instant = self.model.instant + timedelta(minutes=data.draw(st.integers(1, 300)))
        self.model.settle()
        seen = balances.at(company=self.company, instant=instant)
        assert seen.remaining == _settled(self.model, instant), "FUTURE BALANCE differs"
        self._compare()

    def teardown(self):
        # Hypothesis tears down after a failure too; what failed first is the finding.
        if self.is_sound:
            self._compare(is_whole=True)
            comparing.check_books(self.company.pk)
            self._compare_past()
            self._compare_reports()

    def _some_reservation(self, data):
        """One that is still open, if there is any, three times out of four."""
        states = {id: promise.state for id, promise in self.model.promises.items()}
        live = [one for one in self.reservations if states[one.pk] == "OPEN"]
        wants_live = data.draw(st.integers(0, 3)) > 0
        return data.draw(st.sampled_from(live if live and wants_live else self.reservations))

    def _capture(self, data, reservation, mills):
        work, made = Work(emails_with_text=mills, request_count=1), []
        terms = {"work": work, "rates": self.card, "usage_id": new_id()}

        def capture(_):
            fresh = Reservation.objects.get(pk=reservation.pk)
            return charging.capture(reservation=fresh, **terms)

        outcome = self._outcome(lambda: made.append(self._sent(data, capture, of="CAPTURE")))
        self.uses += made
        usage_id = made[0].pk if made else None
        self._agree(
            outcome,
            lambda: self.model.capture(
                id=reservation.pk, usage_id=usage_id, amount=credits_of(mills), emails=mills
            ),
        )

    def _set_clock(self, instant):
        # A clock that steps back is tried too: the ledger stays at its last entry's instant.
        self.clock.set(instant)
        last = self.model.log[-1].at if self.model.log else instant
        self.model.advance(max(instant, last))

    def _outcome(self, operation):
        try:
            operation()
        except tuple(ERRORS) as error:
            return ERRORS[type(error)]
        return "OK"

    def _agree(self, outcome, operation):
        expected = "OK"
        try:
            operation()
        except Refused as refusal:
            expected = refusal.args[0]
        assert outcome == expected, f"OUTCOME differs: {outcome}, should be {expected}"
        self._compare()

    def _compare(self, *, is_whole=False):
        """Compare figures, states, and what came to the log since the last time; or all of it."""
        now = balances.now(company=self.company)
        self.model.settle()
        pair = (now.remaining, now.reserved)
        assert pair == (self.model.balance, self.model.reserved), "BALANCE differs"
        seen_count = 0 if is_whole else self.seen_count
        lots, states, log = comparing.read(self.company.pk, seen_count)
        assert lots == {str(lot.id): comparing.row_of(lot) for lot in self.model.lots.values()}, (
            "LOTS differ"
        )
        assert states == {str(one.id): one.state for one in self.model.promises.values()}
        assert log == [comparing.line_of(line) for line in self.model.log[seen_count:]], (
            "LOG differs"
        )
        self.seen_count = len(self.model.log)

    def _compare_reports(self):
        model, company = self.model, self.company
        # A report says what was used until now; the clock may stand before the last free use.
        latest = max((one.at for one in model.charges.values()), default=model.instant)
        self._set_clock(max(model.instant, latest + timedelta(microseconds=1)))
        self._compare()
        for has_free in (False, True):
            report = CreditUsageReport(company=company, has_free_use=has_free)
            expected = reporting.usage(model, ZONE, has_free=has_free)
            _agree(written(report), expected, "USAGE REPORT differs")
        expected = reporting.balance(model, ZONE)
        _agree(written(CreditBalanceReport(company=company)), expected, "BALANCE REPORT differs")
        expected = reporting.purchases(model, self.bought, ZONE)
        report = PurchaseHistoryReport(company=company)
        _agree(written(report), expected, "PURCHASE REPORT differs")

    def _compare_past(self):
        pairs = list(zip_longest(self.model.log, self.model.log[1:]))
        for line, following in pairs[len(pairs) % 4 :: 4]:
            if following is None or following.at > line.at:
                seen = balances.at(company=self.company, instant=line.at)
                assert seen.remaining == line.after, "PAST BALANCE differs"


def _settled(model: ReferenceLedger, instant: datetime) -> Decimal:
    """Return the reference's balance if nothing but time happened until then."""
    future = copy.deepcopy(model)
    future.advance(instant)
    future.settle()
    return future.balance


def _agree(found: bytes, expected: bytes, sentence: str) -> None:
    """Compare two files byte for byte, and name the first lines that differ."""
    lines = zip_longest(found.splitlines(), expected.splitlines())
    differing = next((pair for pair in lines if pair[0] != pair[1]), None)
    assert found == expected, f"{sentence}: {differing}"
