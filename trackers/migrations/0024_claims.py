"""What is new of a tracker is not looked for behind its backfill, and the other way round."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("trackers", "0023_speakers")]
    operations = [
        migrations.AddIndex(
            model_name="scan",
            index=models.Index(
                models.F("version"),
                models.F("conversation_started_at"),
                models.F("id"),
                condition=Q(("backfill", None), ("state", "PENDING")),
                name="scan_next_to_claim_live",
            ),
        ),
        migrations.AddIndex(
            model_name="scan",
            index=models.Index(
                models.F("backfill"),
                models.F("conversation_started_at"),
                models.F("id"),
                condition=Q(("backfill__isnull", False), ("state", "PENDING")),
                name="scan_next_to_claim_of_backfill",
            ),
        ),
        migrations.RemoveIndex(model_name="scan", name="scan_next_to_claim"),
    ]
