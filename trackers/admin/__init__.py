"""The admin pages of trackers; importing this registers them."""

from trackers.admin import backfills, conversations, people, scans, suggestions, trackers

__all__ = ["backfills", "conversations", "people", "scans", "suggestions", "trackers"]
