"""What is written down of a purchase when it is decided is not rewritten afterwards."""

from django.db import migrations

from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_requested_through"), ("credits", "0013_walls")]
    operations = [run_sql_file(__file__, "0007_walls", restores=("0002_final",))]
