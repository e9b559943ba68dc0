"""What a grant was made for, for whoever explains it (settings ``CREDIT_GRANT_EXPLAINERS``)."""

from __future__ import annotations

from datetime import datetime

from billing.models import Allocation, Purchase, TopUp
from credits import shown
from credits.amounts import grouped
from credits.explanations import Act, Origin
from credits.models import CreditGrant, User


def origin(grant: CreditGrant) -> Origin | None:
    """Return the purchase, period or top-up that a grant was made for; None if none of ours."""
    mine = {"company": grant.company_id, "grant": grant}
    purchase = Purchase.objects.filter(**mine).select_related(*_PEOPLE).first()
    if purchase is not None:
        return _of_purchase(purchase)
    allocation = Allocation.objects.filter(**mine).first()
    if allocation is not None:
        return _of_allocation(allocation)
    top_up = TopUp.objects.filter(**mine).select_related("allocation", "made_by").first()
    return None if top_up is None else _of_top_up(top_up)


_STEPS = ("requested", "approved", "fulfilled", "voided")
_PEOPLE = [f"{step}_by" for step in _STEPS]


def _of_purchase(purchase: Purchase) -> Origin:
    facts = [f"{grouped(purchase.amount)} credits"]
    if purchase.order_reference:
        facts.append(f"order reference {purchase.order_reference}")
    if purchase.void_reason:
        facts.append(f"voided: {purchase.void_reason}")
    acts = []
    for step in _STEPS:
        by: User | None = getattr(purchase, f"{step}_by")
        at: datetime | None = getattr(purchase, f"{step}_at")
        if by is not None and at is not None:
            acts.append(Act(step, by, at))
    return Origin(f"Purchase #{purchase.number}", tuple(facts), tuple(acts))


def _of_allocation(allocation: Allocation) -> Origin:
    seats = " + ".join(
        f"{line.seats:,} {line.seat_name} × {grouped(line.credits)}"
        for line in allocation.lines.order_by("seat_name", "pk")
    )
    days = f"{shown.day(allocation.starts_on)} to {shown.day(allocation.ends_on)}"
    return Origin(
        f"Allocation of period {allocation.period_number}",
        (days, f"{seats} = {grouped(allocation.amount)} credits"),
    )


def _of_top_up(top_up: TopUp) -> Origin:
    return Origin(
        f"Top-up of period {top_up.allocation.period_number}",
        (f"{grouped(top_up.amount)} credits", top_up.reason),
        (Act("made", top_up.made_by, top_up.made_at),),
    )
