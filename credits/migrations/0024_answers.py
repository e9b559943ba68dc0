"""An answer kept for a repetition goes before its 30 days where an erasure takes its words."""

from django.db import migrations

from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("credits", "0023_walls")]

    operations = [run_sql_file(__file__, "0024_answers", restores=("0013_guards",))]
