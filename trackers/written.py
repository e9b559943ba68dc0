"""What people wrote into briefs (setting ``WRITTEN_WORDS``); trackers have ``mentions``."""

from __future__ import annotations

from credits.written import Written
from trackers.models import Brief, BriefResult, BriefSection

WORDS = (
    Written(Brief, ("name", "description")),
    Written(BriefSection, ("title", "question")),
    # A run keeps what it was asked.
    Written(BriefResult, ("title", "question")),
)
