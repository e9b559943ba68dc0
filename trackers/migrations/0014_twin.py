"""A suggestion about two trackers that repeat each other names what both were like."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("credits", "0016_scopes"), ("trackers", "0013_limits")]

    operations = [
        # What was suggested before is worked out anew within the hour.
        migrations.RunSQL(
            "DELETE FROM trackers_suggestion WHERE kind = 'DUPLICATE'", migrations.RunSQL.noop
        ),
        migrations.RemoveConstraint(
            model_name="suggestion", name="suggestion_of_a_duplicate_names_the_other"
        ),
        migrations.AddField(
            model_name="suggestion",
            name="twin_edit_number",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name="suggestion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind", "DUPLICATE"),
                    ("twin__isnull", False),
                    ("twin_edit_number__isnull", False),
                )
                | models.Q(
                    models.Q(("kind", "DUPLICATE"), _negated=True),
                    ("twin", None),
                    ("twin_edit_number", None),
                ),
                name="suggestion_of_a_duplicate_names_the_other",
            ),
        ),
    ]
