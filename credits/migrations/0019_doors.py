"""What a company has and of how many, read in one round trip."""

from django.db import migrations

from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("credits", "0018_mcp")]
    operations = [run_sql_file(__file__, "0019_standing")]
