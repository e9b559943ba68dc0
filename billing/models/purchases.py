"""What was bought: each step an act of a signed-in person (I12)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from billing.orders import KEY_LENGTH_MAX
from credits.amounts import AmountField
from credits.identifiers import new_id
from credits.models import CreditGrant, User
from credits.tenancy import CompanyKey, TenantOneToOne, target_of_composite_keys

ORDER_REFERENCE_LENGTH_MAX = 200
REASON_LENGTH_MAX = 500


class PurchaseState(models.TextChoices):
    """Where a purchase stands; the last two are never left."""

    REQUESTED = "REQUESTED", "Requested"
    APPROVED = "APPROVED", "Approved"
    FULFILLED = "FULFILLED", "Fulfilled"
    CANCELLED = "CANCELLED", "Cancelled"


OPEN_STATES = [PurchaseState.REQUESTED, PurchaseState.APPROVED]


def _person(**kwargs: Any) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", db_index=False, editable=False, **kwargs
    )


def _pair(step: str, *more: str) -> models.CheckConstraint:
    """Who and when are both set or both null; ``more`` texts are there exactly when they are."""
    done = Q(**{f"{step}_at__isnull": False, f"{step}_by__isnull": False})
    open_ = Q(**{f"{step}_at": None, f"{step}_by": None})
    for text in more:
        done &= ~Q(**{text: ""})
        open_ &= Q(**{text: ""})
    return models.CheckConstraint(condition=done | open_, name=f"purchase_is_{step}_by_and_at")


class Purchase(models.Model):
    """Credits a company asked for, and what a person then did about it.

    ``number`` counts a company's purchases, for people. ``starts_on`` and ``ends_on`` are local
    days, the last one included; a request may leave them open, fulfilment settles them.
    ``order_key`` is what makes two order references the same order (``billing.orders``).
    ``approval_limit`` is the contract's lowest since the request, until it was approved: above it
    the person who approves is neither the one who asked nor the one who fulfils. What was
    fulfilled by mistake is voided: the row stays, with the reason, and one that ``replaces`` it
    may follow.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="purchases")
    number = models.PositiveIntegerField()
    state = models.CharField(
        max_length=10, choices=PurchaseState.choices, default=PurchaseState.REQUESTED
    )
    amount = AmountField("credits")
    starts_on = models.DateField("availability start date", null=True, blank=True)
    ends_on = models.DateField("expiration date", null=True, blank=True)
    order_reference = models.CharField(max_length=ORDER_REFERENCE_LENGTH_MAX, blank=True)
    order_key = models.CharField(max_length=KEY_LENGTH_MAX, blank=True, editable=False)
    note = models.CharField(max_length=REASON_LENGTH_MAX, blank=True)
    request_key = models.CharField(max_length=255, blank=True, editable=False)
    request_sha256 = models.BinaryField(max_length=32, null=True, editable=False)
    requested_at = models.DateTimeField(editable=False)
    requested_by = _person()
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = _person(null=True)
    approval_limit = AmountField(null=True, editable=False)
    fulfilled_at = models.DateTimeField(null=True, editable=False)
    fulfilled_by = _person(null=True)
    grant = TenantOneToOne(CreditGrant, null=True, editable=False, related_name="purchase")
    cancelled_at = models.DateTimeField(null=True, editable=False)
    cancelled_by = _person(null=True)
    cancel_reason = models.CharField(max_length=REASON_LENGTH_MAX, blank=True)
    voided_at = models.DateTimeField(null=True, editable=False)
    voided_by = _person(null=True)
    void_reason = models.CharField(max_length=REASON_LENGTH_MAX, blank=True)
    replaces = TenantOneToOne("self", null=True, editable=False, related_name="replaced_by")

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("billing_purchase"),
            models.UniqueConstraint(
                fields=["company", "number"], name="purchase_number_is_unique_in_a_company"
            ),
            models.UniqueConstraint(
                fields=["company", "order_key"],
                # What was withdrawn may be recorded again, rightly this time.
                condition=~Q(order_key="") & Q(cancelled_at=None, voided_at=None),
                name="order_reference_is_recorded_once",
            ),
            models.CheckConstraint(
                condition=Q(order_key="", order_reference="")
                | ~Q(order_key="") & ~Q(order_reference=""),
                name="order_reference_has_its_key",
            ),
            models.UniqueConstraint(
                fields=["company", "request_key"],
                condition=~Q(request_key=""),
                name="purchase_request_key_is_used_once",
            ),
            models.CheckConstraint(
                condition=Q(request_key="", request_sha256=None)
                | ~Q(request_key="") & Q(request_sha256__isnull=False),
                name="purchase_request_key_has_its_digest",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="purchase_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(starts_on=None) | Q(ends_on__gte=F("starts_on")),
                name="purchase_ends_on_or_after_its_first_day",
            ),
            _pair("approved"),
            _pair("fulfilled"),
            _pair("cancelled", "cancel_reason"),
            _pair("voided", "void_reason"),
            models.CheckConstraint(
                condition=Q(
                    state=PurchaseState.REQUESTED,
                    approved_at=None,
                    fulfilled_at=None,
                    cancelled_at=None,
                )
                | Q(
                    state=PurchaseState.APPROVED,
                    approved_at__isnull=False,
                    fulfilled_at=None,
                    cancelled_at=None,
                )
                | Q(
                    state=PurchaseState.FULFILLED,
                    approved_at__isnull=False,
                    fulfilled_at__isnull=False,
                    cancelled_at=None,
                )
                | Q(state=PurchaseState.CANCELLED, fulfilled_at=None, cancelled_at__isnull=False),
                name="purchase_state_follows_its_steps",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=PurchaseState.FULFILLED,
                    fulfilled_by__isnull=False,
                    grant__isnull=False,
                    starts_on__isnull=False,
                    ends_on__isnull=False,
                )
                | ~Q(state=PurchaseState.FULFILLED) & Q(grant=None, voided_at=None),
                name="purchase_is_fulfilled_by_a_person_with_a_grant",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None)
                | Q(approval_limit=None)
                | Q(amount__lte=F("approval_limit"))
                | ~Q(approved_by=F("requested_by"))
                & (Q(fulfilled_by=None) | ~Q(approved_by=F("fulfilled_by"))),
                name="purchase_above_the_limit_is_approved_by_a_second_person",
            ),
        ]
        indexes: ClassVar = [
            # What waits for somebody: the list's filter and the sidebar's count.
            models.Index(
                "company",
                "id",
                condition=Q(state__in=[state.value for state in OPEN_STATES]),
                name="purchase_open",
            ),
            # The purchase history report: a date range of one company.
            models.Index(
                "company",
                "fulfilled_at",
                "id",
                condition=Q(fulfilled_at__isnull=False),
                name="purchase_by_fulfilment",
            ),
        ]

    def __str__(self) -> str:
        return f"Purchase #{self.number}"
