"""Composite keys: rows of one company point only to rows of the same company (I16)."""

from django.db import migrations

from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (
    CompositeKey("trackers_teammember", "team_id", "trackers_team"),
    CompositeKey("trackers_deal", "account_id", "trackers_customeraccount"),
    CompositeKey("trackers_conversation", "team_id", "trackers_team"),
    CompositeKey("trackers_conversation", "owner_id", "trackers_teammember"),
    CompositeKey("trackers_conversation", "account_id", "trackers_customeraccount"),
    CompositeKey("trackers_conversation", "deal_id", "trackers_deal"),
    CompositeKey("trackers_participant", "conversation_id", "trackers_conversation"),
    CompositeKey("trackers_participant", "team_member_id", "trackers_teammember"),
    CompositeKey("trackers_utterance", "conversation_id", "trackers_conversation"),
    CompositeKey("trackers_utterance", "speaker_id", "trackers_participant"),
    CompositeKey("trackers_tracker", "current_version_id", "trackers_trackerversion"),
    CompositeKey("trackers_trackerversion", "tracker_id", "trackers_tracker"),
    CompositeKey("trackers_trackerfilter", "tracker_id", "trackers_tracker"),
    CompositeKey("trackers_trackerfilter", "team_id", "trackers_team"),
    CompositeKey("trackers_trackerfilter", "member_id", "trackers_teammember"),
    CompositeKey("trackers_backfill", "tracker_id", "trackers_tracker"),
    CompositeKey("trackers_backfill", "version_id", "trackers_trackerversion"),
    CompositeKey("trackers_scan", "tracker_id", "trackers_tracker"),
    CompositeKey("trackers_scan", "version_id", "trackers_trackerversion"),
    CompositeKey("trackers_scan", "conversation_id", "trackers_conversation"),
    CompositeKey("trackers_scan", "backfill_id", "trackers_backfill"),
    CompositeKey("trackers_scan", "team_id", "trackers_team"),
    # A scan is written before the usage event it names, in the same transaction.
    CompositeKey("trackers_scan", "usage_event_id", "credits_usageevent", deferred=True),
    CompositeKey("trackers_quote", "scan_id", "trackers_scan"),
    CompositeKey("trackers_quote", "utterance_id", "trackers_utterance"),
)


class Migration(migrations.Migration):
    dependencies = [("trackers", "0001_initial"), ("credits", "0002_ledger")]
    operations = [add_composite_keys(KEYS)]
