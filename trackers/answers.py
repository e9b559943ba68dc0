"""Erase questions and answers: those that cite what is erased, and those about or naming somebody.

The row stays with what it cost and read, for the usage it explains. Nothing is given again, or
read again, from an erased one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from credits.models import Company
from trackers import traces
from trackers.batches import batches
from trackers.models import AskCitation, AskRequest

NEEDLES_AT_ONCE = 50


def erase_citing(conversations: Collection[UUID], *, now: datetime) -> int:
    """Erase the answers that cite conversations; return how many. Before their citations go."""
    citing = AskCitation.objects.filter(conversation__in=conversations)
    return _erase(AskRequest.objects.filter(pk__in=citing.values("ask")), now)


def erase_about(contacts: Collection[UUID], *, now: datetime) -> int:
    """Erase what was asked about people; return how many questions."""
    return _erase(AskRequest.objects.filter(contact__in=contacts), now)


def erase_saying(*, company: Company, needles: Iterable[str], now: datetime) -> int:
    """Erase questions and answers that say one of the words; return how many."""
    count = 0
    for some in batches(needles, NEEDLES_AT_ONCE):
        says = Q()
        for needle in some:
            says |= Q(question__icontains=needle) | Q(answer__icontains=needle)
        count += _erase(AskRequest.objects.filter(says, company=company), now)
    return count


def citing(conversations: Collection[UUID]) -> int:
    """Return how many answers cite conversations."""
    found = AskCitation.objects.filter(conversation__in=conversations)
    return AskRequest.objects.filter(pk__in=found.values("ask"), erased_at=None).count()


def _erase(rows: QuerySet[AskRequest], now: datetime) -> int:
    # One order, and the lock that giving an answer again takes: it waits, and finds it erased.
    chosen = list(
        rows.filter(erased_at=None)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    if not chosen:
        return 0
    AskCitation.objects.filter(ask__in=chosen).delete()
    blank = {
        field.name: traces.empty(field)
        for field in AskRequest._meta.concrete_fields
        if traces.holds_words(field)
    }
    return AskRequest.objects.filter(pk__in=chosen).update(**blank, erased_at=now)
