"""What each tool does: one operation, which the API and the pages call too."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from credits import amounts, balances, limits
from credits.api.fields import instant_text
from credits.ledger import Key
from credits.limits import Standing
from trackers import asking, entities, running_briefs
from trackers.charged_requests import RequestEstimate
from trackers.entities import Entity
from trackers.mcp import results
from trackers.mcp.arguments import (
    AskAccount,
    AskDeal,
    Charged,
    EstimateCost,
    GenerateBrief,
    Nothing,
)
from trackers.models import AskCitation, Brief, BriefCitation, BriefResult, EntityType
from trackers.requesters import Requester


class UnknownBrief(Exception):
    """There is no such published brief in your company."""


def ask_account(requester: Requester, given: AskAccount, now: datetime) -> results.Answer:
    return _ask(requester, EntityType.ACCOUNT, given.account, given, now)


def ask_deal(requester: Requester, given: AskDeal, now: datetime) -> results.Answer:
    return _ask(requester, EntityType.DEAL, given.deal, given, now)


def get_credit_balance(requester: Requester, given: Nothing, now: datetime) -> results.Balance:
    balance = balances.now(company=requester.company)
    return results.Balance(
        as_of=instant_text(balance.instant),
        remaining=amounts.text(balance.remaining),
        reserved=amounts.text(balance.reserved),
        available=amounts.text(balance.available),
    )


def estimate_cost(requester: Requester, given: EstimateCost, now: datetime) -> results.Estimate:
    entity = entities.find(
        company=requester.company, entity_type=given.entity_type, id=given.entity
    )
    if given.brief is not None:
        return _estimated(
            requester,
            running_briefs.estimate(
                requester=requester,
                brief=_published(requester, given.brief),
                entity=entity,
                period=given.span(),
                now=now,
            ),
        )
    return _estimated(
        requester,
        asking.estimate(
            requester=requester,
            entity=entity,
            period=given.span(),
            now=now,
            question=given.question or "",
        ),
    )


def generate_brief(
    requester: Requester, given: GenerateBrief, now: datetime
) -> results.BriefAnswer:
    brief = _published(requester, given.brief)
    entity = entities.find(
        company=requester.company, entity_type=EntityType(brief.entity_type), id=given.entity
    )
    run = running_briefs.run(
        requester=requester,
        brief=brief,
        entity=entity,
        period=given.span(),
        now=now,
        key=_key(requester, entity, given, brief=str(brief.pk)),
        max_credits=given.max_credits,
    )
    parts = list(
        run.results.order_by("position").prefetch_related("citations__conversation", "pages")
    )
    return results.BriefAnswer(
        brief=brief.name,
        about=entity.name,
        sections=[_section(part) for part in parts],
        cached=False,
        credits=results.Credits(
            used=amounts.text(run.credits),
            remaining=amounts.text(_left(requester, run.remaining)),
            saved=amounts.text(amounts.ZERO),
            breakdown=results.Breakdown(
                calls=sum(part.calls for part in parts),
                emails=sum(part.emails for part in parts),
                web_searches=sum(part.web_searches for part in parts),
            ),
        ),
    )


def _section(part: BriefResult) -> results.Section:
    return results.Section(
        title=part.title,
        state=part.state,
        text=list(part.text),
        reason=part.reason,
        citations=[
            _citation(one) for one in sorted(part.citations.all(), key=lambda one: one.rank)
        ],
        pages=[one.url for one in part.pages.all()],
        credits=amounts.text(part.credits),
    )


def _published(requester: Requester, named: str) -> Brief:
    """Return the brief of our id or of its name, which is unique in a company.

    :raises UnknownBrief: there is none that is published.
    """
    rows = Brief.objects.filter(company=requester.company, is_published=True)
    try:
        found = rows.filter(pk=UUID(named)).first()
    except ValueError:
        found = rows.filter(name=named).first() or rows.filter(name__iexact=named).first()
    if found is None:
        raise UnknownBrief(UnknownBrief.__doc__)
    return found


def _ask(
    requester: Requester,
    entity_type: EntityType,
    id: str,
    given: AskAccount | AskDeal,
    now: datetime,
) -> results.Answer:
    entity = entities.find(company=requester.company, entity_type=entity_type, id=id)
    asked = asking.ask(
        requester=requester,
        question=given.question,
        entity=entity,
        period=given.span(),
        now=now,
        key=_key(requester, entity, given, question=given.question),
        max_credits=given.max_credits,
    )
    cited = asked.citations.select_related("conversation", "utterance").order_by("rank")
    return results.Answer(
        answer=asked.answer,
        is_found=asked.is_found,
        citations=[_citation(one) for one in cited],
        cached=asked.reused_from_id is not None,
        credits=results.Credits(
            used=amounts.text(asked.credits),
            remaining=amounts.text(_left(requester, asked.remaining)),
            saved=amounts.text(asked.saved),
            breakdown=results.Breakdown(calls=asked.calls, emails=asked.emails, web_searches=0),
        ),
    )


def _citation(cited: AskCitation | BriefCitation) -> results.Citation:
    return results.Citation(
        conversation=str(cited.conversation_id),
        kind=cited.conversation.kind,
        title=cited.conversation.title,
        started_at=instant_text(cited.conversation.started_at),
        quote=cited.quote,
    )


def _limit(standing: Standing) -> results.Limit:
    return results.Limit(
        limit_source=limits.source_of(standing.limit),
        name=standing.limit.name,
        left=amounts.text(standing.left),
        window_ends_at=instant_text(standing.ends_at),
    )


def _estimated(requester: Requester, estimate: RequestEstimate) -> results.Estimate:
    reads_nothing = not (estimate.calls or estimate.emails)
    return results.Estimate(
        credits=amounts.text(estimate.credits),
        # Known from counts alone before anything is read: there is nothing to guess between.
        low=amounts.text(estimate.credits),
        high=amounts.text(estimate.credits),
        calls=estimate.calls,
        emails=estimate.emails,
        web_searches=estimate.web_searches,
        available_before=amounts.text(estimate.available_before),
        available_after=amounts.text(estimate.available_after),
        enough=estimate.is_enough,
        reused_at=None if estimate.reused_at is None else instant_text(estimate.reused_at),
        limit=None if estimate.limit is None else _limit(estimate.limit),
        note=(requester.narrowing or None) if reads_nothing else None,
    )


def _key(requester: Requester, entity: Entity, given: Charged, **more: Any) -> Key | None:
    """Return what makes a repeated call known: the client's key, and what the call asks.

    Who may read what is part of it: of two clients of a company, the one that reads less is not
    given the other's answer for its key.
    """
    if given.idempotency_key is None:
        return None
    body = {
        "entity": str(entity.id),
        "period": given.period.value,
        "since": given.since and instant_text(given.since),
        "until": given.until and instant_text(given.until),
        "context": requester.context,
    }
    return Key.of(given.idempotency_key, body=body | more)


def _left(requester: Requester, known: Decimal | None) -> Decimal:
    """Return what can be spent now, where the operation has not said."""
    return balances.now(company=requester.company).available if known is None else known
