"""What a company's people upload, until they confirm it, and how long conversations are kept."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from credits.identifiers import new_id
from credits.models import Company
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys

ERASURE_KEY_BYTES = 32
RETENTION_DAYS_MAX = 36_500


def new_erasure_key() -> bytes:
    return secrets.token_bytes(ERASURE_KEY_BYTES)


class ImportFormat(models.TextChoices):
    """What uploaded files hold."""

    JSONL = "JSONL", "Calls and e-mails (JSON Lines)"
    GONG = "GONG", "Calls in the shape of Gong's API (JSON)"
    DIRECTORY = "DIRECTORY", "Accounts and deals (CSV)"


class ImportUpload(models.Model):
    """One import by a person: its files until they are imported or expire, then what it did.

    Confirmed and not finished, somebody imports it, or the process that did so has died; the
    import is idempotent, so that it can be confirmed again.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="import_uploads")
    import_format = models.CharField("format", max_length=10, choices=ImportFormat.choices)
    byte_count = models.PositiveBigIntegerField()
    uploaded_at = models.DateTimeField()
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    left_out_count = models.PositiveIntegerField(default=0)
    created_count = models.PositiveIntegerField(default=0)
    revised_count = models.PositiveIntegerField(default=0)
    updated_count = models.PositiveIntegerField(default=0)
    unchanged_count = models.PositiveIntegerField(default=0)
    erased_count = models.PositiveIntegerField(default=0)
    scan_count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "import"
        constraints: ClassVar = [
            target_of_composite_keys("trackers_importupload"),
            models.CheckConstraint(
                condition=Q(import_format__in=ImportFormat.values), name="import_format_is_known"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(confirmed_at__isnull=False),
                name="import_is_confirmed_before_it_finishes",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("uploaded_at")), name="import_upload_is_kept_a_while"
            ),
        ]
        indexes: ClassVar = [
            # The list of a company's imports, newest first.
            models.Index("company", F("uploaded_at").desc(), "id", name="import_newest_first"),
        ]

    def __str__(self) -> str:
        return f"Import {self.pk}"


class ImportFile(models.Model):
    """One file as it was uploaded, byte for byte; removed when it is imported or has expired."""

    company = CompanyKey(related_name="+", db_constraint=False)
    upload = TenantKey(ImportUpload, related_name="files", on_delete=models.CASCADE)
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255)
    content = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["upload", "position"], name="import_file_has_one_place"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Retention(models.Model):
    """How long a company keeps its conversations, and how it knows the ids of erased ones.

    ``days`` counts from a conversation's start; null keeps them for ever. ``erasure_key`` makes
    the digests that stand for erased external ids: it must not change, or they could come again.
    """

    company = models.OneToOneField(
        Company, on_delete=models.PROTECT, primary_key=True, related_name="retention"
    )
    days = models.PositiveIntegerField(
        null=True, validators=[MinValueValidator(1), MaxValueValidator(RETENTION_DAYS_MAX)]
    )
    erasure_key = models.BinaryField(
        max_length=ERASURE_KEY_BYTES, default=new_erasure_key, editable=False
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(days=None) | Q(days__gte=1, days__lte=RETENTION_DAYS_MAX),
                name="retention_is_a_number_of_days_or_for_ever",
            ),
        ]

    def __str__(self) -> str:
        return f"Retention {self.pk}"
