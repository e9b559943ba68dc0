"""Which conversations a tracker reads: one definition, compiled to one query.

The publish step, the estimate, the backfill and the live fan-out all come through ``matching``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, prefetch_related_objects

from credits import rating
from trackers.models import (
    Conversation,
    ConversationKind,
    FilterField,
    Participant,
    Side,
    Tracker,
    TrackerFilter,
)

_TEXT_COUNTS = {
    Side.REP: Q(company_text_count__gt=0),
    Side.CUSTOMER: Q(non_company_text_count__gt=0),
    Side.ANY: Q(company_text_count__gt=0) | Q(non_company_text_count__gt=0),
}

# A tracker's filters with the names they show: one query, however many there are.
NAMED = Prefetch("filters", TrackerFilter.objects.select_related("team", "member"))


def matching(
    tracker: Tracker, conditions: Iterable[TrackerFilter] | None = None
) -> QuerySet[Conversation]:
    """Return the company's conversations of the tracker's kinds that pass its filters.

    Any of the values of one field, and between fields; excluded values never pass. The values
    are those stored on the conversation, not those its account or deal has today. ``conditions``
    under consideration, saved or not, stand in for the tracker's own.
    """
    conversations = Conversation.objects.filter(
        company_id=tracker.company_id, kind__in=kinds(tracker)
    )
    wanted: dict[str, list[TrackerFilter]] = defaultdict(list)
    for condition in tracker.filters.all() if conditions is None else conditions:
        if condition.is_excluded:
            conversations = conversations.exclude(_passes(condition.field, [condition]))
        else:
            wanted[condition.field].append(condition)
    for field, conditions in wanted.items():
        conversations = conversations.filter(_passes(field, conditions))
    return conversations


def with_item(conversations: QuerySet[Conversation], side: str) -> QuerySet[Any]:
    """Annotate each conversation with the priced ``item`` that reading it is (SPEC §3)."""
    item = rating.item_of(
        kind="kind", duration_seconds="duration_seconds", has_text=_TEXT_COUNTS[Side(side)]
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

    A company without any conversation of those kinds cannot tell: False.
    """
    if not tracker.filters.exists() or matching(tracker).exists():
        return False
    return Conversation.objects.filter(
        company_id=tracker.company_id, kind__in=kinds(tracker)
    ).exists()


def in_words(tracker: Tracker) -> str:
    """Say what the filters let through, as a person would; no query where ``NAMED`` was fetched."""
    prefetch_related_objects([tracker], NAMED)
    return words(tracker.filters.all())


def words(conditions: Iterable[TrackerFilter]) -> str:
    """Say what filters let through, from their rows."""
    values: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for condition in conditions:
        value = condition.team or condition.member or condition.text
        values[condition.field, condition.is_excluded].append(str(value))
    parts = [
        f"{field.label.lower()} {verb} {' or '.join(sorted(values[field, is_excluded]))}"
        for field in FilterField
        for is_excluded, verb in ((False, "is"), (True, "is not"))
        if (field, is_excluded) in values
    ]
    return " and ".join(parts) or "all conversations"


def _passes(field: str, conditions: list[TrackerFilter]) -> Q:
    match field:
        case FilterField.TEAM:
            return Q(team__in=[condition.team_id for condition in conditions])
        case FilterField.USER:
            members = [condition.member_id for condition in conditions]
            took_part = Participant.objects.filter(
                conversation=OuterRef("pk"), team_member__in=members
            )
            return Q(owner__in=members) | Q(Exists(took_part))
        case FilterField.ACCOUNT_TYPE:
            return Q(account_type__in=[condition.text for condition in conditions])
        case FilterField.DEAL_STAGE:
            return Q(deal_stage__in=[condition.text for condition in conditions])
        case _:
            raise ValueError(f"There is no filter by {field}.")
