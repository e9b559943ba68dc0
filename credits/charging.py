"""Spend credits: estimate, reserve, capture, release, charge; refund a charge (SPEC §2).

Work that takes time reserves its full price first, works with no transaction open, then captures
what succeeded. Nothing here starts, waits for or asks an AI.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from credits import balances, companies, ledger, limit_windows, limits, rating
from credits.amounts import ZERO, movable
from credits.identifiers import new_id
from credits.ledger import IdempotencyConflict, InsufficientCredits, Key, Outcome, Use
from credits.models import LEASE_MAX, Company, Reservation, ReservationState, UsageEvent, User
from credits.rating import Rates, Work

# A refund is a charge undone, and callers find it beside the charge.
from credits.refunds import AlreadyRefunded as AlreadyRefunded
from credits.refunds import NothingCharged as NothingCharged
from credits.refunds import RefundExceedsCharge as RefundExceedsCharge
from credits.refunds import refund as refund
from credits.refunds import refund_preview as refund_preview

LEASE_DEFAULT = timedelta(minutes=15)


class AlreadyCaptured(Exception):
    """This reservation was charged already; its usage event is the result of that."""


class AlreadyReleased(Exception):
    """This reservation was released; reserve again before charging."""


class ReservationLapsed(Exception):
    """This reservation was not used in time and its credits are free again; reserve anew."""


class CaptureExceedsReservation(Exception):
    """A capture may not exceed what was reserved; reserve the full price first."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What work would cost, and what it would leave. Amounts in credits."""

    credits: Decimal
    calls: int
    emails: int
    web_searches: int
    available_before: Decimal
    available_after: Decimal


def estimate(*, company: Company, work: Work, rates: Rates) -> Estimate:
    """Price work without doing or reserving anything; free.

    ``available_after`` is negative by the shortfall when there are not enough credits.
    """
    price = rating.price(work, rates)
    available = balances.now(company=company).available
    return Estimate(
        credits=price,
        calls=work.calls,
        emails=work.emails,
        web_searches=work.web_searches,
        available_before=available,
        available_after=available - price,
    )


def charge(
    *,
    company: Company,
    use: Use,
    work: Work,
    rates: Rates,
    by: User | None = None,
    key: Key | None = None,
    is_free: bool = False,
    usage_id: UUID | None = None,
) -> UsageEvent:
    """Charge work that is done, in one step, and return its usage event.

    The amount is the work's price, or 0 for a free use, which writes no ledger entry. With a key
    the same request again returns the first event and charges nothing. A refusal is not
    remembered: where an earlier attempt lost its connection it may still come to be, once, and
    the key then finds it (docs/reliability.md).

    :raises InsufficientCredits: nothing was charged.
    :raises LimitReached: an InsufficientCredits that names the limit; nothing was charged.
    :raises IdempotencyConflict: the key was used with another body.
    :raises CompanyClosed: nothing is used in a closed company.
    """
    usage_id = usage_id or new_id()
    price = ZERO if is_free else rating.price(work, rates)
    answer = limit_windows.admitted(
        company,
        lambda: ledger.charge(
            company_id=company.pk,
            actor_ref=_ref(by),
            usage_id=usage_id,
            amount=price,
            use=use,
            work=work,
            rate_card_id=rates.card_id,
            key=key,
        ),
    )
    companies.refuse_closed(company, answer)
    _refuse(answer, price)
    if answer.outcome == "REPLAYED":
        return UsageEvent.objects.get(company=company, id=answer.certain_ref)
    return _usage_event(company.pk, usage_id, price, use, work, rates.card_id, answer)


def reserve(
    *,
    company: Company,
    amount: Decimal,
    use: Use,
    rates: Rates,
    by: User | None = None,
    lease: timedelta = LEASE_DEFAULT,
    key: Key | None = None,
    reservation_id: UUID | None = None,
) -> Reservation:
    """Hold credits for work about to start, in lots named now, until ``lease`` ends.

    What is held can always be captured, even after a lot's expiry. With a key the same request
    again returns the first reservation, whatever became of it. ``reservation_id`` names the new
    one, for a caller that wrote it down before.

    :raises InsufficientCredits: nothing was held.
    :raises LimitReached: an InsufficientCredits that names the limit; nothing was held.
    :raises IdempotencyConflict: the key was used with another body.
    :raises InexactAmount: for a fourth decimal place.
    :raises ValueError: if the amount is not above 0 or the lease is longer than an hour.
    :raises CompanyClosed: nothing is held in a closed company.
    """
    amount = movable(amount)
    if not timedelta(0) < lease <= LEASE_MAX:
        raise ValueError(f"A lease lasts up to {LEASE_MAX}, not {lease}.")
    named = reservation_id or new_id()
    answer = limit_windows.admitted(
        company,
        lambda: ledger.reserve(
            company_id=company.pk,
            actor_ref=_ref(by),
            reservation_id=named,
            amount=amount,
            lease=lease,
            use=use,
            rate_card_id=rates.card_id,
            key=key,
        ),
    )
    companies.refuse_closed(company, answer)
    _refuse(answer, amount)
    if answer.outcome == "REPLAYED":
        return Reservation.objects.get(company=company, id=answer.certain_ref)
    reservation = Reservation(
        id=named,
        company_id=company.pk,
        state=ReservationState.OPEN,
        amount=amount,
        rate_card_id=rates.card_id,
        opened_at=answer.instant,
        lapses_at=answer.certain_until,
        **asdict(use),
    )
    reservation._state.adding = False
    return reservation


