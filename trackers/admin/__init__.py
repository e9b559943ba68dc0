"""The admin pages of trackers; importing this registers them."""

from trackers.admin import (
    backfills,
    conversations,
    imports,
    people,
    scans,
    suggestions,
    trackers,
)

__all__ = [
    "backfills",
    "conversations",
    "imports",
    "people",
    "scans",
    "suggestions",
    "trackers",
]
