"""The walls behind the acts: a closed company neither receives nor spends."""

from django.db import migrations

from credits.sql_files import run_sql_file

BEFORE = (
    "0002_ledger_core",
    "0002_ledger_operations",
    "0005_ledger_core",
    "0005_ledger_operations",
    "0005_ledger_corrections",
)


class Migration(migrations.Migration):
    dependencies = [("credits", "0012_export_mail")]
    operations = [run_sql_file(__file__, "0013_closed", restores=BEFORE)]
