"""The ledger's corrections, hash version 2, the guards of pool and grants."""

from django.db import migrations

from credits.sql_files import run_sql_file
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (
    CompositeKey("credits_correction", "grant_id", "credits_creditgrant"),
    CompositeKey("credits_correction", "usage_event_id", "credits_usageevent"),
    CompositeKey("credits_correction", "entry_id", "credits_ledgerentry"),
)
BEFORE = ("0002_ledger_core", "0002_ledger_operations")


class Migration(migrations.Migration):
    dependencies = [("credits", "0004_correction")]
    operations = [
        add_composite_keys(KEYS),
        run_sql_file(__file__, "0005_ledger_core", restores=BEFORE),
        run_sql_file(__file__, "0005_ledger_operations", restores=BEFORE),
        run_sql_file(__file__, "0005_ledger_corrections"),
        run_sql_file(__file__, "0005_guards"),
    ]
