"""Composite keys (I16), and the triggers that keep what was counted, given and bought."""

from django.db import migrations

from credits.sql_files import run_sql_file
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (
    CompositeKey("billing_contract", "introductory_grant_id", "credits_creditgrant"),
    CompositeKey("billing_seatcount", "seat_type_id", "billing_seattype"),
    CompositeKey("billing_allocation", "grant_id", "credits_creditgrant"),
    CompositeKey("billing_allocationline", "allocation_id", "billing_allocation"),
    CompositeKey("billing_allocationline", "seat_type_id", "billing_seattype"),
    CompositeKey("billing_topup", "allocation_id", "billing_allocation"),
    CompositeKey("billing_topup", "grant_id", "credits_creditgrant"),
    CompositeKey("billing_purchase", "grant_id", "credits_creditgrant"),
    CompositeKey("billing_purchase", "replaces_id", "billing_purchase"),
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("credits", "0002_ledger")]
    operations = [add_composite_keys(KEYS), run_sql_file(__file__, "0002_final")]
