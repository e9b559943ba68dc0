"""How far each member has come with their first steps in a company."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0008_export_jobs"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="first_steps_hidden_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="membership",
            name="guide_read_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
