"""Words beside an act can be erased, and the planner keeps no values of them."""

from django.db import migrations

from credits.sql_files import run_sql_file
from credits.statistics import keep_no_statistics

WORDS = (
    ("billing_seatcount", ("note",)),
    ("billing_topup", ("reason",)),
    ("billing_zonechange", ("reason",)),
    (
        "billing_purchase",
        ("order_reference", "order_key", "note", "cancel_reason", "void_reason"),
    ),
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_walls"), ("credits", "0018_mcp")]
    operations = [
        run_sql_file(
            __file__, "0008_words", restores=("0002_final", "0003_zone_changes", "0007_walls")
        ),
        keep_no_statistics(WORDS),
    ]
