"""Reports that are prepared in the background, and the files they become."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from credits.identifiers import new_id
from credits.models.people import User
from credits.tenancy import CompanyKey, target_of_composite_keys


class ExportFormat(models.TextChoices):
    """How a report is written; the codes are the extensions of its file."""

    CSV = "csv", "CSV"
    XLSX = "xlsx", "XLSX (Excel)"
    JSON = "json", "JSON"


class ExportState(models.TextChoices):
    """Where an export stands; the last three are never left."""

    QUEUED = "QUEUED", "Queued"
    PREPARING = "PREPARING", "Preparing"
    READY = "READY", "Ready"
    FAILED = "FAILED", "Failed"
    CANCELLED = "CANCELLED", "Cancelled"


OPEN_EXPORT_STATES = [ExportState.QUEUED, ExportState.PREPARING]
# Whoever cancelled an export knows that it has ended.
ANNOUNCED_EXPORT_STATES = [ExportState.READY, ExportState.FAILED]


class ExportJob(models.Model):
    """One report somebody asked for: what it is to hold, how far it is, and its file.

    ``row_count`` is what was counted when it was asked for; a range that is not over yet may
    have more rows when it is written. A worker that prepares it holds the lease. The file lies
    in the folder of exports until ``expires_at``; the row goes with it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="export_jobs")
    report = models.CharField(max_length=60)
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    file_format = models.CharField("format", max_length=4, choices=ExportFormat.choices)
    has_free_use = models.BooleanField(default=False)
    is_daily = models.BooleanField(default=False)
    has_bom = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=ExportState.choices, default=ExportState.QUEUED)
    row_count = models.PositiveBigIntegerField()
    rows_done = models.PositiveBigIntegerField(default=0)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancelled_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    file_name = models.CharField(max_length=100, blank=True)
    byte_count = models.PositiveBigIntegerField(null=True)
    expires_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    page_url = models.CharField(max_length=500, blank=True)
    mail_due_at = models.DateTimeField(null=True)
    mail_handed_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_trouble = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_exportjob"),
            models.CheckConstraint(
                condition=Q(state__in=ExportState.values, file_format__in=ExportFormat.values),
                name="export_state_and_format_are_known",
            ),
            models.CheckConstraint(
                condition=Q(first_day=None, last_day=None)
                | Q(first_day__isnull=False, last_day__gte=F("first_day")),
                name="export_days_are_a_range_or_all",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=ExportState.PREPARING,
                    lease_token__isnull=False,
                    leased_until__isnull=False,
                )
                | ~Q(state=ExportState.PREPARING) & Q(lease_token=None, leased_until=None),
                name="export_is_leased_while_it_is_prepared",
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_EXPORT_STATES, finished_at=None)
                | ~Q(state__in=OPEN_EXPORT_STATES) & Q(finished_at__isnull=False),
                name="export_is_finished_when_it_has_ended",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=ExportState.READY, byte_count__isnull=False, expires_at__isnull=False
                )
                & ~Q(file_name="")
                | ~Q(state=ExportState.READY) & Q(file_name="", byte_count=None, expires_at=None),
                name="export_has_its_file_when_it_is_ready",
            ),
            models.CheckConstraint(
                condition=Q(state=ExportState.FAILED) & ~Q(reason="")
                | ~Q(state=ExportState.FAILED) & Q(reason=""),
                name="export_that_failed_says_why",
            ),
            models.CheckConstraint(
                condition=Q(state=ExportState.CANCELLED, cancelled_by__isnull=False)
                | ~Q(state=ExportState.CANCELLED) & Q(cancelled_by=None),
                name="export_is_cancelled_by_a_person",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ANNOUNCED_EXPORT_STATES)
                | Q(mail_due_at=None, mail_handed_at=None),
                name="export_is_announced_when_it_has_ended",
            ),
            models.CheckConstraint(
                condition=Q(mail_due_at=None) | Q(mail_handed_at=None),
                name="export_mail_is_handed_over_once",
            ),
            models.CheckConstraint(
                condition=Q(mailed_at=None) | Q(mail_handed_at__isnull=False),
                name="export_mail_is_handed_over_before_it_is_taken",
            ),
        ]
        indexes: ClassVar = [
            # The list of a company's exports, newest first.
            models.Index("company", F("requested_at").desc(), "id", name="export_newest_first"),
            # The sweep: what waits for a worker, or lost its own.
            models.Index(
                "requested_at",
                condition=Q(state__in=OPEN_EXPORT_STATES),
                name="export_open",
            ),
            # The sweep: what is still to be announced.
            models.Index(
                "mail_due_at", condition=Q(mail_due_at__isnull=False), name="export_mail_due"
            ),
        ]

    def __str__(self) -> str:
        return f"Export {self.pk}"
