"""The last day of a campaign, and what a version was said to cost when it was published.

After the day it is suggested to unpublish the tracker. What was said of versions published before
is not known any more.
"""

from django.db import migrations, models

from credits.amounts import AmountField

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
    dependencies = [("trackers", "0017_doors")]

    operations = [
        migrations.AddField("historicaltracker", "campaign_end_date", LAST_DAY),
        migrations.AddField("tracker", "campaign_end_date", LAST_DAY.clone()),
        migrations.AlterField("suggestion", "kind", models.CharField(choices=KINDS, max_length=20)),
        migrations.AddField(
            "trackerversion", "month_estimate", AmountField(null=True, editable=False)
        ),
        migrations.AddConstraint(
            "trackerversion",
            models.CheckConstraint(
                condition=models.Q(month_estimate=None)
                | models.Q(month_estimate__gte=0, published_at__isnull=False),
                name="version_is_estimated_when_it_is_published",
            ),
        ),
    ]
