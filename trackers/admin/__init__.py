"""The admin pages of trackers; importing this registers them."""

from trackers.admin import backfills, conversations, imports, people, scans, trackers

__all__ = ["backfills", "conversations", "imports", "people", "scans", "trackers"]
