from billing.models.allocations import Allocation, AllocationLine, AllocationState, TopUp
from billing.models.contracts import Contract, Period, SeatCount, SeatType
from billing.models.purchases import OPEN_STATES, Purchase, PurchaseState
from billing.models.zones import ZoneChange

__all__ = [
    "OPEN_STATES",
    "Allocation",
    "AllocationLine",
    "AllocationState",
    "Contract",
    "Period",
    "Purchase",
    "PurchaseState",
    "SeatCount",
    "SeatType",
    "TopUp",
    "ZoneChange",
]
