"""Who speaks took part in the same conversation: one key in the place of two.

A participant is of a conversation of its company, so the key of an utterance to its speaker, with
the conversation in it, holds what the key to the conversation did.
"""

from django.db import migrations, models

from credits.tenancy import CompositeKey, add_composite_keys

BEFORE = (
    CompositeKey("trackers_utterance", "conversation_id", "trackers_conversation"),
    CompositeKey("trackers_utterance", "speaker_id", "trackers_participant"),
)
KEY = CompositeKey(
    "trackers_utterance", "speaker_id", "trackers_participant", within="conversation_id"
)


class Migration(migrations.Migration):
    dependencies = [("trackers", "0022_party_ids")]
    operations = [
        migrations.AddConstraint(
            model_name="participant",
            constraint=models.UniqueConstraint(
                fields=("company", "conversation", "id"),
                name="trackers_participant_conversation_and_id",
            ),
        ),
        add_composite_keys((KEY,)),
        migrations.RunSQL(
            sql=[key.reverse_sql for key in BEFORE], reverse_sql=[key.sql for key in BEFORE]
        ),
        migrations.RemoveConstraint(
            model_name="participant", name="trackers_participant_company_and_id"
        ),
        migrations.RemoveIndex(model_name="utterance", name="utterance_by_speaker"),
    ]
