"""The admin pages of trackers; importing this registers them."""

from trackers.admin import backfills, trackers

__all__ = ["backfills", "trackers"]
