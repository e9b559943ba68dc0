"""Count the requests that send conversations in apart from all others."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0016_scopes"),
        ("trackers", "0011_briefs"),
    ]

    operations = [
        migrations.CreateModel(
            name="IngestionTally",
            fields=[
                (
                    "company",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="ingestion_tally",
                        serialize=False,
                        to="credits.company",
                    ),
                ),
                (
                    "recent_at",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateTimeField(), size=None
                    ),
                ),
                ("day", models.DateField()),
                ("day_count", models.PositiveIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("day_count__gt", 0)),
                        name="ingestion_tally_counts_from_one",
                    )
                ],
            },
        ),
    ]
