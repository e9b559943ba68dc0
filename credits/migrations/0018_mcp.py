"""Whose conversations an integration may read, fixed when it is made."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("credits", "0017_limits")]
    operations = [
        migrations.AddField(
            model_name="integration",
            name="context",
            field=models.CharField(
                choices=[
                    ("SHARED", "All conversations of the company"),
                    ("PERSONAL", "Only those of one person and their team"),
                ],
                default="SHARED",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="integration",
            name="person",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="integration",
            constraint=models.CheckConstraint(
                condition=models.Q(("context", "SHARED"), ("person", None))
                | models.Q(("context", "PERSONAL"), ("kind", "MCP"), ("person__isnull", False)),
                name="integration_names_a_person_exactly_when_personal",
            ),
        ),
        run_sql_file(__file__, "0018_integration_context"),
    ]
