"""Warnings that credits run low: what was crossed, and the e-mails that say so (SPEC §5, §7)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from credits.amounts import AmountField
from credits.identifiers import new_id
from credits.models.people import User
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys


class AlertKind(models.TextChoices):
    """What is watched."""

    USED = "USED", "Credits used"


class AlertState(models.Model):
    """How far one watched figure of a company has come: the lock and memory of its alerts.

    ``level`` is the highest threshold that was crossed since credits were last added, 0 for none;
    ``sequence`` is the ledger's when that was looked at.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="alert_states")
    kind = models.CharField(max_length=20, choices=AlertKind.choices)
    level = models.PositiveSmallIntegerField(default=0)
    sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["company", "kind"], name="alert_state_is_kept_once_a_kind"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=AlertKind.values), name="alert_state_kind_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Alert state {self.pk}"


class Alert(models.Model):
    """One crossing of a threshold, with the figures of that moment."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="alerts")
    kind = models.CharField(max_length=20, choices=AlertKind.choices)
    threshold = models.PositiveSmallIntegerField("percent")
    raised_at = models.DateTimeField("raised")
    sequence = models.BigIntegerField()
    available = AmountField()
    total = AmountField()

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_alert"),
            models.CheckConstraint(
                condition=Q(kind__in=AlertKind.values), name="alert_kind_is_known"
            ),
        ]
        indexes: ClassVar = [
            # The list of a company's alerts, newest first.
            models.Index("company", F("raised_at").desc(), "id", name="alert_newest_first"),
        ]

    def __str__(self) -> str:
        return f"Alert {self.pk}"


class AlertMail(models.Model):
    """The e-mail of one alert to one person: due, handed to the mail server, and taken by it.

    See ``deliveries``, Note [Announced once], for what a killed sender leaves.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="alert_mails")
    alert = TenantKey(Alert, related_name="mails")
    receiver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    due_at = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["alert", "receiver"], name="alert_is_mailed_to_a_person_once"
            ),
            models.CheckConstraint(
                condition=Q(due_at=None) | Q(handed_at=None), name="alert_mail_is_handed_over_once"
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None) | Q(handed_at__isnull=False),
                name="alert_mail_is_handed_over_before_it_is_taken",
            ),
        ]
        indexes: ClassVar = [
            # The sweep: what is still to be sent.
            models.Index("due_at", condition=Q(due_at__isnull=False), name="alert_mail_due"),
        ]

    def __str__(self) -> str:
        return f"E-mail {self.pk}"
