"""The last day of a campaign, after which it is suggested to unpublish its tracker."""

from django.db import migrations, models

LAST_DAY = models.DateField(
    "campaign's last day",
    null=True,
    blank=True,
    help_text="For what is asked only as long as a campaign runs. After that day the product "
    "suggests to unpublish the tracker; nothing stops by itself.",
)
KINDS = [
    ("NO_RESULTS", "No results"),
    ("ENDED", "Campaign has ended"),
    ("DUPLICATE", "Same as another tracker"),
    ("FEW_RESULTS", "Few results"),
    ("EMAILS", "E-mails without results"),
    ("FILTER", "A filter keeps the results"),
    ("NO_FILTER", "No filter"),
]


class Migration(migrations.Migration):
    dependencies = [("trackers", "0015_mends")]

    operations = [
        migrations.AddField("historicaltracker", "campaign_end_date", LAST_DAY),
        migrations.AddField("tracker", "campaign_end_date", LAST_DAY.clone()),
        migrations.AlterField("suggestion", "kind", models.CharField(choices=KINDS, max_length=20)),
    ]
