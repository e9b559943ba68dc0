"""Since when something waits for credits, which is later than it was queued."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trackers", "0024_claims")]
    operations = [
        migrations.AddField("scan", "waiting_since", models.DateTimeField(null=True)),
    ]
