"""What billing tells other pages: where a grant came from, and what waits for a decision."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from billing import purchases
from billing.models import Allocation, Purchase
from credits.current_company import scope_of
from credits.models import CreditGrant
from credits.roles import Act


def grant_origin(grant: CreditGrant) -> tuple[str, str] | None:
    """Return the words and the address of what a grant was made for; None if not by billing."""
    purchase = Purchase.objects.filter(company=grant.company_id, grant=grant).first()
    if purchase is not None:
        return f"Purchase #{purchase.number}", reverse(
            "admin:billing_purchase_change", args=[purchase.pk]
        )
    allocation = Allocation.objects.filter(company=grant.company_id, grant=grant).first()
    if allocation is not None:
        return f"Period {allocation.period_number}", reverse(
            "admin:billing_allocation_change", args=[allocation.pk]
        )
    return None


def to_approve(request: HttpRequest) -> int:
    """Count the purchases in scope that wait to be approved, for those who may approve."""
    scope = scope_of(request)
    if not scope.may(Act.APPROVE_PURCHASES):
        return 0
    return purchases.waiting(scope.limit(Purchase.objects.all())).count()
