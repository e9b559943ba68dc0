from trackers.models.advice import AdviceRun, Narrowing, Suggestion, SuggestionKind
from trackers.models.conversations import (
    Affiliation,
    Conversation,
    ConversationKind,
    Participant,
    Utterance,
)
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
    "AdviceRun",
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
    "Narrowing",
    "Participant",
    "Quote",
    "Scan",
    "ScanState",
    "Side",
    "Suggestion",
    "SuggestionKind",
    "Team",
    "TeamMember",
    "Tracker",
    "TrackerFilter",
    "TrackerState",
    "TrackerVersion",
    "Utterance",
    "Verdict",
]
