"""No names where nothing leads back to whom they are of.

Who skipped what waited is a person's id, and a change of filters is told from ``Narrowing``, which
holds ids: both were sentences with names in them.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from credits.statistics import keep_no_statistics

# Erased where they name somebody (trackers/mentions.py), so the planner keeps no values of them.
WORDS = (
    ("trackers_tracker", ("name", "description")),
    ("trackers_historicaltracker", ("name", "description", "history_change_reason")),
    ("trackers_trackerversion", ("question", "details", "choices", "terms", "calibration")),
)

# Who it was is in the audit trail; here only a first name was, which is many people's.
SKIPPED = """
UPDATE trackers_scan SET reason = 'Skipped while it waited for credits.'
 WHERE state = 'SKIPPED' AND reason LIKE 'Skipped by % while it waited for credits.';
"""
# What was cut at 100 characters is whole again: the page tells it from the change itself.
FILTERS = """
UPDATE trackers_historicaltracker h
   SET history_change_reason = CASE WHEN history_change_reason LIKE 'The question was changed.%'
                               THEN 'The question was changed.' END
  FROM trackers_narrowing n
 WHERE n.tracker_id = h.id AND n.edit_number = h.edit_number
   AND h.history_change_reason ~ '^(The question was changed[.] )?Filters: ';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0016_scopes"),
        ("trackers", "0014_twin"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="conversationvectors",
            options={"verbose_name_plural": "conversation vectors"},
        ),
        migrations.AddField(
            model_name="scan",
            name="skipped_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="scan",
            constraint=models.CheckConstraint(
                condition=models.Q(("skipped_by", None), ("state", "SKIPPED"), _connector="OR"),
                name="scan_that_somebody_skipped_is_skipped",
            ),
        ),
        migrations.AlterField(
            model_name="historicaltracker",
            name="history_change_reason",
            field=models.TextField(null=True),
        ),
        keep_no_statistics(WORDS),
        migrations.RunSQL(SKIPPED, migrations.RunSQL.noop),
        # Backwards, a reason has 100 characters again.
        migrations.RunSQL(
            FILTERS,
            "UPDATE trackers_historicaltracker SET history_change_reason"
            " = left(history_change_reason, 100);",
        ),
    ]
