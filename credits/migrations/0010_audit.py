"""The audit trail: events that only grow, and their text, which may only be blanked."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import credits.identifiers
import credits.models.audit
import credits.tenancy
from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0009_first_steps"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
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
                (
                    "occurred_at",
                    models.DateTimeField(
                        db_default=credits.models.audit.LedgerClock(), verbose_name="time"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("ADDED", "Added"),
                            ("CHANGED", "Changed"),
                            ("DELETED", "Deleted"),
                            ("OPENED", "Opened"),
                            ("CLOSED", "Closed"),
                            ("GRANTED", "Granted"),
                            ("VOIDED", "Voided"),
                            ("ADJUSTED", "Adjusted"),
                            ("REFUNDED", "Refunded"),
                            ("ALLOCATED", "Allocated"),
                            ("REQUESTED", "Requested"),
                            ("APPROVED", "Approved"),
                            ("FULFILLED", "Fulfilled"),
                            ("REVERSED", "Reversed"),
                            ("CANCELLED", "Cancelled"),
                            ("PUBLISHED", "Published"),
                            ("UNPUBLISHED", "Unpublished"),
                            ("STARTED", "Started"),
                            ("PAUSED", "Paused"),
                            ("RESUMED", "Resumed"),
                            ("STOPPED", "Stopped"),
                            ("SKIPPED", "Skipped"),
                            ("IMPORT_STARTED", "Started an import of"),
                            ("IMPORTED", "Imported"),
                            ("EXPORTED", "Exported"),
                            ("REPLACED", "Replaced"),
                            ("REVOKED", "Revoked"),
                            ("INVITED", "Invited"),
                            ("ERASED", "Erased"),
                            ("LINK_MADE", "Made a sign-in link for"),
                            ("SIGNED_IN", "Signed in"),
                            ("SIGNED_IN_BY_LINK", "Signed in by link"),
                            ("SIGN_IN_REFUSED", "Sign-in refused"),
                            ("SIGNED_OUT", "Signed out"),
                            ("PASSWORD_CHANGED", "Changed the password"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("PERSON", "Person"),
                            ("API_KEY", "API key"),
                            ("SYSTEM", "System"),
                            ("NOBODY", "Not signed in"),
                        ],
                        max_length=10,
                    ),
                ),
                ("actor_ref", models.UUIDField(null=True)),
                ("about_ref", models.UUIDField(null=True)),
                (
                    "door",
                    models.CharField(
                        choices=[
                            ("ADMIN", "Admin"),
                            ("API", "API"),
                            ("MCP", "MCP"),
                            ("COMMAND", "Command"),
                            ("TASK", "Task"),
                        ],
                        max_length=10,
                    ),
                ),
                ("job", models.CharField(blank=True, max_length=60)),
                ("subject_type", models.CharField(max_length=80)),
                ("subject_id", models.CharField(blank=True, max_length=64)),
                (
                    "changed_fields",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), default=list, size=None
                    ),
                ),
                ("request_id", models.CharField(blank=True, max_length=64)),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="audit_events",
                        to="credits.company",
                    ),
                ),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "audit trail",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "action__in",
                                [
                                    "ADDED",
                                    "CHANGED",
                                    "DELETED",
                                    "OPENED",
                                    "CLOSED",
                                    "GRANTED",
                                    "VOIDED",
                                    "ADJUSTED",
                                    "REFUNDED",
                                    "ALLOCATED",
                                    "REQUESTED",
                                    "APPROVED",
                                    "FULFILLED",
                                    "REVERSED",
                                    "CANCELLED",
                                    "PUBLISHED",
                                    "UNPUBLISHED",
                                    "STARTED",
                                    "PAUSED",
                                    "RESUMED",
                                    "STOPPED",
                                    "SKIPPED",
                                    "IMPORT_STARTED",
                                    "IMPORTED",
                                    "EXPORTED",
                                    "REPLACED",
                                    "REVOKED",
                                    "INVITED",
                                    "ERASED",
                                    "LINK_MADE",
                                    "SIGNED_IN",
                                    "SIGNED_IN_BY_LINK",
                                    "SIGN_IN_REFUSED",
                                    "SIGNED_OUT",
                                    "PASSWORD_CHANGED",
                                ],
                            )
                        ),
                        name="audit_action_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("door__in", ["ADMIN", "API", "MCP", "COMMAND", "TASK"])
                        ),
                        name="audit_door_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("actor_kind__in", ["PERSON", "API_KEY"]),
                                ("actor_ref__isnull", False),
                            ),
                            models.Q(("actor_kind__in", ["SYSTEM", "NOBODY"]), ("actor_ref", None)),
                            _connector="OR",
                        ),
                        name="audit_actor_is_named_by_its_id",
                    ),
                ],
                "indexes": [
                    models.Index(
                        models.F("company"),
                        models.OrderBy(models.F("occurred_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="audit_newest",
                    ),
                    models.Index(
                        models.OrderBy(models.F("occurred_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="audit_newest_of_all",
                    ),
                    models.Index(
                        models.F("actor_ref"),
                        models.OrderBy(models.F("occurred_at"), descending=True),
                        name="audit_by_actor",
                    ),
                    models.Index(
                        models.F("subject_type"), models.F("subject_id"), name="audit_by_subject"
                    ),
                    models.Index(
                        models.F("about_ref"),
                        condition=models.Q(("about_ref__isnull", False)),
                        name="audit_about_a_person",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditText",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="text",
                        serialize=False,
                        to="credits.auditevent",
                    ),
                ),
                ("actor_name", models.CharField(blank=True, max_length=254)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=200)),
                ("subject_label", models.CharField(blank=True, max_length=254)),
                ("changes", models.JSONField(default=list)),
                ("reason", models.TextField(blank=True)),
                ("erased_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        run_sql_file(__file__, "0010_audit"),
    ]
