"""The admin pages of trackers; importing this registers them."""

from trackers.admin import (
    asks,
    backfills,
    brief_runs,
    briefs,
    conversations,
    imports,
    language_models,
    mcp_clients,
    people,
    scans,
    suggestions,
    trackers,
)

__all__ = [
    "asks",
    "backfills",
    "brief_runs",
    "briefs",
    "conversations",
    "imports",
    "language_models",
    "mcp_clients",
    "people",
    "scans",
    "suggestions",
    "trackers",
]
