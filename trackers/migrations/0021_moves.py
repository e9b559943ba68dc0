"""Publishing and unpublishing a tracker move the day credits run out, as a filter does."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trackers", "0020_external_ids")]
    operations = [
        migrations.AddField(
            model_name="narrowing",
            name="is_undoable",
            field=models.BooleanField(default=True),
        ),
    ]
