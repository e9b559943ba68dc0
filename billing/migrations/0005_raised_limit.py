from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

import credits.amounts


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_order_key"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="contract",
            name="limit_before_raise",
            field=credits.amounts.AmountField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="contract",
            name="limit_raised_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="contract",
            constraint=models.CheckConstraint(
                condition=Q(limit_before_raise=None, limit_raised_by=None)
                | Q(limit_before_raise__isnull=False, limit_raised_by__isnull=False)
                & (Q(approval_limit=None) | Q(approval_limit__gt=models.F("limit_before_raise"))),
                name="contract_limit_was_raised_by_a_person_from_a_lower_one",
            ),
        ),
    ]
