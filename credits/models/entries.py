"""What happened: ledger entries, the lots they drew on, and the work that was metered.

These three tables only grow. Triggers refuse UPDATE, DELETE and TRUNCATE (I10).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, NoReturn

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import NullIf

from credits.amounts import AmountField
from credits.identifiers import new_id
from credits.models.pool import CreditGrant
from credits.models.rates import RateCard
from credits.tenancy import CompanyKey, TenantKey, TenantOneToOne, target_of_composite_keys


class AppendOnly(Exception):
    """Ledger rows are never changed or deleted; a correction is a new entry."""


class AppendOnlyModel(models.Model):
    """Refuses in Python what the triggers refuse in the database, with a clearer error."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly(AppendOnly.__doc__)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly(AppendOnly.__doc__)


class EntryKind(models.TextChoices):
    """What an entry did to the pool; the labels are the balance report's Method column."""

    GRANTED = "GRANTED", "Added"
    CONSUMED = "CONSUMED", "Used"
    EXPIRED = "EXPIRED", "Expired"
    VOIDED = "VOIDED", "Voided"
    REFUNDED = "REFUNDED", "Refunded"
    ADJUSTED = "ADJUSTED", "Adjusted"


class Cause(models.TextChoices):
    """Which act wrote an entry; ``cause_ref`` is the id of that act's row."""

    ISSUE = "ISSUE", "Grant became effective"
    CHARGE = "CHARGE", "Direct charge"
    CAPTURE = "CAPTURE", "Capture of a reservation"
    EXPIRY = "EXPIRY", "Grant expired"
    RELEASE = "RELEASE", "Reservation released"
    LAPSE = "LAPSE", "Reservation lapsed"
    REFUND = "REFUND", "Refund of a charge"
    VOID = "VOID", "Grant voided"
    ADJUST = "ADJUST", "Correction"


POSITIVE_KINDS = [EntryKind.GRANTED, EntryKind.REFUNDED]
NEGATIVE_KINDS = [EntryKind.CONSUMED, EntryKind.EXPIRED, EntryKind.VOIDED]


class LedgerEntry(AppendOnlyModel):
    """One change of a company's balance, at a place in its gapless sequence.

    ``occurred_at`` is when it took effect and never decreases along the sequence;
    ``recorded_at`` is the instant of the act that wrote it. ``grant`` is set where the entry is
    about one grant. A refund names the charge's entry in ``corrects_sequence``. ``hash`` covers
    every other column, the drawdowns, the terms of the grant that it made effective or the usage
    event that it paid, and the hash before.
    """

    company = CompanyKey(related_name="entries")
    sequence = models.BigIntegerField()
    prev_sequence = models.GeneratedField(
        expression=NullIf(F("sequence") - 1, Value(0)),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    kind = models.CharField(max_length=10, choices=EntryKind.choices)
    amount = AmountField()
    balance_before = AmountField()
    balance_after = AmountField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    cause = models.CharField(max_length=10, choices=Cause.choices)
    cause_ref = models.UUIDField()
    grant = TenantKey(CreditGrant, null=True, related_name="+")
    corrects_sequence = models.BigIntegerField(null=True)
    actor_ref = models.UUIDField(null=True)
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints: ClassVar = [
            target_of_composite_keys("credits_ledgerentry"),
            models.UniqueConstraint(
                fields=["company", "sequence"], name="entry_sequence_is_unique_in_a_company"
            ),
            # The target of the link to the previous entry, which RunSQL adds (I4).
            models.UniqueConstraint(
                fields=["company", "sequence", "balance_after"],
                name="entry_link_to_the_previous_one",
            ),
            models.UniqueConstraint(
                fields=["cause_ref", "kind", "cause", "grant"],
                nulls_distinct=False,
                name="entry_has_one_effect_per_cause",
            ),
            models.CheckConstraint(
                condition=Q(balance_after=F("balance_before") + F("amount")),
                name="entry_after_is_before_plus_amount",
            ),
            models.CheckConstraint(
                condition=Q(balance_after__gte=0), name="entry_balance_is_never_below_zero"
            ),
            models.CheckConstraint(condition=~Q(amount=0), name="entry_amount_is_not_zero"),
            models.CheckConstraint(
                condition=Q(kind__in=POSITIVE_KINDS, amount__gt=0)
                | Q(kind__in=NEGATIVE_KINDS, amount__lt=0)
                | Q(kind=EntryKind.ADJUSTED),
                name="entry_sign_follows_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=Cause.values), name="entry_cause_is_known"
            ),
            models.CheckConstraint(
                condition=Q(sequence__gt=1) | Q(sequence=1, balance_before=0),
                name="entry_sequence_starts_at_one_from_zero",
            ),
            models.CheckConstraint(
                condition=Q(kind=EntryKind.REFUNDED, corrects_sequence__isnull=False)
                | ~Q(kind=EntryKind.REFUNDED) & Q(corrects_sequence=None)
                | Q(kind=EntryKind.ADJUSTED),
                name="entry_refund_names_what_it_refunds",
            ),
            models.CheckConstraint(
                condition=Q(recorded_at__gte=F("occurred_at")),
                name="entry_is_recorded_when_or_after_it_occurred",
            ),
        ]
        indexes: ClassVar = [
            # Reports of a date range, and the balance at an instant.
            models.Index("company", "occurred_at", "sequence", name="entry_by_instant"),
            # What was refunded of a charge so far.
            models.Index(
                "company",
                "corrects_sequence",
                condition=Q(corrects_sequence__isnull=False),
                name="entry_refunds_of_a_charge",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.sequence}"


class Drawdown(AppendOnlyModel):
    """How much of one grant one entry moved, with the entry's sign; ids run in drawing order."""

    company = CompanyKey(related_name="+", db_constraint=False)
    entry = TenantKey(LedgerEntry, related_name="drawdowns")
    grant = TenantKey(CreditGrant, related_name="drawdowns")
    amount = AmountField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["entry", "grant"], name="drawdown_names_a_grant_once_per_entry"
            ),
            models.CheckConstraint(condition=~Q(amount=0), name="drawdown_amount_is_not_zero"),
        ]

    def __str__(self) -> str:
        return f"Drawdown {self.pk}"


