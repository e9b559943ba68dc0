"""A participant keeps the id that Gong has for a party, beside the one of who speaks."""

from django.db import migrations, models

from credits.statistics import keep_no_statistics

# The planner keeps no statistics of what can be erased, as 0007_intake says.
WORDS = (("trackers_participant", ("party_id",)),)


class Migration(migrations.Migration):
    dependencies = [("trackers", "0021_moves")]
    operations = [
        migrations.AddField(
            model_name="participant",
            name="party_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        keep_no_statistics(WORDS),
    ]
