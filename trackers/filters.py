"""Which conversations a tracker reads: one definition, compiled to one query.

The publish step, the estimate, the backfill and the live fan-out all come through ``matching``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects

from credits import rating
from trackers import languages, parts
from trackers.models import (
    Conversation,
    ConversationKind,
    FilterField,
    Participant,
    Tracker,
    TrackerFilter,
    TrackerVersion,
)

# A tracker's filters with the names they show: one query, however many there are.
NAMED = Prefetch("filters", TrackerFilter.objects.select_related("team", "member"))


def matching(
    tracker: Tracker, conditions: Iterable[TrackerFilter] | None = None
) -> QuerySet[Conversation]:
    """Return the company's conversations of the tracker's kinds that pass its filters.

    Any of the values of one field, and between fields; excluded values never pass. The values
    are those stored on the conversation, not those its account or deal has today. Where the
    tracker has a language, a conversation whose record named no language does not pass.
    ``conditions`` under consideration, saved or not, stand in for the tracker's own.
    """
    conversations = Conversation.objects.filter(
        company_id=tracker.company_id, kind__in=kinds(tracker), erased_at=None
    )
    if tracker.language:
        conversations = conversations.filter(language=tracker.language)
    wanted: dict[str, list[TrackerFilter]] = defaultdict(list)
    for condition in tracker.filters.all() if conditions is None else conditions:
        if condition.is_excluded:
            conversations = conversations.exclude(
                _passes(tracker.company_id, condition.field, [condition])
            )
        else:
            wanted[condition.field].append(condition)
    for field, rows in wanted.items():
        conversations = conversations.filter(_passes(tracker.company_id, field, rows))
    return conversations


def with_item(conversations: QuerySet[Conversation], version: TrackerVersion) -> QuerySet[Any]:
    """Annotate each conversation with the priced ``item`` that reading it is (SPEC §3)."""
    item = rating.item_of(
        kind="kind",
        duration_seconds="duration_seconds",
        has_text=parts.has_text(version),
        is_free=version.is_free,
    )
    return conversations.annotate(item=item)


def kinds(tracker: Tracker) -> list[ConversationKind]:
    found = []
    if tracker.include_calls:
        found.append(ConversationKind.CALL)
    if tracker.include_emails:
        found.append(ConversationKind.EMAIL)
    return found


def pass_nothing(tracker: Tracker) -> bool:
    """Tell whether there are conversations of the tracker's kinds, and its filters stop them all.

    A company without any conversation of those kinds cannot tell: False. The language is one of
    the filters.
    """
    is_filtered = bool(tracker.language) or tracker.filters.exists()
    if not is_filtered or matching(tracker).exists():
        return False
    return Conversation.objects.filter(
        company_id=tracker.company_id, kind__in=kinds(tracker), erased_at=None
    ).exists()


def in_words(tracker: Tracker) -> str:
    """Say what the filters let through, as a person would; no query where ``NAMED`` was fetched."""
    prefetch_related_objects([tracker], NAMED)
    return words(tracker.filters.all(), language=tracker.language)


def words(conditions: Iterable[TrackerFilter], *, language: str = "") -> str:
    """Say what filters let through, from their rows and the language."""
    values: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for condition in conditions:
        value = condition.team or condition.member or condition.text
        values[condition.field, condition.is_excluded].append(str(value))
    said = [
        f"{field.label.lower()} {verb} {' or '.join(sorted(values[field, is_excluded]))}"
        for field in FilterField
        for is_excluded, verb in ((False, "is"), (True, "is not"))
        if (field, is_excluded) in values
    ]
    if language:
        said.append(f"language is {languages.name(language)}")
    return " and ".join(said) or "all conversations"


def _passes(company_id: int, field: str, conditions: list[TrackerFilter]) -> Q:
    match field:
        case FilterField.TEAM:
            return Q(team__in=[condition.team_id for condition in conditions])
        case FilterField.USER:
            members = [condition.member_id for condition in conditions]
            # One list of both, which is looked up by key: an OR would read every conversation.
            owned = Conversation.objects.filter(company=company_id, owner__in=members)
            took_part = Participant.objects.filter(team_member__in=members)
            return Q(pk__in=owned.values("pk").union(took_part.values("conversation")))
        case FilterField.ACCOUNT_TYPE:
            return Q(account_type__in=[condition.text for condition in conditions])
        case FilterField.DEAL_STAGE:
            return Q(deal_stage__in=[condition.text for condition in conditions])
        case _:
            raise ValueError(f"There is no filter by {field}.")
