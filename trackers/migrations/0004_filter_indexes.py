"""Indexes of trackers' filters: the few conversations that pass, among many."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0013_walls"),
        ("trackers", "0003_kinds"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                models.F("company"),
                models.F("team"),
                models.F("started_at"),
                condition=models.Q(("team__isnull", False)),
                name="conversation_by_team",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                models.F("company"),
                models.F("owner"),
                models.F("started_at"),
                condition=models.Q(("owner__isnull", False)),
                name="conversation_by_owner",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                models.F("company"),
                models.F("account_type"),
                models.F("started_at"),
                condition=models.Q(("account_type", ""), _negated=True),
                name="conversation_by_account_type",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                models.F("company"),
                models.F("deal_stage"),
                models.F("started_at"),
                condition=models.Q(("deal_stage", ""), _negated=True),
                name="conversation_by_deal_stage",
            ),
        ),
        migrations.AddIndex(
            model_name="participant",
            index=models.Index(
                models.F("team_member"),
                models.F("conversation"),
                condition=models.Q(("team_member__isnull", False)),
                name="participant_by_team_member",
            ),
        ),
    ]
