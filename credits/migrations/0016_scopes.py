"""Scopes of the doors that trackers, conversations, questions, briefs and limits have."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0015_intake"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="apikey",
            name="api_key_scopes_are_known_and_some",
        ),
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("balance:read", "Read the balance"),
                        ("grants:read", "Read grants"),
                        ("ledger:read", "Read ledger entries and what they drew on"),
                        ("usage:read", "Read what was used"),
                        ("purchases:read", "Read purchases"),
                        ("purchases:request", "Request a purchase, which a person then decides"),
                        ("rates:read", "Read the rate card"),
                        ("limits:read", "Read limits and how much of them is used"),
                        ("limits:write", "Set and end limits"),
                        ("trackers:read", "Read trackers, backfills and what they would cost"),
                        (
                            "trackers:write",
                            "Change, publish and unpublish trackers, and run backfills",
                        ),
                        ("results:read", "Read what trackers found"),
                        ("conversations:read", "Read calls and e-mails, with what was said"),
                        ("conversations:write", "Send calls and e-mails in"),
                        ("team:read", "Read the company's team members"),
                        ("ask", "Ask about accounts, deals, contacts and leads; this uses credits"),
                        ("brief", "Run briefs; this uses credits"),
                    ],
                    max_length=40,
                ),
                size=None,
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "scopes__contained_by",
                        [
                            "balance:read",
                            "grants:read",
                            "ledger:read",
                            "usage:read",
                            "purchases:read",
                            "purchases:request",
                            "rates:read",
                            "limits:read",
                            "limits:write",
                            "trackers:read",
                            "trackers:write",
                            "results:read",
                            "conversations:read",
                            "conversations:write",
                            "team:read",
                            "ask",
                            "brief",
                        ],
                    ),
                    ("scopes__len__gt", 0),
                ),
                name="api_key_scopes_are_known_and_some",
            ),
        ),
    ]
