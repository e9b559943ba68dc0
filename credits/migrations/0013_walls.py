"""The walls behind the acts: a closed company, who buys, and the doors beside the ledger."""

from django.db import migrations, models
from django.db.models import Q

from credits.sql_files import run_sql_file

ACTS_BEFORE = (
    "0002_ledger_core",
    "0002_ledger_operations",
    "0005_ledger_core",
    "0005_ledger_operations",
    "0005_ledger_corrections",
)
GUARDS_BEFORE = ("0005_guards", "0010_audit")


class Migration(migrations.Migration):
    dependencies = [("credits", "0012_export_mail")]
    operations = [
        run_sql_file(__file__, "0013_closed", restores=ACTS_BEFORE),
        migrations.AddConstraint(
            model_name="creditgrant",
            constraint=models.CheckConstraint(
                condition=~Q(source="PURCHASE") | Q(created_by__isnull=False),
                name="grant_of_a_purchase_names_its_person",
            ),
        ),
        migrations.AddField(
            model_name="creditgrant",
            name="terms_hash",
            field=models.BinaryField(editable=False, max_length=32, null=True),
        ),
        run_sql_file(__file__, "0013_guards", restores=GUARDS_BEFORE),
        migrations.AlterField(
            model_name="creditgrant",
            name="terms_hash",
            field=models.BinaryField(editable=False, max_length=32),
        ),
    ]
