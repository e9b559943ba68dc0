"""Limits of spending: per company, feature, tracker, integration and key, a local day or month."""

from decimal import Decimal

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import credits.amounts
import credits.identifiers
import credits.tenancy
from credits.sql_files import run_sql_file
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (
    CompositeKey("credits_spendinglimit", "integration_id", "credits_integration"),
    CompositeKey("credits_spendinglimit", "api_key_id", "credits_apikey"),
    CompositeKey("credits_limituse", "limit_id", "credits_spendinglimit"),
)
# What the acts were before, the newest text of each.
ACTS_BEFORE = (
    "0002_ledger_core",
    "0002_ledger_operations",
    "0005_ledger_core",
    "0005_ledger_operations",
    "0013_closed",
)


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0016_scopes"),
    ]

    operations = [
        migrations.AddField(
            model_name="creditpool",
            name="limit_count",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="SpendingLimit",
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
                    "subject",
                    models.CharField(
                        choices=[
                            ("COMPANY", "The whole company"),
                            ("FEATURE", "A feature"),
                            ("TRACKER", "A tracker"),
                            ("INTEGRATION", "An integration"),
                            ("API_KEY", "An API key"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "feature_type",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("TRACKER", "AI Tracker"),
                            ("ASK", "AI Ask Anything"),
                            ("BRIEF", "AI Briefer"),
                        ],
                        max_length=10,
                    ),
                ),
                ("feature_ref", models.UUIDField(null=True)),
                (
                    "api_key_refs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), default=list, size=None
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "window",
                    models.CharField(
                        choices=[("DAY", "A day"), ("MONTH", "A month")], max_length=10
                    ),
                ),
                ("credits", credits.amounts.AmountField()),
                ("is_hard", models.BooleanField(default=True)),
                ("time_zone", models.CharField(max_length=60)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "api_key",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="credits.apikey",
                    ),
                ),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="credits.company",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "integration",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="credits.integration",
                    ),
                ),
            ],
            options={
                "verbose_name": "limit",
            },
        ),
        migrations.CreateModel(
            name="LimitUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("used", credits.amounts.AmountField(default=Decimal("0.000"))),
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
                    "limit",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="credits.spendinglimit",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="spendinglimit",
            index=models.Index(
                models.F("company"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.F("id"),
                name="limit_newest_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="spendinglimit",
            constraint=models.UniqueConstraint(
                fields=("company", "id"), name="credits_spendinglimit_company_and_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="spendinglimit",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=(
                    "company",
                    "subject",
                    "feature_type",
                    "feature_ref",
                    "integration",
                    "api_key",
                    "window",
                ),
                name="limit_is_set_once_for_a_subject_and_window",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="spendinglimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("feature_type", ""),
                        ("subject", "COMPANY"),
                        ("api_key", None),
                        ("feature_ref", None),
                        ("integration", None),
                    ),
                    models.Q(
                        ("feature_type__in", ["TRACKER", "ASK", "BRIEF"]),
                        ("subject", "FEATURE"),
                        ("api_key", None),
                        ("feature_ref", None),
                        ("integration", None),
                    ),
                    models.Q(
                        ("api_key", None),
                        ("feature_ref__isnull", False),
                        ("feature_type", "TRACKER"),
                        ("integration", None),
                        ("subject", "TRACKER"),
                    ),
                    models.Q(
                        ("api_key", None),
                        ("feature_ref", None),
                        ("feature_type", ""),
                        ("integration__isnull", False),
                        ("subject", "INTEGRATION"),
                    ),
                    models.Q(
                        ("api_key__isnull", False),
                        ("feature_ref", None),
                        ("feature_type", ""),
                        ("integration", None),
                        ("subject", "API_KEY"),
                    ),
                    _connector="OR",
                ),
                name="limit_names_its_subject_and_nothing_else",
            ),
        ),
        migrations.AddConstraint(
            model_name="spendinglimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("api_key_refs__len__gt", 0), ("subject", "API_KEY")),
                    models.Q(
                        models.Q(("subject", "API_KEY"), _negated=True), ("api_key_refs__len", 0)
                    ),
                    _connector="OR",
                ),
                name="limit_counts_its_key_and_successors",
            ),
        ),
        migrations.AddConstraint(
            model_name="spendinglimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("window__in", ["DAY", "MONTH"])), name="limit_window_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="spendinglimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("credits__gte", 0)), name="limit_is_not_below_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="spendinglimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_by", None), ("ended_at__isnull", False), _connector="OR"
                ),
                name="limit_names_who_ended_it_only_when_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="limituse",
            constraint=models.UniqueConstraint(
                fields=("limit", "starts_at"), name="limit_window_starts_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="limituse",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                name="limit_window_ends_after_it_starts",
            ),
        ),
        migrations.AddConstraint(
            model_name="limituse",
            constraint=models.CheckConstraint(
                condition=models.Q(("used__gte", 0)), name="limit_use_is_never_below_zero"
            ),
        ),
        add_composite_keys(KEYS),
        run_sql_file(__file__, "0017_limits"),
        run_sql_file(__file__, "0017_limited_acts", restores=ACTS_BEFORE),
    ]
