"""Reports that are prepared in the background (SPEC §4)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import credits.identifiers
import credits.tenancy


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0007_api_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="ExportJob",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=credits.identifiers.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("report", models.CharField(max_length=60)),
                ("first_day", models.DateField(null=True)),
                ("last_day", models.DateField(null=True)),
                (
                    "file_format",
                    models.CharField(
                        choices=[("csv", "CSV"), ("xlsx", "XLSX (Excel)"), ("json", "JSON")],
                        max_length=4,
                        verbose_name="format",
                    ),
                ),
                ("has_free_use", models.BooleanField(default=False)),
                ("is_daily", models.BooleanField(default=False)),
                ("has_bom", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("QUEUED", "Queued"),
                            ("PREPARING", "Preparing"),
                            ("READY", "Ready"),
                            ("FAILED", "Failed"),
                            ("CANCELLED", "Cancelled"),
                        ],
                        default="QUEUED",
                        max_length=10,
                    ),
                ),
                ("row_count", models.PositiveBigIntegerField()),
                ("rows_done", models.PositiveBigIntegerField(default=0)),
                ("requested_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_token", models.UUIDField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("file_name", models.CharField(blank=True, max_length=100)),
                ("byte_count", models.PositiveBigIntegerField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "cancelled_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="export_jobs",
                        to="credits.company",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("company"),
                        models.OrderBy(models.F("requested_at"), descending=True),
                        models.F("id"),
                        name="export_newest_first",
                    ),
                    models.Index(
                        models.F("requested_at"),
                        condition=models.Q(("state__in", ["QUEUED", "PREPARING"])),
                        name="export_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("company", "id"), name="credits_exportjob_company_and_id"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("file_format__in", ["csv", "xlsx", "json"]),
                            ("state__in", ["QUEUED", "PREPARING", "READY", "FAILED", "CANCELLED"]),
                        ),
                        name="export_state_and_format_are_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("first_day", None), ("last_day", None)),
                            models.Q(
                                ("first_day__isnull", False),
                                ("last_day__gte", models.F("first_day")),
                            ),
                            _connector="OR",
                        ),
                        name="export_days_are_a_range_or_all",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("lease_token__isnull", False),
                                ("leased_until__isnull", False),
                                ("state", "PREPARING"),
                            ),
                            models.Q(
                                models.Q(("state", "PREPARING"), _negated=True),
                                ("lease_token", None),
                                ("leased_until", None),
                            ),
                            _connector="OR",
                        ),
                        name="export_is_leased_while_it_is_prepared",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at", None), ("state__in", ["QUEUED", "PREPARING"])),
                            models.Q(
                                models.Q(("state__in", ["QUEUED", "PREPARING"]), _negated=True),
                                ("finished_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="export_is_finished_when_it_has_ended",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("byte_count__isnull", False),
                                ("expires_at__isnull", False),
                                ("state", "READY"),
                                models.Q(("file_name", ""), _negated=True),
                            ),
                            models.Q(
                                models.Q(("state", "READY"), _negated=True),
                                ("byte_count", None),
                                ("expires_at", None),
                                ("file_name", ""),
                            ),
                            _connector="OR",
                        ),
                        name="export_has_its_file_when_it_is_ready",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "FAILED"), models.Q(("reason", ""), _negated=True)),
                            models.Q(models.Q(("state", "FAILED"), _negated=True), ("reason", "")),
                            _connector="OR",
                        ),
                        name="export_that_failed_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("cancelled_by__isnull", False), ("state", "CANCELLED")),
                            models.Q(
                                models.Q(("state", "CANCELLED"), _negated=True),
                                ("cancelled_by", None),
                            ),
                            _connector="OR",
                        ),
                        name="export_is_cancelled_by_a_person",
                    ),
                ],
            },
        ),
    ]
