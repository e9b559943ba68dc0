"""What a use read, for whoever explains it (settings ``CREDIT_EXPLAINERS``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.urls import reverse

from credits import rating
from credits.explanations import Piece, Reused, Sources
from credits.models import FeatureType, RateItem, UsageEvent
from credits.rating import LONG_CALL_SECONDS, Work
from trackers.models import (
    AskCitation,
    AskRequest,
    BriefCitation,
    BriefResult,
    Conversation,
    ConversationKind,
    Quote,
    Scan,
    SectionKind,
)

_ADDRESS = "admin:trackers_conversation_change"


def sources(event: UsageEvent, *, with_words: bool) -> Sources | None:
    """Return what a use of ours read; None for one that left nothing behind."""
    if event.feature_type == FeatureType.TRACKER:
        return _of_tracker(event, with_words)
    if event.feature_type == FeatureType.ASK:
        return _of_ask(event, with_words)
    return _of_brief(event, with_words)


def _of_tracker(event: UsageEvent, with_words: bool) -> Sources | None:
    quotes = Quote.objects.select_related("utterance").order_by("rank")
    rows = (
        Scan.objects.filter(company=event.company_id, usage_event=event)
        .select_related("conversation", "version")
        .annotate(is_quoted=Exists(Quote.objects.filter(scan=OuterRef("pk"))))
        .order_by("conversation_started_at", "pk")
    )
    if with_words:
        rows = rows.prefetch_related(Prefetch("quotes", quotes))
    scans = list(rows)
    if not scans:
        return None
    items = Counter(_item(scan) for scan in scans)
    return Sources(
        work=Work.of_items(dict(items)),
        question=scans[0].version.question if with_words else "",
        pieces=tuple(_scanned(scan, with_words) for scan in scans),
    )


def _item(scan: Scan) -> str:
    """Tell from its price what a scan was charged as; a conversation may have changed since."""
    is_call = scan.conversation.kind == ConversationKind.CALL
    if scan.version.is_free:
        return rating.FREE_CALL if is_call else rating.FREE_EMAIL
    if not scan.price:
        return rating.CALL_WITHOUT_TEXT if is_call else rating.EMAIL_WITHOUT_TEXT
    if not is_call:
        return RateItem.EMAIL
    is_long = scan.conversation.duration_seconds > LONG_CALL_SECONDS
    return RateItem.CALL_LONG if is_long else RateItem.CALL_SHORT


def _scanned(scan: Scan, with_words: bool) -> Piece:
    call = scan.conversation
    quotes = (
        tuple(one.utterance.text[one.start : one.end] for one in scan.quotes.all())
        if with_words
        else ()
    )
    return Piece(
        conversation_id=call.pk,
        kind=call.kind,
        started_at=call.started_at,
        credits=scan.price,
        is_cited=scan.is_quoted,  # type: ignore[attr-defined]
        verdict=scan.verdict,
        title=call.title if with_words else "",
        answer=scan.answer if with_words else "",
        quotes=quotes,
        url=reverse(_ADDRESS, args=[call.pk]),
    )


def _of_ask(event: UsageEvent, with_words: bool) -> Sources | None:
    mine = AskRequest.objects.filter(company=event.company_id, usage_ref=event.pk)
    row = mine.select_related("reused_from").first()
    if row is None:
        return None
    first = row.reused_from
    cited = row.citations.select_related("conversation", "utterance").order_by("rank")
    return Sources(
        work=_tally(_conversations(row.company_id, row.conversation_ids)),
        question=row.question if with_words else "",
        answer=row.answer if with_words else "",
        pieces=_read(cited, row.company_id, row.conversation_ids, with_words),
        reused=first and Reused(first.usage_ref, first.asked_at, row.saved),
    )


def _of_brief(event: UsageEvent, with_words: bool) -> Sources | None:
    """Return what one section of a run read, which is charged on its own."""
    mine = BriefResult.objects.filter(company=event.company_id, usage_ref=event.pk)
    result = mine.select_related("run").first()
    if result is None:
        return None
    cited = result.citations.select_related("conversation", "utterance").order_by("rank")
    work, ids = Work(web_searches=event.web_searches), []
    if result.kind == SectionKind.CONVERSATIONS:
        ids = result.run.conversation_ids
        work = _tally(_conversations(event.company_id, ids))
    return Sources(
        work=work,
        question=result.question if with_words else "",
        answer=" ".join(result.text) if with_words else "",
        pieces=_read(cited, event.company_id, ids, with_words),
    )


def _read(
    cited: Iterable[AskCitation | BriefCitation],
    company_id: int,
    ids: Sequence[UUID],
    with_words: bool,
) -> tuple[Piece, ...]:
    """Return the conversations read, each once: those cited, the best first, then the others."""
    quotes: dict[Conversation, list[str]] = {}
    for one in cited:
        quotes.setdefault(one.conversation, []).append(one.quote)
    others = {row.pk: row for row in _conversations(company_id, ids)}
    for pk in ids:
        if pk in others:
            quotes.setdefault(others[pk], [])
    return tuple(
        Piece(
            conversation_id=call.pk,
            kind=call.kind,
            started_at=call.started_at,
            is_cited=bool(said),
            title=call.title if with_words else "",
            quotes=tuple(said) if with_words else (),
            url=reverse(_ADDRESS, args=[call.pk]),
        )
        for call, said in quotes.items()
    )


def _conversations(company_id: int, ids: Sequence[UUID]) -> QuerySet[Conversation]:
    return Conversation.objects.filter(company_id=company_id, pk__in=ids)


def _tally(rows: QuerySet[Conversation]) -> Work:
    """Tally conversations as they are now, both sides of them."""
    item = rating.item_of(
        kind="kind",
        duration_seconds="duration_seconds",
        has_text=Q(company_text_count__gt=0) | Q(non_company_text_count__gt=0),
    )
    return Work.of_items(dict(Counter(rows.annotate(item=item).values_list("item", flat=True))))
