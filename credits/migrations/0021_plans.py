"""The ledger's acts find rows by their indexes, however small the tables were at first."""

from django.db import migrations

from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("credits", "0020_doors")]

    operations = [run_sql_file(__file__, "0021_plans")]
