"""Rows are added to the books by an act alone, and no temporary table stands before them."""

from django.db import migrations

from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("credits", "0022_windows")]

    operations = [
        run_sql_file(__file__, "0023_additions"),
        run_sql_file(__file__, "0023_paths"),
    ]
