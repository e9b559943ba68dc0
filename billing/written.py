"""What people wrote beside purchases, seats and zones (setting ``WRITTEN_WORDS``)."""

from __future__ import annotations

from billing import orders
from billing.models import Purchase, SeatCount, TopUp, ZoneChange
from credits.written import Written


def _order(purchase: Purchase, changes: dict[str, str]) -> dict[str, str]:
    """Return an order reference that is still one of its own, with the key it is known by."""
    if "order_reference" not in changes:
        return {}
    mark = f" #{purchase.number}"
    length_max = Purchase._meta.get_field("order_reference").max_length
    assert length_max is not None  # A reference has one.
    reference = f"{changes['order_reference'][: length_max - len(mark)]}{mark}"
    return {"order_reference": reference, "order_key": orders.key_of(reference)}


WORDS = (
    Written(SeatCount, ("note",)),
    Written(TopUp, ("reason",)),
    Written(ZoneChange, ("reason",)),
    Written(Purchase, ("order_reference", "note", "cancel_reason", "void_reason"), follows=_order),
)
