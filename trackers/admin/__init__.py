"""The admin pages of trackers; importing this registers them."""

from trackers.admin import (
    asks,
    backfills,
    conversations,
    imports,
    mcp_clients,
    people,
    scans,
    suggestions,
    trackers,
)

__all__ = [
    "asks",
    "backfills",
    "conversations",
    "imports",
    "mcp_clients",
    "people",
    "scans",
    "suggestions",
    "trackers",
]
