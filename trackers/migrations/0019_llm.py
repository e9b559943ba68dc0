"""Who switched the language model on, how its server does, and each request to it."""

import django.db.models.deletion
from django.db import migrations, models

import credits.identifiers
import credits.tenancy


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0018_mcp"),
        ("trackers", "0018_more_mends"),
    ]

    operations = [
        migrations.CreateModel(
            name="LlmSwitch",
            fields=[
                (
                    "company",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="llm_switch",
                        serialize=False,
                        to="credits.company",
                    ),
                ),
                ("is_on", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="LlmEndpoint",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("model", models.CharField(max_length=200)),
                (
                    "mode",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("JSON_SCHEMA", "Schema, strict"),
                            ("JSON_OBJECT", "JSON with a schema"),
                            ("PROMPT", "Words alone"),
                        ],
                        max_length=20,
                    ),
                ),
                ("has_completion_tokens", models.BooleanField(default=False)),
                ("has_temperature", models.BooleanField(default=True)),
                ("failure_count", models.PositiveIntegerField(default=0)),
                ("resume_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("mode", ""),
                            ("mode__in", ["JSON_SCHEMA", "JSON_OBJECT", "PROMPT"]),
                            _connector="OR",
                        ),
                        name="llm_mode_is_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LlmAttempt",
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
                    "purpose",
                    models.CharField(
                        choices=[
                            ("TRACKER", "Tracker"),
                            ("PREVIEW", "Test of a tracker"),
                            ("ASK", "Ask anything"),
                            ("BRIEF", "Brief"),
                            ("CONNECTION", "Test of the connection"),
                        ],
                        max_length=20,
                    ),
                ),
                ("run_ref", models.UUIDField()),
                ("model", models.CharField(max_length=200)),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("JSON_SCHEMA", "Schema, strict"),
                            ("JSON_OBJECT", "JSON with a schema"),
                            ("PROMPT", "Words alone"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("RUNNING", "Under way, or its process died"),
                            ("OK", "Answered"),
                            ("MODE_REFUSED", "Form of answer not known there"),
                            ("MALFORMED", "Answer not in the form asked for"),
                            ("TRUNCATED", "Answer cut off"),
                            ("TOO_LONG", "Text too long"),
                            ("REFUSED", "Declined to answer"),
                            ("RATE_LIMITED", "Asked too often"),
                            ("SERVER_ERROR", "Error of the server"),
                            ("TIMEOUT", "Not answered in time"),
                            ("UNREACHABLE", "Not reached"),
                            ("REJECTED", "Refused by the server"),
                        ],
                        max_length=20,
                    ),
                ),
                ("tokens_in", models.PositiveIntegerField()),
                ("tokens_out", models.PositiveIntegerField()),
                ("is_estimated", models.BooleanField()),
                ("request_id", models.CharField(blank=True, max_length=200)),
                ("latency_ms", models.PositiveIntegerField(null=True)),
                ("begun_at", models.DateTimeField()),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="llm_attempts",
                        to="credits.company",
                    ),
                ),
            ],
            options={
                "verbose_name": "model request",
                "indexes": [
                    models.Index(
                        models.F("company"),
                        models.OrderBy(models.F("begun_at"), descending=True),
                        models.F("id"),
                        name="llm_attempt_newest_first",
                    ),
                    models.Index(
                        models.OrderBy(models.F("begun_at"), descending=True),
                        models.F("id"),
                        name="llm_attempt_of_all",
                    ),
                    models.Index(models.F("run_ref"), name="llm_attempt_of_run"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("company__isnull", False), ("purpose", "CONNECTION"), _connector="OR"
                        ),
                        name="llm_attempt_without_company_is_a_test",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("latency_ms", None), ("outcome", "RUNNING")),
                            models.Q(
                                models.Q(("outcome", "RUNNING"), _negated=True),
                                ("latency_ms__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="llm_attempt_that_ended_took_its_time",
                    ),
                ],
            },
        ),
    ]
