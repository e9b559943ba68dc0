"""The ledger's SQL: functions, append-only triggers, the link of entries, composite keys."""

from django.db import migrations

from credits.sql_files import run_sql_file
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (
    CompositeKey("credits_ledgerentry", "grant_id", "credits_creditgrant"),
    CompositeKey("credits_drawdown", "entry_id", "credits_ledgerentry"),
    CompositeKey("credits_drawdown", "grant_id", "credits_creditgrant"),
    CompositeKey("credits_usageevent", "entry_id", "credits_ledgerentry"),
    CompositeKey("credits_reservation", "usage_event_id", "credits_usageevent"),
    CompositeKey("credits_hold", "reservation_id", "credits_reservation"),
    CompositeKey("credits_hold", "grant_id", "credits_creditgrant"),
)


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_initial")]
    operations = [
        add_composite_keys(KEYS),
        run_sql_file(__file__, "0002_ledger_core"),
        run_sql_file(__file__, "0002_ledger_operations"),
        run_sql_file(__file__, "0002_append_only"),
    ]