class FeatureType(models.TextChoices):
    """What kind of feature used credits; the labels are the usage report's."""

    TRACKER = "TRACKER", "AI Tracker"
    ASK = "ASK", "AI Ask Anything"
    BRIEF = "BRIEF", "AI Briefer"


class UsageAction(models.TextChoices):
    """Why a feature ran; the labels are the usage report's. The last three cost nothing."""

    CONTINUOUS = "CONTINUOUS", "Continuous"
    BACKFILL = "BACKFILL", "Backfill"
    API_REQUEST = "API_REQUEST", "API request"
    MCP_REQUEST = "MCP_REQUEST", "MCP request"
    PREVIEW = "PREVIEW", "Preview"
    MANUAL = "MANUAL", "Manual"
    REUSED = "REUSED", "Reused"


FREE_ACTIONS = [UsageAction.PREVIEW, UsageAction.MANUAL, UsageAction.REUSED]


class FeatureUse(models.Model):
    """What is being paid for: snapshots and opaque ids only, no personal text."""

    feature_type = models.CharField(max_length=10, choices=FeatureType.choices)
    feature_name = models.CharField(max_length=200)
    feature_ref = models.UUIDField(null=True)
    action = models.CharField(max_length=20, choices=UsageAction.choices)
    integration_ref = models.UUIDField(null=True)
    api_key_ref = models.UUIDField(null=True)
    user_ref = models.UUIDField(null=True)
    team_ref = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        abstract = True


class UsageEvent(AppendOnlyModel, FeatureUse):
    """Work that was done: what, how many, at which rates, for how many credits.

    One with an amount has exactly one CONSUMED entry and its time; one of 0 has none, carries
    its own instant, and sorts after the entry ``after_sequence``.
    """

    # No column: what could be spent when it was charged, where the charge has just been made.
    available: Decimal | None = None

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="usage_events")
    rate_card = models.ForeignKey(
        RateCard, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    calls = models.PositiveIntegerField()
    emails = models.PositiveIntegerField()
    web_searches = models.PositiveIntegerField()
    request_count = models.PositiveIntegerField(null=True)
    amount = AmountField()
    entry = TenantOneToOne(LedgerEntry, null=True, related_name="usage_event")
    occurred_at = models.DateTimeField()
    after_sequence = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_usageevent"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, entry__isnull=False) | Q(amount=0, entry=None),
                name="usage_has_an_entry_when_it_costs_something",
            ),
            models.CheckConstraint(
                condition=Q(feature_type__in=FeatureType.values, action__in=UsageAction.values),
                name="usage_feature_and_action_are_known",
            ),
            models.CheckConstraint(
                condition=Q(amount=0) | ~Q(action__in=FREE_ACTIONS),
                name="usage_of_free_actions_costs_nothing",
            ),
            models.CheckConstraint(
                condition=Q(request_count=None) | Q(request_count__gt=0),
                name="usage_request_count_is_positive",
            ),
        ]
        indexes: ClassVar = [
            # The usage report and "what eats it": a date range of one company, in ledger order.
            models.Index("company", "occurred_at", "after_sequence", "id", name="usage_by_instant"),
        ]

    def __str__(self) -> str:
        return f"Usage {self.pk}"

    @property
    def certain_available(self) -> Decimal:
        """Return what could be spent after it, on the row that charging has just returned."""
        assert self.available is not None
        return self.available
