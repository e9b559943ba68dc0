"""Closed local days of usage, added up: a cache that pages read."""

import django.db.models.deletion
from django.db import migrations, models

import credits.amounts
import credits.tenancy
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (CompositeKey("credits_usagesum", "day_id", "credits_usageday"),)


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0010_audit"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="credits.company",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("company", "id"), name="credits_usageday_company_and_id"
                    ),
                    models.UniqueConstraint(
                        fields=("company", "starts_at", "ends_at"),
                        name="usage_day_is_added_up_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="usage_day_ends_after_it_starts",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageSum",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "feature_type",
                    models.CharField(
                        choices=[
                            ("TRACKER", "AI Tracker"),
                            ("ASK", "AI Ask Anything"),
                            ("BRIEF", "AI Briefer"),
                        ],
                        max_length=10,
                    ),
                ),
                ("feature_ref", models.UUIDField(null=True)),
                ("feature_name", models.CharField(max_length=200)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("CONTINUOUS", "Continuous"),
                            ("BACKFILL", "Backfill"),
                            ("API_REQUEST", "API request"),
                            ("MCP_REQUEST", "MCP request"),
                            ("PREVIEW", "Preview"),
                            ("MANUAL", "Manual"),
                            ("REUSED", "Reused"),
                        ],
                        max_length=20,
                    ),
                ),
                ("team_ref", models.UUIDField(null=True)),
                ("user_ref", models.UUIDField(null=True)),
                ("integration_ref", models.UUIDField(null=True)),
                ("calls", models.PositiveBigIntegerField()),
                ("emails", models.PositiveBigIntegerField()),
                ("web_searches", models.PositiveBigIntegerField()),
                ("request_count", models.PositiveBigIntegerField()),
                ("amount", credits.amounts.AmountField()),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="credits.company",
                    ),
                ),
                (
                    "day",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sums",
                        to="credits.usageday",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "day",
                            "feature_type",
                            "feature_ref",
                            "feature_name",
                            "action",
                            "team_ref",
                            "user_ref",
                            "integration_ref",
                        ),
                        name="usage_sum_is_one_row_for_what_it_adds_up",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "action__in",
                                [
                                    "CONTINUOUS",
                                    "BACKFILL",
                                    "API_REQUEST",
                                    "MCP_REQUEST",
                                    "PREVIEW",
                                    "MANUAL",
                                    "REUSED",
                                ],
                            ),
                            ("amount__gte", 0),
                            ("feature_type__in", ["TRACKER", "ASK", "BRIEF"]),
                        ),
                        name="usage_sum_is_of_known_features_and_not_negative",
                    ),
                ],
            },
        ),
        add_composite_keys(KEYS),
    ]
