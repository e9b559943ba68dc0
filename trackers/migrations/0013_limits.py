"""Work that met a limit waits for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0017_limits"),
        ("trackers", "0012_rest"),
    ]

    operations = [
        migrations.AddField(
            model_name="scan",
            name="limit_ref",
            field=models.UUIDField(null=True),
        ),
        migrations.AddIndex(
            model_name="scan",
            index=models.Index(
                models.F("limit_ref"),
                models.F("due_at"),
                condition=models.Q(("limit_ref__isnull", False), ("state", "PENDING")),
                name="scan_waiting_for_a_limit",
            ),
        ),
    ]
