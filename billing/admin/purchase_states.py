"""How pages show the state of a purchase; nothing here can change one."""

from __future__ import annotations

from django.utils.safestring import SafeString

from billing.models import Purchase, PurchaseState
from credits import shown

TONES = {
    PurchaseState.REQUESTED: shown.WARNING,
    PurchaseState.APPROVED: shown.INFO,
    PurchaseState.FULFILLED: shown.GOOD,
    PurchaseState.CANCELLED: shown.QUIET,
}


def state_of(purchase: Purchase) -> SafeString:
    if purchase.voided_at is not None:
        return shown.status("Voided", tone=shown.QUIET)
    state = PurchaseState(purchase.state)
    return shown.status(state.label, tone=TONES[state])


def asked_by(purchase: Purchase) -> str:
    """Say who asked: the person, or the key that did so in the name of whoever made it."""
    person = purchase.requested_by.get_full_name()
    if purchase.requested_through is None:
        return person
    return f"key {purchase.requested_through.name} (made by {person})"
