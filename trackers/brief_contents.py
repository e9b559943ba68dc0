"""What the sections of a brief say: facts, results of trackers, passages, pages of the web.

Nothing is invented: facts are counted, results were found before, passages are quoted. Only an
analyzer that writes prose of its own adds sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, F, QuerySet

from credits import shown
from credits.models import Company
from trackers import texts, verifying, web_search
from trackers.analyzers.base import Analyzer, ConversationText
from trackers.entities import Entity, Selection
from trackers.models import (
    Affiliation,
    AnswerType,
    Conversation,
    Deal,
    EntityType,
    Participant,
    Quote,
    Scan,
    ScanState,
    Tracker,
    TrackerState,
    Verdict,
)
from trackers.web_search import WebPage

PASSAGES_MAX = 5
QUOTED = (
    "Quoted, not answered: these passages resemble the question. The built-in analyser does not "
    "write answers, and does not understand negation, sarcasm or who agreed to what."
)
NAMES_MAX = 8
DEALS_MAX = 8


@dataclass(frozen=True, slots=True)
class Passage:
    """What is quoted: ``text[start:end]`` of an utterance."""

    conversation_id: UUID
    utterance_id: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Content:
    """What a section says: sentences, passages best first, pages best first."""

    text: tuple[str, ...]
    passages: tuple[Passage, ...] = ()
    pages: tuple[WebPage, ...] = ()
    analyzer: str = ""


def facts(*, company: Company, entity: Entity, selection: Selection) -> list[str]:
    """Say what is known of the conversations without understanding them, a sentence each.

    How many were read and from when, the last contact, who took part, and the deal's stage.
    """
    zone = ZoneInfo(company.time_zone)
    read = Conversation.objects.filter(pk__in=selection.ids, erased_at=None)
    said = [_counts(selection)]
    newest = read.order_by("-started_at", "-pk").first()
    if newest is not None:
        kind = newest.get_kind_display().lower()
        said.append(f"Last contact: {_day(newest.started_at, zone)}, by {kind}.")
    for affiliation, whose in (
        (Affiliation.NON_COMPANY, "Their side"),
        (Affiliation.COMPANY, "Ours"),
    ):
        if people := _people(read, affiliation):
            said.append(f"{whose}: {people}.")
    return [*said, *_deals(company, entity)]


def of_tracker(*, tracker: Tracker | None, conversations: QuerySet[Conversation]) -> Content:
    """Return what a tracker found in the conversations: free, since it was found before."""
    if tracker is None or tracker.state == TrackerState.DRAFT:
        return Content(("The tracker has not read anything: it was never published.",))
    results = Scan.objects.filter(
        version=tracker.current_version_id,
        conversation__in=conversations.values("pk"),
        state=ScanState.DONE,
    )
    by_verdict = dict(results.order_by().values_list("verdict").annotate(count=Count("pk")))
    read, found = sum(by_verdict.values()), by_verdict.get(Verdict.YES, 0)
    if not read:
        return Content((f"“{tracker}” has read none of these calls and e-mails.",))
    said = [
        (
            f"“{tracker}” was found in {found:,} of the {read:,} calls and e-mails that it read; "
            f"unsure in {by_verdict.get(Verdict.UNSURE, 0):,}."
        )
    ]
    if tracker.version_in_force.answer_type == AnswerType.CATEGORY:
        answers = Counter(results.filter(verdict=Verdict.YES).values_list("answer", flat=True))
        said += [f"{answer}: {count:,}." for answer, count in answers.most_common()]
    return Content(tuple(said), _best_quotes(results))


def of_web(*, question: str, entity: Entity) -> Content:
    """Return the pages that a web search finds about the entity.

    :raises WebSearchFailed: it could not be asked.
    """
    provider = web_search.in_use()
    name = entity.name.split(" <")[0]  # A contact's address is nobody else's business.
    pages = provider.search(f"{name} {question}", limit=web_search.PAGES_MAX)
    found = shown.counted(len(pages), "page") if pages else "No page was"
    return Content((f"{found} found by a web search.",), pages=tuple(pages), analyzer=provider.name)


def _counts(selection: Selection) -> str:
    calls = shown.counted(len(selection.calls), "call")
    emails = shown.counted(len(selection.emails), "e-mail")
    return f"Read: {calls} and {emails}."


def _people(read: QuerySet[Conversation], affiliation: Affiliation) -> str:
    """Name those of one side who took part most often."""
    rows = (
        Participant.objects.filter(conversation__in=read.values("pk"), affiliation=affiliation)
        .exclude(name="", email="")
        .order_by()
        .values("name", "email")
        .annotate(count=Count("pk"))
        .order_by("-count", "name", "email")
    )
    names = [row["name"] or row["email"] for row in rows[: NAMES_MAX + 1]]
    rest = rows.count() - NAMES_MAX
    named = ", ".join(names[:NAMES_MAX])
    return f"{named} and {rest:,} more" if rest > 0 else named


def _deals(company: Company, entity: Entity) -> list[str]:
    deals = Deal.objects.filter(company=company)
    match entity.type:
        case EntityType.DEAL:
            deal = deals.get(pk=entity.id)
            return [f"Deal stage: {deal.stage}."] if deal.stage else []
        case EntityType.ACCOUNT:
            rows = deals.filter(account=entity.id).order_by(
                F("stage_as_of").desc(nulls_last=True), "name"
            )[:DEALS_MAX]
            said = ", ".join(f"{one.name} ({one.stage or 'no stage'})" for one in rows)
            return [f"Deals: {said}."] if said else []
    return []


def _best_quotes(results: QuerySet[Scan]) -> tuple[Passage, ...]:
    """Return the best quote of each of the surest results, the newest of equals first."""
    best = (
        Quote.objects.filter(scan__in=results.filter(verdict=Verdict.YES), rank=1)
        .order_by("-scan__score", "-scan__conversation_started_at", "pk")
        .select_related("scan")[:PASSAGES_MAX]
    )
    return tuple(
        Passage(one.scan.conversation_id, one.utterance_id, one.start, one.end) for one in best
    )


def _day(instant: datetime, zone: ZoneInfo) -> str:
    at = instant.astimezone(zone)
    return f"{at.day} {at:%b %Y}"


def reader(
    selection: Selection, analyzer: Analyzer, narrowing: str = ""
) -> Callable[[str], Content]:
    """Return what answers an open-ended question from the selected calls and e-mails.

    Their texts are loaded with the first question, outside any transaction. ``narrowing`` is why
    not all of the company's are among them.
    """
    loaded: dict[UUID, ConversationText] = {}

    def read(question: str) -> Content:
        if not selection.ids:
            nothing = "No calls or e-mails of this period to read."
            return Content((nothing, narrowing) if narrowing else (nothing,))
        if not loaded:
            loaded.update(texts.whole({pk: selection.revisions[pk] for pk in selection.ids}))
        given = list(loaded.values())
        answer = verifying.answer(analyzer.ask(question, given), conversations=given)
        ids = {text.id: pk for pk, text in loaded.items()}
        # What an analyzer writes itself refers to each of its quotes by number.
        cited = answer.citations if analyzer.generative else answer.citations[:PASSAGES_MAX]
        passages = tuple(
            Passage(
                ids[one.conversation_id],
                int(one.evidence.utterance_id),
                one.evidence.start,
                one.evidence.end,
            )
            for one in cited
        )
        # An analyzer that writes nothing of its own repeats its quotes in its text.
        is_quoting = bool(passages) and not analyzer.generative
        said = (QUOTED,) if is_quoting else tuple(filter(None, answer.text.splitlines()))
        name = f"{analyzer.name} {analyzer.version}"[:100]
        return Content(said, passages, analyzer=name)

    return read
