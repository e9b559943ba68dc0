"""The first rate card (SPEC §3), in force from the beginning, and the vendor's two groups."""

from datetime import UTC, datetime

from django.db import migrations

RATES = {"EMAIL": "0.1", "CALL_LONG": "1", "CALL_SHORT": "0.5", "WEB_SEARCH": "5"}
GROUPS = ("Vendor staff", "Vendor auditor")


def add(apps, schema_editor):
    card = apps.get_model("credits", "RateCard").objects.create(
        effective_at=datetime(2020, 1, 1, tzinfo=UTC), note="First rate card"
    )
    rates = apps.get_model("credits", "Rate")
    for item, amount in RATES.items():
        rates.objects.create(rate_card=card, item=item, amount=amount)
    for name in GROUPS:
        apps.get_model("auth", "Group").objects.get_or_create(name=name)


def remove(apps, schema_editor):
    schema_editor.execute("DELETE FROM credits_rate")
    schema_editor.execute("DELETE FROM credits_ratecard")
    apps.get_model("auth", "Group").objects.filter(name__in=GROUPS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0002_ledger"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [migrations.RunPython(add, remove)]
