"""The admin pages of trackers; importing this registers them."""

from trackers.admin import conversations, people, scans

__all__ = ["conversations", "people", "scans"]
