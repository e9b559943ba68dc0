"""What a backfill has claimed at most: no claim sums up all of its scans any more."""

from decimal import Decimal

from django.db import migrations

import credits.amounts

CLAIMED = """
UPDATE trackers_backfill AS backfill SET claimed = taken.sum
  FROM (SELECT backfill_id, sum(price) AS sum FROM trackers_scan
         WHERE state IN ('DONE', 'RUNNING') AND backfill_id IS NOT NULL
         GROUP BY backfill_id) AS taken
 WHERE taken.backfill_id = backfill.id AND backfill.ended_at IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("trackers", "0015_mends")]

    operations = [
        migrations.AddField(
            model_name="backfill",
            name="claimed",
            field=credits.amounts.AmountField(
                db_default=Decimal(0), default=Decimal(0), editable=False
            ),
        ),
        migrations.RunSQL(CLAIMED, migrations.RunSQL.noop),
    ]
