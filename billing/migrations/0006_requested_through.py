from __future__ import annotations

import django.db.models.deletion
from django.db import migrations

import credits.tenancy
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (CompositeKey("billing_purchase", "requested_through_id", "credits_apikey"),)


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_raised_limit"), ("credits", "0007_api_keys")]

    operations = [
        migrations.AddField(
            model_name="purchase",
            name="requested_through",
            field=credits.tenancy.TenantKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="credits.apikey",
            ),
        ),
        add_composite_keys(KEYS),
    ]
