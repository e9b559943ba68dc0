"""Who did what, when, from where: the audit trail (SPEC §1, UX §1e).

An event and its text are two rows. The event holds codes and opaque ids only and is never changed;
the text holds names, addresses and what people wrote, and may be blanked, never rewritten
(SPEC §10). Triggers hold both, past Python.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q

from credits.identifiers import new_id
from credits.models.entries import AppendOnlyModel
from credits.tenancy import CompanyKey


class LedgerClock(Func):
    """The one clock (DESIGN §3): an act and the ledger entry it made are of one time."""

    function = "ledger_clock"
    output_field = models.DateTimeField()


class AuditAction(models.TextChoices):
    """What was done; the noun is the event's subject."""

    ADDED = "ADDED", "Added"
    CHANGED = "CHANGED", "Changed"
    DELETED = "DELETED", "Deleted"
    OPENED = "OPENED", "Opened"
    CLOSED = "CLOSED", "Closed"
    GRANTED = "GRANTED", "Granted"
    VOIDED = "VOIDED", "Voided"
    ADJUSTED = "ADJUSTED", "Adjusted"
    REFUNDED = "REFUNDED", "Refunded"
    ALLOCATED = "ALLOCATED", "Allocated"
    REQUESTED = "REQUESTED", "Requested"
    APPROVED = "APPROVED", "Approved"
    FULFILLED = "FULFILLED", "Fulfilled"
    REVERSED = "REVERSED", "Reversed"
    CANCELLED = "CANCELLED", "Cancelled"
    PUBLISHED = "PUBLISHED", "Published"
    UNPUBLISHED = "UNPUBLISHED", "Unpublished"
    STARTED = "STARTED", "Started"
    PAUSED = "PAUSED", "Paused"
    RESUMED = "RESUMED", "Resumed"
    STOPPED = "STOPPED", "Stopped"
    SKIPPED = "SKIPPED", "Skipped"
    IMPORT_STARTED = "IMPORT_STARTED", "Started an import of"
    IMPORTED = "IMPORTED", "Imported"
    EXPORTED = "EXPORTED", "Exported"
    REPLACED = "REPLACED", "Replaced"
    REVOKED = "REVOKED", "Revoked"
    INVITED = "INVITED", "Invited"
    ERASED = "ERASED", "Erased"
    LINK_MADE = "LINK_MADE", "Made a sign-in link for"
    SIGNED_IN = "SIGNED_IN", "Signed in"
    SIGNED_IN_BY_LINK = "SIGNED_IN_BY_LINK", "Signed in by link"
    SIGN_IN_REFUSED = "SIGN_IN_REFUSED", "Sign-in refused"
    SIGNED_OUT = "SIGNED_OUT", "Signed out"
    PASSWORD_CHANGED = "PASSWORD_CHANGED", "Changed the password"


class AuditActor(models.TextChoices):
    """Who did it."""

    PERSON = "PERSON", "Person"
    API_KEY = "API_KEY", "API key"
    SYSTEM = "SYSTEM", "System"
    NOBODY = "NOBODY", "Not signed in"


class Door(models.TextChoices):
    """Where an act came in."""

    ADMIN = "ADMIN", "Admin"
    API = "API", "API"
    MCP = "MCP", "MCP"
    COMMAND = "COMMAND", "Command"
    TASK = "TASK", "Task"


class AuditEvent(AppendOnlyModel):
    """One act. ``company`` is null for acts that concern no company or all of them.

    ``actor_ref`` is a person's public id or a key's id, null for the system and for nobody.
    ``about_ref`` is the public id of the person whom the subject's text names, if it names one.
    ``job`` is the command or task that acted. ``changed_fields`` stays when the text is erased.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(null=True, related_name="audit_events")
    occurred_at = models.DateTimeField("time", db_default=LedgerClock())
    action = models.CharField(max_length=20, choices=AuditAction.choices)
    actor_kind = models.CharField(max_length=10, choices=AuditActor.choices)
    actor_ref = models.UUIDField(null=True)
    about_ref = models.UUIDField(null=True)
    door = models.CharField(max_length=10, choices=Door.choices)
    job = models.CharField(max_length=60, blank=True)
    subject_type = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=64, blank=True)
    changed_fields = ArrayField(models.CharField(max_length=100), default=list)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "event"
        verbose_name_plural = "audit trail"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(action__in=AuditAction.values), name="audit_action_is_known"
            ),
            models.CheckConstraint(condition=Q(door__in=Door.values), name="audit_door_is_known"),
            models.CheckConstraint(
                condition=Q(
                    actor_kind__in=[AuditActor.PERSON, AuditActor.API_KEY], actor_ref__isnull=False
                )
                | Q(actor_kind__in=[AuditActor.SYSTEM, AuditActor.NOBODY], actor_ref=None),
                name="audit_actor_is_named_by_its_id",
            ),
        ]
        indexes: ClassVar = [
            # A company's trail, newest first.
            models.Index("company", F("occurred_at").desc(), F("id").desc(), name="audit_newest"),
            # Everybody's trail, for vendor people.
            models.Index(F("occurred_at").desc(), F("id").desc(), name="audit_newest_of_all"),
            # What one person did; what was done to one row; what names a person.
            models.Index("actor_ref", F("occurred_at").desc(), name="audit_by_actor"),
            models.Index("subject_type", "subject_id", name="audit_by_subject"),
            models.Index(
                "about_ref", condition=Q(about_ref__isnull=False), name="audit_about_a_person"
            ),
        ]

    def __str__(self) -> str:
        return f"Event {self.pk}"


class AuditText(AppendOnlyModel):
    """What an event says in words. Each column may be blanked, which sets ``erased_at``.

    ``changes`` is a list of ``{"field", "before", "after"}``, of changed fields only.
    """

    event = models.OneToOneField(
        AuditEvent, on_delete=models.PROTECT, primary_key=True, related_name="text"
    )
    actor_name = models.CharField(max_length=254, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)
    subject_label = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=list)
    reason = models.TextField(blank=True)
    erased_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Text of event {self.pk}"
