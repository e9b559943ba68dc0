"""Taking back a change of filters brings the language back as well."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trackers", "0008_advice"),
    ]

    operations = [
        migrations.AddField(
            model_name="narrowing",
            name="language_before",
            field=models.CharField(blank=True, max_length=3),
        ),
    ]