def capture(
    *,
    reservation: Reservation,
    work: Work,
    rates: Rates,
    by: User | None = None,
    usage_id: UUID | None = None,
) -> UsageEvent:
    """Charge the part of a reservation that succeeded; the rest goes back to its lots.

    ``rates`` are those of the reservation's card; ``by`` is who acts, nobody where a worker
    does. The same capture again, by ``usage_id``,
    returns the first event.

    :raises ValueError: if the rates are those of another card.
    :raises CaptureExceedsReservation: nothing was charged.
    :raises AlreadyCaptured: with another usage event.
    :raises AlreadyReleased: nothing was charged.
    :raises ReservationLapsed: nothing was charged.
    """
    if rates.card_id != reservation.rate_card_id:
        raise ValueError("A capture is priced by the rate card of its reservation.")
    usage_id = usage_id or new_id()
    amount = rating.price(work, rates)
    answer = ledger.capture(
        company_id=reservation.company_id,
        actor_ref=_ref(by),
        reservation_id=reservation.pk,
        usage_id=usage_id,
        amount=amount,
        work=work,
        rate_card_id=rates.card_id,
    )
    if answer.outcome == "REPLAYED":
        return UsageEvent.objects.get(company_id=reservation.company_id, id=usage_id)
    _refuse_closed(answer)
    reservation.state = ReservationState.CAPTURED
    reservation.captured = amount
    reservation.closed_at = answer.instant
    reservation.usage_event_id = usage_id
    use = Use(**{name: getattr(reservation, name) for name in Use.__dataclass_fields__})
    return _usage_event(reservation.company_id, usage_id, amount, use, work, rates.card_id, answer)


def release(*, reservation: Reservation, by: User | None = None) -> Reservation:
    """Give back all that a reservation holds; what goes to an expired lot expires now.

    :raises AlreadyCaptured: it was charged.
    :raises AlreadyReleased: it was released before.
    :raises ReservationLapsed: it lapsed before.
    """
    answer = ledger.release(
        company_id=reservation.company_id, actor_ref=_ref(by), reservation_id=reservation.pk
    )
    _refuse_closed(answer)
    reservation.state = ReservationState.RELEASED
    reservation.closed_at = answer.until
    return reservation


def extend(*, reservation: Reservation, lease: timedelta = LEASE_DEFAULT) -> Reservation:
    """Keep holding for another lease from now, up to an hour from when it was opened.

    :raises AlreadyCaptured: it was charged.
    :raises AlreadyReleased: it was released.
    :raises ReservationLapsed: it lapsed before.
    """
    answer = ledger.extend(
        company_id=reservation.company_id,
        reservation_id=reservation.pk,
        lease=lease,
    )
    _refuse_closed(answer)
    reservation.lapses_at = answer.certain_until
    return reservation


def _refuse(answer: Outcome, required: Decimal) -> None:
    limits.refuse_limited(answer)
    if answer.outcome == "INSUFFICIENT":
        raise InsufficientCredits(required=required, available=answer.available)
    if answer.outcome == "CONFLICT":
        raise IdempotencyConflict(IdempotencyConflict.__doc__)


def _refuse_closed(answer: Outcome) -> None:
    match answer.outcome:
        case "CAPTURED":
            raise AlreadyCaptured(AlreadyCaptured.__doc__)
        case "RELEASED":
            raise AlreadyReleased(AlreadyReleased.__doc__)
        case "LAPSED":
            raise ReservationLapsed(ReservationLapsed.__doc__)
        case "EXCEEDS":
            raise CaptureExceedsReservation(CaptureExceedsReservation.__doc__)
        case "UNKNOWN":
            raise Reservation.DoesNotExist("There is no such reservation in this company.")


def _usage_event(
    company_id: int,
    usage_id: UUID,
    amount: Decimal,
    use: Use,
    work: Work,
    rate_card_id: int,
    answer: Outcome,
) -> UsageEvent:
    """Return the row the ledger wrote, from what is known here, without reading it back."""
    event = UsageEvent(
        id=usage_id,
        company_id=company_id,
        rate_card_id=rate_card_id,
        calls=work.calls,
        emails=work.emails,
        web_searches=work.web_searches,
        request_count=work.request_count,
        amount=amount,
        entry_id=answer.entry_id if amount > ZERO else None,
        occurred_at=answer.instant,
        after_sequence=answer.sequence,
        **asdict(use),
    )
    event._state.adding = False
    event.available = answer.available
    return event


def _ref(user: User | None) -> UUID | None:
    return None if user is None else user.public_id
