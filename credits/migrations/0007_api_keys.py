"""API keys, of which only a digest is kept, and the count of each company's requests."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import credits.identifiers
import credits.tenancy
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (
    CompositeKey("credits_apikey", "integration_id", "credits_integration"),
    CompositeKey("credits_apikey", "replaces_id", "credits_apikey"),
)


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0006_closing"),
    ]

    operations = [
        migrations.CreateModel(
            name="RequestTally",
            fields=[
                (
                    "company",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="request_tally",
                        serialize=False,
                        to="credits.company",
                    ),
                ),
                (
                    "recent_at",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateTimeField(), size=None
                    ),
                ),
                ("day", models.DateField()),
                ("day_count", models.PositiveIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("day_count__gt", 0)),
                        name="request_tally_counts_from_one",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
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
                ("name", models.CharField(max_length=200)),
                ("prefix", models.CharField(editable=False, max_length=8, unique=True)),
                ("secret_sha256", models.BinaryField(max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("balance:read", "Read the balance"),
                                ("grants:read", "Read grants"),
                                ("ledger:read", "Read ledger entries and what they drew on"),
                                ("usage:read", "Read what was used"),
                                ("purchases:read", "Read purchases"),
                                (
                                    "purchases:request",
                                    "Request a purchase, which a person then decides",
                                ),
                                ("rates:read", "Read the rate card"),
                            ],
                            max_length=40,
                        ),
                        size=None,
                    ),
                ),
                (
                    "networks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("last_used_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
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
                    "integration",
                    credits.tenancy.TenantKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to="credits.integration",
                    ),
                ),
                (
                    "replaces",
                    credits.tenancy.TenantOneToOne(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaced_by",
                        to="credits.apikey",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "indexes": [
                    models.Index(
                        models.F("company"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.F("id"),
                        name="api_key_newest_first",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("company", "id"), name="credits_apikey_company_and_id"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "scopes__contained_by",
                                [
                                    "balance:read",
                                    "grants:read",
                                    "ledger:read",
                                    "usage:read",
                                    "purchases:read",
                                    "purchases:request",
                                    "rates:read",
                                ],
                            ),
                            ("scopes__len__gt", 0),
                        ),
                        name="api_key_scopes_are_known_and_some",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at", None),
                            ("expires_at__gte", models.F("created_at")),
                            _connector="OR",
                        ),
                        name="api_key_expires_after_it_was_made",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("revoked_by", None), ("revoked_at__isnull", False), _connector="OR"
                        ),
                        name="api_key_names_who_revoked_it_only_when_revoked",
                    ),
                ],
            },
        ),
        add_composite_keys(KEYS),
    ]
