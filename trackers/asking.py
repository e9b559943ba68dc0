"""Ask anything about an account, deal, contact or lead; the answer cites calls and e-mails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from credits import audit, balances, charging, rating
from credits.amounts import ZERO
from credits.audit import Action
from credits.idempotency import AnswerExpired, Claim
from credits.identifiers import new_id
from credits.ledger import Key
from credits.models import FeatureType, UsageAction
from trackers import charged_requests, entities, language_model, locks, reuse, texts
from trackers.analyzers.base import Analyzer, Answer
from trackers.charged_requests import Charge, RequestEstimate
from trackers.entities import Entity, Selection
from trackers.models import (
    QUESTION_LENGTH_MAX,
    AskCitation,
    AskRequest,
    Conversation,
    EntityType,
    LlmPurpose,
    Utterance,
)
from trackers.periods import Span
from trackers.requesters import Feature, Requester

OPERATION = "ask"
ATTEMPTS_MAX = 3


class EmptyQuestion(ValueError):
    """Write the question to ask."""


class LongQuestion(ValueError):
    """A question has at most 2,000 characters; ask a shorter one."""


class TextErased(Exception):
    """A conversation that this answer cites was erased just now; ask again."""


def estimate(
    *, requester: Requester, entity: Entity, period: Span, now: datetime, question: str = ""
) -> RequestEstimate:
    """Price an ask without doing or holding anything; free, and what ``ask`` charges now.

    With the question, an answer that would be given again counts.
    """
    selection = entities.selection(entity=entity, period=period, requester=requester, now=now)
    found = charged_requests.estimate(
        requester=requester, feature=feature_of(entity.type), work=selection.work, now=now
    )
    analyzer = language_model.analyzer_of(requester.company.pk)
    first = None
    if question:
        first = _reusable(requester, question, entity, period, selection, analyzer)
    if first is None:
        return found
    return replace(
        found,
        credits=ZERO,
        available_after=found.available_before,
        is_enough=True,
        reused_at=first.asked_at,
    )


def ask(
    *,
    requester: Requester,
    question: str,
    entity: Entity,
    period: Span,
    now: datetime,
    key: Key | None = None,
    max_credits: Decimal | None = None,
) -> AskRequest:
    """Answer a question from the entity's calls and e-mails of a period, and charge for it.

    At most 60 calls and 500 e-mails, newest first. With a key the same request again returns the
    first answer (``is_replay``) and charges nothing. The row says what is left in ``remaining``.

    :raises EmptyQuestion: nothing was done.
    :raises LongQuestion: nothing was done.
    :raises AboveMaximum: nothing was done.
    :raises InsufficientCredits: nothing was done.
    :raises InFlight: another request with the key is under way.
    :raises IdempotencyConflict: the key was used with another body.
    :raises AnswerExpired: the key was used, and its answer is erased.
    :raises TextErased: nothing was charged.
    :raises AnalyzerFailed: nothing was charged.
    :raises CompanyClosed: nothing is asked in a closed company.
    """
    question = question.strip()
    if not question:
        raise EmptyQuestion(EmptyQuestion.__doc__)
    if len(question) > QUESTION_LENGTH_MAX:
        raise LongQuestion(LongQuestion.__doc__)
    with charged_requests.claimed(requester=requester, operation=OPERATION, key=key) as claim:
        if claim is not None and claim.result_ref is not None:
            return _replayed(requester, claim.result_ref)
        analyzer = language_model.analyzer_of(requester.company.pk, purpose=LlmPurpose.ASK)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            selection = entities.selection(
                entity=entity, period=period, requester=requester, now=now
            )
            row = _row(requester, question, entity, period, selection, now, analyzer)
            first = _reusable(requester, question, entity, period, selection, analyzer)
            try:
                if first is not None:
                    return _reuse(row, first, requester, selection, claim)
                return _answer(row, requester, selection, claim, max_credits, analyzer)
            except TextErased:
                # What was erased is no longer selected: what is left is asked again.
                if attempt == ATTEMPTS_MAX:
                    raise
    raise AssertionError("The last attempt returns or raises.")


def feature_of(entity_type: EntityType) -> Feature:
    """Return what usage rows call an ask: what it was about, and never about whom."""
    return Feature(FeatureType.ASK, f"Ask about {_ARTICLES[entity_type]}")


_ARTICLES = {
    EntityType.ACCOUNT: "an account",
    EntityType.DEAL: "a deal",
    EntityType.CONTACT: "a contact",
    EntityType.LEAD: "a lead",
}


def _row(
    requester: Requester,
    question: str,
    entity: Entity,
    period: Span,
    selection: Selection,
    now: datetime,
    analyzer: Analyzer,
) -> AskRequest:
    """Return a row that is not written yet, with all that is known before the answer."""
    is_person = entity.type in (EntityType.CONTACT, EntityType.LEAD)
    return AskRequest(
        company=requester.company,
        entity_type=entity.type,
        account_id=entity.id if entity.type == EntityType.ACCOUNT else None,
        deal_id=entity.id if entity.type == EntityType.DEAL else None,
        contact_id=entity.id if is_person else None,
        period=period.name.value,
        since=selection.since,
        until=selection.until,
        question=question,
        calls=len(selection.calls),
        emails=len(selection.emails),
        action=requester.action,
        reuse_digest=reuse.digest(
            requester=requester,
            question=question,
            entity=entity,
            period=period,
            selection=selection,
            analyzer=_named(analyzer),
        ),
        analyzer=_named(analyzer),
        asked_at=now,
        asked_by=requester.user,
    )


def _answer(
    row: AskRequest,
    requester: Requester,
    selection: Selection,
    claim: Claim | None,
    max_credits: Decimal | None,
    analyzer: Analyzer,
) -> AskRequest:
    def write(answer: Answer, charge: Charge) -> AskRequest:
        row.answer, row.is_found = answer.text, bool(answer.citations)
        row.credits, row.usage_ref = charge.credits, charge.usage_id
        row.save(force_insert=True)
        _cite(row, answer)
        if requester.is_free and requester.user is not None:
            audit.record(
                action=Action.STARTED,
                by=requester.user,
                company=row.company_id,
                subject=audit.named(row, f"about {_ARTICLES[EntityType(row.entity_type)]}"),
                after={"calls": row.calls, "e-mails": row.emails},
            )
        if claim is not None:
            claim.remember(row.pk, now=row.asked_at)
        return row

    performed = charged_requests.perform(
        requester=requester,
        feature=feature_of(EntityType(row.entity_type)),
        work=replace(selection.work, request_count=None if requester.is_free else 1),
        now=row.asked_at,
        analyze=lambda: _analyzed(row.question, selection, analyzer),
        write=write,
        max_credits=max_credits,
    )
    return _told(performed.row, performed.remaining)


def _analyzed(question: str, selection: Selection, analyzer: Analyzer) -> Answer:
    order = {pk: selection.revisions[pk] for pk in selection.ids}
    return analyzer.ask(question, list(texts.whole(order).values()))


def _cite(row: AskRequest, answer: Answer) -> None:
    """Write what the answer cites; what is erased meanwhile is waited for, or waits for us.

    :raises TextErased: something cited is gone.
    """
    cited = [citation.evidence.utterance_id for citation in answer.citations]
    spans = [(one.utterance_ids[0], one.utterance_ids[-1]) for one in answer.citations]
    wanted = {int(one) for one in (*cited, *(end for span in spans for end in span))}
    conversations = Utterance.objects.filter(pk__in=wanted).values("conversation")
    locks.share(
        Conversation,
        Conversation.objects.filter(pk__in=conversations, company=row.company_id).values_list(
            "pk", flat=True
        ),
    )
    said = {
        str(one.pk): one
        for one in Utterance.objects.filter(pk__in=wanted, company=row.company_id).only(
            "pk", "conversation_id", "position"
        )
    }
    if len(said) < len(wanted):
        raise TextErased(TextErased.__doc__)
    AskCitation.objects.bulk_create(
        AskCitation(
            company_id=row.company_id,
            ask=row,
            rank=rank,
            conversation_id=said[citation.evidence.utterance_id].conversation_id,
            utterance_id=int(citation.evidence.utterance_id),
            start=citation.evidence.start,
            end=citation.evidence.end,
            first_position=said[first].position,
            last_position=said[last].position,
        )
        for rank, (citation, (first, last)) in enumerate(
            zip(answer.citations, spans, strict=True), start=1
        )
    )


def _reusable(
    requester: Requester,
    question: str,
    entity: Entity,
    period: Span,
    selection: Selection,
    analyzer: Analyzer,
) -> AskRequest | None:
    if requester.is_free or not reuse.is_on(requester.company):
        return None
    return reuse.first(
        company=requester.company,
        digest=reuse.digest(
            requester=requester,
            question=question,
            entity=entity,
            period=period,
            selection=selection,
            analyzer=_named(analyzer),
        ),
    )


def _reuse(
    row: AskRequest,
    first: AskRequest,
    requester: Requester,
    selection: Selection,
    claim: Claim | None,
) -> AskRequest:
    """Give an earlier answer again: a use of 0 that says what it saved."""
    usage_id = new_id()
    rates = rating.rates_at(row.asked_at)
    with transaction.atomic():
        locks.keep_open(requester.company.pk)
        # Whoever erases the first answer waits for this one, and finds it.
        first = AskRequest.objects.select_for_update(no_key=True).get(pk=first.pk)
        if first.erased_at is not None:
            raise TextErased(TextErased.__doc__)
        row.answer, row.is_found, row.analyzer = first.answer, first.is_found, first.analyzer
        row.credits, row.saved = ZERO, rating.price(selection.work, rates)
        row.action, row.reused_from, row.usage_ref = UsageAction.REUSED, first, usage_id
        row.save(force_insert=True)
        reuse.copy_citations(first, row)
        if claim is not None:
            claim.remember(row.pk, now=row.asked_at)
        event = charging.charge(
            company=requester.company,
            use=requester.use(feature_of(EntityType(row.entity_type)), action=UsageAction.REUSED),
            work=replace(selection.work, request_count=1),
            rates=rates,
            by=requester.user,
            is_free=True,
            usage_id=usage_id,
        )
    return _told(row, event.certain_available)


def _told(row: AskRequest, remaining: Decimal) -> AskRequest:
    """Keep what the caller is told is left, so that a retry is told the same."""
    AskRequest.objects.filter(pk=row.pk).update(remaining=remaining)
    row.remaining = remaining
    return row


def _replayed(requester: Requester, pk: UUID) -> AskRequest:
    row = AskRequest.objects.get(company=requester.company, pk=pk)
    if row.erased_at is not None:
        raise AnswerExpired(row.pk)
    row.is_replay = True
    if row.remaining is None:  # Its process died between charging and telling.
        row.remaining = balances.now(company=requester.company).available
    return row


def _named(analyzer: Analyzer) -> str:
    return f"{analyzer.name} {analyzer.version}"[:100]
