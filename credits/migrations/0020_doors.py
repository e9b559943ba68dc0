"""E-mails for limits that only tell; what a company has and of how many, in one round trip."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import credits.identifiers
import credits.tenancy
from credits.sql_files import run_sql_file
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (CompositeKey("credits_limitmail", "limit_id", "credits_spendinglimit"),)


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0019_words"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LimitMail",
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
                ("window_starts_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("handed_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("trouble", models.CharField(blank=True, max_length=200)),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limit_mails",
                        to="credits.company",
                    ),
                ),
                (
                    "limit",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mails",
                        to="credits.spendinglimit",
                    ),
                ),
                (
                    "receiver",
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
                        models.F("due_at"),
                        condition=models.Q(("due_at__isnull", False)),
                        name="limit_mail_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("limit", "window_starts_at", "receiver"),
                        name="limit_is_mailed_to_a_person_once_a_window",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("due_at", None), ("handed_at", None), _connector="OR"),
                        name="limit_mail_is_handed_over_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sent_at", None), ("handed_at__isnull", False), _connector="OR"
                        ),
                        name="limit_mail_is_handed_over_before_it_is_taken",
                    ),
                ],
            },
        ),
        add_composite_keys(KEYS),
        run_sql_file(__file__, "0020_standing"),
    ]
