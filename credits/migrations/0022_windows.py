"""What counts in a limit's window is found where a clock stepped back, too."""

from django.db import migrations

from credits.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("credits", "0021_plans")]

    operations = [
        run_sql_file(__file__, "0022_windows", restores=("0017_limits",)),
    ]
