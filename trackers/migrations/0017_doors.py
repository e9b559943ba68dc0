"""Calls named by the number of their id are found by an index."""

import django.db.models.functions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trackers", "0016_claimed")]
    operations = [
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                "company",
                django.db.models.functions.Right(
                    django.db.models.functions.Cast("id", models.TextField()), 17
                ),
                name="conversation_by_number",
            ),
        ),
    ]
