"""What a use read, for whoever explains it (settings ``CREDIT_EXPLAINERS``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.models import Prefetch, Q, QuerySet
from django.urls import reverse

from credits import rating
from credits.explanations import Piece, Sources
from credits.models import FeatureType, RateItem, UsageAction, UsageEvent
from credits.rating import LONG_CALL_SECONDS, Work
from trackers import entities
from trackers.entities import Entity
from trackers.models import (
    AskCitation,
    AskRequest,
    BriefCitation,
    BriefResult,
    Conversation,
    ConversationKind,
    EntityType,
    Quote,
    Scan,
    SectionKind,
)
from trackers.periods import Period, Span
from trackers.requesters import Requester

BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
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
        verdict=scan.verdict,
        title=call.title if with_words else "",
        answer=scan.answer if with_words else "",
        quotes=quotes,
        url=reverse(_ADDRESS, args=[call.pk]),
    )


def _of_ask(event: UsageEvent, with_words: bool) -> Sources | None:
    row = AskRequest.objects.filter(company=event.company_id, usage_ref=event.pk).first()
    if row is None:
        return None
    cited = row.citations.select_related("conversation", "utterance").order_by("rank")
    return Sources(
        work=_recounted(row),
        question=row.question if with_words else "",
        answer=row.answer if with_words else "",
        pieces=_cited(cited, with_words),
    )


def _of_brief(event: UsageEvent, with_words: bool) -> Sources | None:
    """Return what one section of a run read, which is charged on its own."""
    mine = BriefResult.objects.filter(company=event.company_id, usage_ref=event.pk)
    result = mine.select_related("run").first()
    if result is None:
        return None
    cited = result.citations.select_related("conversation", "utterance").order_by("rank")
    work = Work(web_searches=event.web_searches)
    if result.kind == SectionKind.CONVERSATIONS:
        work = _tally(Conversation.objects.filter(pk__in=result.run.conversation_ids))
    return Sources(
        work=work,
        question=result.question if with_words else "",
        answer=" ".join(result.text) if with_words else "",
        pieces=_cited(cited, with_words),
    )


def _cited(cited: Iterable[AskCitation | BriefCitation], with_words: bool) -> tuple[Piece, ...]:
    """Return the conversations cited, each once, the best one first."""
    quotes: dict[Conversation, list[str]] = {}
    for one in cited:
        quotes.setdefault(one.conversation, []).append(one.quote)
    return tuple(
        Piece(
            conversation_id=call.pk,
            kind=call.kind,
            started_at=call.started_at,
            title=call.title if with_words else "",
            quotes=tuple(said) if with_words else (),
            url=reverse(_ADDRESS, args=[call.pk]),
        )
        for call, said in quotes.items()
    )


def _recounted(row: AskRequest) -> Work | None:
    """Tally what a question is about anew; whoever asks compares it with what was charged.

    Calls and e-mails may have come, changed or been erased since.
    """
    about = row.account_id or row.deal_id or row.contact_id
    since = row.since or BEGINNING
    if about is None or since >= row.until:
        return None
    found = entities.selection(
        entity=Entity(type=EntityType(row.entity_type), id=about, name=""),
        period=Span(Period.CUSTOM_RANGE, since, row.until),
        requester=Requester(company=row.company, action=UsageAction(row.action)),
        now=row.asked_at,
    )
    return found.work


def _tally(rows: QuerySet[Conversation]) -> Work:
    """Tally conversations as they are now, both sides of them."""
    item = rating.item_of(
        kind="kind",
        duration_seconds="duration_seconds",
        has_text=Q(company_text_count__gt=0) | Q(non_company_text_count__gt=0),
    )
    return Work.of_items(dict(Counter(rows.annotate(item=item).values_list("item", flat=True))))
