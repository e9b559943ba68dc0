"""Ids that a CRM has for accounts, deals, contacts and leads; which conversations an ask read."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0018_mcp"),
        ("trackers", "0019_llm"),
    ]

    operations = [
        migrations.AddField(
            model_name="askrequest",
            name="conversation_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="external_id",
            field=models.CharField(blank=True, max_length=200, verbose_name="CRM id"),
        ),
        migrations.AddField(
            model_name="customeraccount",
            name="external_id",
            field=models.CharField(blank=True, max_length=200, verbose_name="CRM id"),
        ),
        migrations.AddField(
            model_name="deal",
            name="external_id",
            field=models.CharField(blank=True, max_length=200, verbose_name="CRM id"),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("company", "external_id"),
                name="contact_external_id_is_unique_in_a_company",
            ),
        ),
        migrations.AddConstraint(
            model_name="customeraccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("company", "external_id"),
                name="account_external_id_is_unique_in_a_company",
            ),
        ),
        migrations.AddConstraint(
            model_name="deal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("company", "external_id"),
                name="deal_external_id_is_unique_in_a_company",
            ),
        ),
    ]
