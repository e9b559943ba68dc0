from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import Q

from billing.orders import key_of

BATCH = 1000


def fill(apps: Any, schema_editor: Any) -> None:
    """Give each purchase the normal form of its order.

    Of several that name the same order and stand, which the rule before let through, the first
    keeps it; the others are told apart by their number, and stand as well.
    """
    purchases = apps.get_model("billing", "Purchase").objects
    taken: set[tuple[int, str]] = set()
    changed = []
    rows = purchases.exclude(order_reference="").order_by("company_id", "number")
    for row in rows.iterator(chunk_size=BATCH):
        row.order_key = key_of(row.order_reference) or f"#{row.number}"
        if row.cancelled_at is None and row.voided_at is None:
            if (row.company_id, row.order_key) in taken:
                suffix = f" #{row.number}"
                row.order_key = row.order_key[: 200 - len(suffix)] + suffix
            taken.add((row.company_id, row.order_key))
        changed.append(row)
        if len(changed) == BATCH:
            purchases.bulk_update(changed, ["order_key"])
            changed = []
    purchases.bulk_update(changed, ["order_key"])


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_zone_changes")]

    operations = [
        migrations.AddField(
            model_name="purchase",
            name="order_key",
            field=models.CharField(blank=True, default="", editable=False, max_length=200),
            preserve_default=False,
        ),
        migrations.RemoveConstraint(model_name="purchase", name="order_reference_is_recorded_once"),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.UniqueConstraint(
                condition=~Q(order_key="") & Q(cancelled_at=None, voided_at=None),
                fields=("company", "order_key"),
                name="order_reference_is_recorded_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.CheckConstraint(
                condition=Q(order_key="", order_reference="")
                | ~Q(order_key="") & ~Q(order_reference=""),
                name="order_reference_has_its_key",
            ),
        ),
    ]
