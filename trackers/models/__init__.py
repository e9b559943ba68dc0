from trackers.models.conversations import (
    Affiliation,
    Conversation,
    ConversationKind,
    Participant,
    Utterance,
)
from trackers.models.intake import ImportFile, ImportFormat, ImportUpload, Retention
from trackers.models.people import CustomerAccount, Deal, Team, TeamMember
from trackers.models.scans import Confidence, Quote, Scan, ScanState, Verdict
from trackers.models.trackers import (
    AnswerType,
    Backfill,
    BackfillState,
    FilterField,
    Side,
    Tracker,
    TrackerFilter,
    TrackerState,
    TrackerVersion,
)

__all__ = [
    "Affiliation",
    "AnswerType",
    "Backfill",
    "BackfillState",
    "Confidence",
    "Conversation",
    "ConversationKind",
    "CustomerAccount",
    "Deal",
    "FilterField",
    "ImportFile",
    "ImportFormat",
    "ImportUpload",
    "Participant",
    "Quote",
    "Retention",
    "Scan",
    "ScanState",
    "Side",
    "Team",
    "TeamMember",
    "Tracker",
    "TrackerFilter",
    "TrackerState",
    "TrackerVersion",
    "Utterance",
    "Verdict",
]
