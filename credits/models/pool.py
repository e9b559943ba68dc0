"""A company's credits: one pool, filled by grants (lots)."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.db import models
from django.db.models import Case, F, Q, Value, When

from credits.amounts import ZERO, AmountField
from credits.identifiers import new_id
from credits.models.people import Company, User
from credits.tenancy import CompanyKey, target_of_composite_keys

GENESIS_HASH = b"\x00" * 32


class WrittenByTheLedger(Exception):
    """Only the ledger's acts write this row; call one of them, such as grants.issue."""


class WrittenByTheLedgerModel(models.Model):
    """Refuses in Python what would be a second writer; triggers refuse it on pools and grants."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise WrittenByTheLedger(WrittenByTheLedger.__doc__)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise WrittenByTheLedger(WrittenByTheLedger.__doc__)


class CreditPool(WrittenByTheLedgerModel):
    """One company's credits, and the row every write to its ledger locks first.

    Written by the SQL functions of the ledger only; a trigger refuses others. ``next_due_at`` is
    no later than the next instant at which something falls due by itself; null means nothing
    ever will.
    """

    company = models.OneToOneField(
        Company, on_delete=models.PROTECT, primary_key=True, related_name="pool"
    )
    balance = AmountField(default=ZERO)
    reserved = AmountField(default=ZERO)
    sequence = models.BigIntegerField(default=0)
    next_due_at = models.DateTimeField(null=True)
    last_occurred_at = models.DateTimeField(null=True)
    last_hash = models.BinaryField(max_length=32, default=GENESIS_HASH)
    # How many limits are in force: a company without any pays nothing for looking at them.
    limit_count = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0, balance__gte=F("reserved")),
                name="pool_balance_covers_what_is_reserved",
            ),
            models.CheckConstraint(condition=Q(sequence__gte=0), name="pool_sequence_counts_up"),
        ]

    def __str__(self) -> str:
        return f"Pool of company {self.company_id}"


class Source(models.TextChoices):
    """Why a grant was made; also the third rank of the spending order (SPEC §2)."""

    ALLOCATION = "ALLOCATION", "Seat allocation"
    INTRODUCTORY = "INTRODUCTORY", "Introductory"
    PURCHASE = "PURCHASE", "Purchase"
    ADJUSTMENT = "ADJUSTMENT", "Adjustment"


SOURCE_RANKS = {source: rank for rank, source in enumerate(Source.values, start=1)}
PRIORITY_DEFAULT = 100


class CreditGrant(WrittenByTheLedgerModel):
    """A lot of credits, usable in ``effective_at <= t < expires_at`` (null: without end).

    Before its effective date it holds nothing (``remaining`` 0) and has no entry; ``granted_at``
    is set together with its entry, GRANTED or, for an adjustment, ADJUSTED. Its terms (source,
    amount, dates, priority) never change, and ``terms_hash`` seals them from the start; its
    figures change in the ledger's acts only.
    ``is_open`` is true while new work may draw on it.
    An effective date already past when the grant was made counts from then; the date that was
    asked for stays in ``requested_effective_at``.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="grants")
    source = models.CharField(max_length=20, choices=Source.choices)
    source_rank = models.GeneratedField(
        expression=Case(
            *[When(source=source, then=Value(rank)) for source, rank in SOURCE_RANKS.items()]
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    amount = AmountField()
    remaining = AmountField(default=ZERO)
    held = AmountField(default=ZERO)
    voided = AmountField(default=ZERO)
    corrected_down = AmountField(default=ZERO)
    priority = models.SmallIntegerField(
        default=PRIORITY_DEFAULT, help_text="Grants with a smaller number are spent first."
    )
    effective_at = models.DateTimeField("usable from")
    expires_at = models.DateTimeField("usable until", null=True, blank=True)
    requested_effective_at = models.DateTimeField(null=True, editable=False)
    granted_at = models.DateTimeField(null=True, editable=False)
    expired_at = models.DateTimeField(null=True, editable=False)
    voided_at = models.DateTimeField(null=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)
    is_open = models.BooleanField(default=False, editable=False)
    reference = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(editable=False)
    terms_hash = models.BinaryField(max_length=32, editable=False)
    created_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_creditgrant"),
            models.CheckConstraint(
                condition=Q(source__in=Source.values), name="grant_source_is_known"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="grant_amount_is_positive"),
            # Nothing buys by itself (I12), whoever calls the ledger.
            models.CheckConstraint(
                condition=~Q(source=Source.PURCHASE) | Q(created_by__isnull=False),
                name="grant_of_a_purchase_names_its_person",
            ),
            models.CheckConstraint(
                condition=Q(held__gte=0, remaining__gte=F("held"), amount__gte=F("remaining")),
                name="grant_held_is_within_remaining_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(voided__gte=0, corrected_down__gte=0)
                & Q(amount__gte=F("voided") + F("corrected_down") + F("remaining")),
                name="grant_withdrawals_are_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("effective_at")),
                name="grant_expires_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(granted_at__isnull=False) | Q(remaining=0, is_open=False),
                name="grant_holds_nothing_before_it_is_granted",
            ),
            models.CheckConstraint(
                condition=Q(is_open=False)
                | Q(remaining__gt=0, expired_at=None, voided_at=None, cancelled_at=None),
                name="grant_is_open_only_while_it_can_be_spent",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_at=None) | Q(granted_at=None),
                name="grant_is_cancelled_only_before_it_is_granted",
            ),
            models.CheckConstraint(
                condition=Q(voided=0) | Q(voided_at__isnull=False),
                name="grant_voided_amount_has_its_instant",
            ),
            models.UniqueConstraint(
                fields=["company"],
                condition=Q(source=Source.INTRODUCTORY, cancelled_at=None),
                name="introductory_credits_come_once",
            ),
        ]
        indexes: ClassVar = [
            # The spending order: the next lots a charge or reservation draws on.
            models.Index(
                "company",
                "priority",
                F("expires_at").asc(nulls_last=True),
                "source_rank",
                "effective_at",
                "id",
                condition=Q(is_open=True),
                name="grant_spending_order",
            ),
            # Settling: the next grant to become effective.
            models.Index(
                "company",
                "effective_at",
                condition=Q(granted_at=None, cancelled_at=None),
                name="grant_next_to_start",
            ),
            # Settling: the next grant to expire.
            models.Index(
                "company", "expires_at", condition=Q(is_open=True), name="grant_next_to_expire"
            ),
            # The credits page and the list of a company's grants, newest first.
            models.Index("company", F("created_at").desc(), "id", name="grant_newest_first"),
        ]

    def __str__(self) -> str:
        return f"Grant {self.pk}"
