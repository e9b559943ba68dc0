"""Erase what briefs said: what was put together from an erased conversation, or about somebody.

The runs stay with what they read and cost, for the usage they explain. Quotes of what is not
erased stay too; sentences go, since nobody can tell from which conversation a word of them came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from credits.models import Company
from trackers.batches import batches
from trackers.models import BriefCitation, BriefPage, BriefResult, BriefRun, SectionKind

NEEDLES_AT_ONCE = 50


def reading(conversations: Collection[UUID]) -> int:
    """Return how many runs read conversations and still say something of them."""
    return _reading(conversations).filter(erased_at=None).count()


def erase_reading(conversations: Collection[UUID], *, now: datetime) -> int:
    """Erase what runs said that read conversations; return how many were not erased before."""
    runs = _locked(_reading(conversations))
    of_words = [SectionKind.CONVERSATIONS, SectionKind.TRACKER]
    BriefResult.objects.filter(run__in=runs, kind__in=of_words).update(text=[])
    return _blank(runs, now)


def erase_about(contacts: Collection[UUID], *, now: datetime) -> int:
    """Erase all that was put together about people; return how many runs."""
    return _erase_whole(_locked(BriefRun.objects.filter(contact__in=contacts)), now)


def erase_saying(*, company: Company, needles: Iterable[str], now: datetime) -> int:
    """Erase runs whose sentences, or pages of the web, say one of the words; return how many."""
    count = 0
    for some in batches(needles, NEEDLES_AT_ONCE):
        of_run, of_result, of_page = Q(), Q(), Q()
        for needle in some:
            of_run |= Q(facts__icontains=needle)
            of_result |= Q(text__icontains=needle)
            for name in ("title", "url", "excerpt"):
                of_page |= Q(**{f"{name}__icontains": needle})
        results = BriefResult.objects.filter(of_result, company=company)
        pages = BriefPage.objects.filter(of_page, company=company)
        says = of_run | Q(pk__in=results.values("run")) | Q(pk__in=pages.values("result__run"))
        count += _erase_whole(_locked(BriefRun.objects.filter(says, company=company)), now)
    return count


def _reading(conversations: Collection[UUID]) -> QuerySet[BriefRun]:
    return BriefRun.objects.filter(conversation_ids__overlap=list(conversations))


def _locked(rows: QuerySet[BriefRun]) -> list[UUID]:
    chosen = rows.order_by("pk").select_for_update(no_key=True)
    return list(chosen.values_list("pk", flat=True))


def _erase_whole(runs: list[UUID], now: datetime) -> int:
    BriefCitation.objects.filter(result__run__in=runs).delete()
    BriefPage.objects.filter(result__run__in=runs).delete()
    BriefResult.objects.filter(run__in=runs).update(text=[])
    return _blank(runs, now)


def _blank(runs: list[UUID], now: datetime) -> int:
    rows = BriefRun.objects.filter(pk__in=runs)
    count = rows.filter(erased_at=None).update(facts=[], erased_at=now)
    rows.update(facts=[])
    return count
