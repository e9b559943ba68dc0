"""No statistics of what the audit trail says, and of people's names: both can be erased."""

from django.db import migrations

from credits.statistics import keep_no_statistics

WORDS = (
    ("credits_audittext", ("actor_name", "subject_label", "changes", "reason")),
    ("credits_user", ("email", "name")),
)


class Migration(migrations.Migration):
    dependencies = [("credits", "0014_alerts")]
    operations = [keep_no_statistics(WORDS)]
