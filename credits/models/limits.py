"""Limits of spending: how many credits a subject may use in a local day or month (SPEC §7)."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from credits.amounts import ZERO, AmountField
from credits.identifiers import new_id
from credits.models.api_keys import ApiKey
from credits.models.entries import FeatureType
from credits.models.integrations import Integration
from credits.models.people import User
from credits.models.pool import WrittenByTheLedgerModel
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys


class LimitSubject(models.TextChoices):
    """What a limit is about; the codes in small letters are the API's ``limit_source``."""

    COMPANY = "COMPANY", "The whole company"
    FEATURE = "FEATURE", "A feature"
    TRACKER = "TRACKER", "A tracker"
    INTEGRATION = "INTEGRATION", "An integration"
    API_KEY = "API_KEY", "An API key"


class LimitWindow(models.TextChoices):
    """How long a limit counts before it begins anew, in the company's time zone."""

    DAY = "DAY", "A day"
    MONTH = "MONTH", "A month"


_NAMES_NOTHING = Q(feature_ref=None, integration=None, api_key=None)
_ENDED = Q(ended_at__isnull=False)


class SpendingLimit(WrittenByTheLedgerModel):
    """How many credits one subject may use in each local day or month, until ``ended_at``.

    Written by the ledger's acts only, under the pool's lock, so that what was used before it was
    set is counted exactly. ``is_hard`` refuses what would go above it; otherwise it only tells.
    ``name`` is what the subject was called when it was set. ``api_key_refs`` are the key and those
    that replaced it, which count together. ``time_zone`` is the one its windows ahead were laid
    out in.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="limits")
    subject = models.CharField(max_length=20, choices=LimitSubject.choices)
    feature_type = models.CharField(max_length=10, choices=FeatureType.choices, blank=True)
    feature_ref = models.UUIDField(null=True)
    integration = TenantKey(Integration, null=True, related_name="limits")
    api_key = TenantKey(ApiKey, null=True, related_name="limits")
    api_key_refs = ArrayField(models.UUIDField(), default=list)
    name = models.CharField(max_length=200)
    window = models.CharField(max_length=10, choices=LimitWindow.choices)
    credits = AmountField()
    is_hard = models.BooleanField(default=True)
    time_zone = models.CharField(max_length=60)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = "limit"
        constraints: ClassVar = [
            target_of_composite_keys("credits_spendinglimit"),
            models.UniqueConstraint(
                fields=[
                    *("company", "subject", "feature_type", "feature_ref", "integration"),
                    *("api_key", "window"),
                ],
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="limit_is_set_once_for_a_subject_and_window",
            ),
            models.CheckConstraint(
                condition=Q(subject=LimitSubject.COMPANY, feature_type="") & _NAMES_NOTHING
                | Q(subject=LimitSubject.FEATURE, feature_type__in=FeatureType.values)
                & _NAMES_NOTHING
                | Q(
                    subject=LimitSubject.TRACKER,
                    feature_type=FeatureType.TRACKER,
                    feature_ref__isnull=False,
                    integration=None,
                    api_key=None,
                )
                | Q(
                    subject=LimitSubject.INTEGRATION,
                    feature_type="",
                    feature_ref=None,
                    integration__isnull=False,
                    api_key=None,
                )
                | Q(
                    subject=LimitSubject.API_KEY,
                    feature_type="",
                    feature_ref=None,
                    integration=None,
                    api_key__isnull=False,
                ),
                name="limit_names_its_subject_and_nothing_else",
            ),
            models.CheckConstraint(
                condition=Q(subject=LimitSubject.API_KEY, api_key_refs__len__gt=0)
                | ~Q(subject=LimitSubject.API_KEY) & Q(api_key_refs__len=0),
                name="limit_counts_its_key_and_successors",
            ),
            models.CheckConstraint(
                condition=Q(window__in=LimitWindow.values), name="limit_window_is_known"
            ),
            models.CheckConstraint(condition=Q(credits__gte=0), name="limit_is_not_below_zero"),
            models.CheckConstraint(
                condition=Q(ended_by=None) | _ENDED, name="limit_names_who_ended_it_only_when_ended"
            ),
        ]
        indexes: ClassVar = [
            # A company's limits, those in force first.
            models.Index("company", F("created_at").desc(), "id", name="limit_newest_first"),
        ]

    def __str__(self) -> str:
        return f"Limit {self.pk}"


class LimitUse(WrittenByTheLedgerModel):
    """What counts against a limit in one of its windows, ``starts_at <= t < ends_at``.

    ``used`` is what was charged, less what of it was refunded, plus what is held now, of all that
    was reserved or charged in the window. Windows are laid out ahead and follow each other without
    gaps, so that refusing asks for one row.
    """

    company = CompanyKey(related_name="+", db_constraint=False)
    limit = TenantKey(SpendingLimit, related_name="uses")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    used = AmountField(default=ZERO)

    class Meta:
        constraints: ClassVar = [
            # Also finds the window that an instant falls into, by one step backward.
            models.UniqueConstraint(fields=["limit", "starts_at"], name="limit_window_starts_once"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="limit_window_ends_after_it_starts"
            ),
            models.CheckConstraint(condition=Q(used__gte=0), name="limit_use_is_never_below_zero"),
        ]

    def __str__(self) -> str:
        return f"Use of a limit {self.pk}"


class LimitMail(models.Model):
    """The e-mail to one person that a limit which only tells was reached in one of its windows.

    Due, handed to the mail server, and taken by it: see ``deliveries``, Note [Announced once].
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="limit_mails")
    limit = TenantKey(SpendingLimit, related_name="mails")
    window_starts_at = models.DateTimeField()
    receiver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    due_at = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            # Also finds whether a window was told of.
            models.UniqueConstraint(
                fields=["limit", "window_starts_at", "receiver"],
                name="limit_is_mailed_to_a_person_once_a_window",
            ),
            models.CheckConstraint(
                condition=Q(due_at=None) | Q(handed_at=None), name="limit_mail_is_handed_over_once"
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None) | Q(handed_at__isnull=False),
                name="limit_mail_is_handed_over_before_it_is_taken",
            ),
        ]
        indexes: ClassVar = [
            # The sweep: what is still to be sent.
            models.Index("due_at", condition=Q(due_at__isnull=False), name="limit_mail_due"),
        ]

    def __str__(self) -> str:
        return f"E-mail of a limit {self.pk}"
