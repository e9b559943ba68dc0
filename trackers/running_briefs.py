"""Run a brief: its whole price is held before any work, and each section is charged on its own.

One reservation a section, all made in one transaction: either every section's price is held or
none is, whatever others hold at the same time. Several are needed because a reservation is
captured once, and each section is its own capture: what one used is on record when the next one
fails. A section that fails releases its hold and costs 0. So never more is charged than was
estimated. Where a process died, the next request with its key finds what was done and paid, and
gives the rest up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from credits import audit, balances, charging, rating, zones
from credits.amounts import ZERO
from credits.audit import Action
from credits.idempotency import Claim
from credits.identifiers import new_id
from credits.ledger import InsufficientCredits, Key
from credits.limits import LimitReached
from credits.models import UsageAction
from credits.rating import Work
from trackers import (
    brief_contents,
    briefs,
    charged_requests,
    entities,
    locks,
    section_work,
    web_search,
)
from trackers.brief_plans import Part, Plan
from trackers.charged_requests import RequestEstimate
from trackers.entities import Entity, Selection
from trackers.models import (
    PEOPLE,
    Brief,
    BriefResult,
    BriefRun,
    BriefSection,
    Conversation,
    EntityType,
    ResultState,
    SectionKind,
)
from trackers.periods import Period, Span
from trackers.requesters import Requester

OPERATION = "brief"
BY_HAND_DAY_MAX = 20  # Runs of one person in a local day.
NO_PROVIDER = (
    "No web search is set up on this site, so nothing was searched and nothing was charged."
)


class BriefRefused(Exception):
    """A run that was not made; the message says why and what to do."""


class DayFull(BriefRefused):
    """You have run 20 briefs here today, which is all a day allows. Run more tomorrow."""


def estimate(
    *, requester: Requester, brief: Brief, entity: Entity, period: Span, now: datetime
) -> RequestEstimate:
    """Price a run without doing or holding anything: free, and the most that ``run`` charges.

    Calls and e-mails are counted once for each section that reads them, as they are charged.

    :raises BriefRefused: it could not be run like this.
    """
    plan = plan_of(requester=requester, brief=brief, entity=entity, period=period, now=now)
    return charged_requests.estimate_of(
        requester=requester,
        feature=section_work.feature_of(brief),
        work=plan.work,
        cost=plan.credits,
    )


def plan_of(
    *, requester: Requester, brief: Brief, entity: Entity, period: Span, now: datetime
) -> Plan:
    """Work out what a run would do and cost now, from counts alone.

    :raises BriefRefused: it cannot be run like this.
    """
    sections = briefs.sections_of(brief)
    _refuse(requester, brief, sections, entity)
    selection = entities.selection(entity=entity, period=period, requester=requester, now=now)
    rates = rating.rates_at(now)
    parts = []
    for section in sections:
        work = _work_of(section, selection)
        price = ZERO if requester.is_free else rating.price(work, rates)
        parts.append(Part(section, work, price))
    return Plan(selection, tuple(parts), rates)


def run(
    *,
    requester: Requester,
    brief: Brief,
    entity: Entity,
    period: Span,
    now: datetime,
    key: Key | None = None,
    max_credits: Decimal | None = None,
) -> BriefRun:
    """Put a brief together about an entity, and charge for each section that is done.

    With a key the same request again returns the first run (``is_replay``) and charges nothing.
    The row says what is left in ``remaining``.

    :raises BriefRefused: nothing was done.
    :raises AboveMaximum: nothing was done.
    :raises InsufficientCredits: nothing was done.
    :raises InFlight: another request with the key is under way.
    :raises IdempotencyConflict: the key was used with another body.
    :raises CompanyClosed: nothing is run in a closed company.
    """
    with charged_requests.claimed(requester=requester, operation=OPERATION, key=key) as claim:
        if claim is not None and claim.result_ref is not None:
            row = BriefRun.objects.get(company=requester.company, pk=claim.result_ref)
            row.is_replay = True
            if not row.is_finished:
                # Nobody works on it: the key would be in use. The process that did has died.
                section_work.give_up(row)
        else:
            plan = plan_of(requester=requester, brief=brief, entity=entity, period=period, now=now)
            charged_requests.refuse_above(plan.credits, max_credits)
            row = _begin(requester, brief, entity, period.name, plan, claim, now)
            section_work.do(row, requester=requester, plan=plan, entity=entity)
        if row.remaining is None:
            # Kept, so that a retry is told the same.
            row.remaining = balances.now(company=requester.company).available
            row.save(update_fields=["remaining"])
    return row


def left_today(*, requester: Requester, now: datetime) -> int:
    """Return how many runs by hand a person has left of the local day."""
    zone = ZoneInfo(requester.company.time_zone)
    today = now.astimezone(zone).date()
    first, end = zones.days(today, today, zone)
    made = BriefRun.objects.filter(
        started_by=requester.user,
        action=UsageAction.MANUAL,
        started_at__gte=first,
        started_at__lt=end,
    ).count()
    return max(BY_HAND_DAY_MAX - made, 0)


def _refuse(
    requester: Requester, brief: Brief, sections: Sequence[BriefSection], entity: Entity
) -> None:
    if not (requester.is_free or brief.is_published):
        raise BriefRefused("This brief is not published; an admin of your company can publish it.")
    if brief.entity_type != entity.type:
        about = EntityType(brief.entity_type).label.lower()
        raise BriefRefused(f"“{brief}” is about one {about}; name one of that type.")
    if not sections:
        raise BriefRefused("This brief has no sections; add one first.")


def _work_of(section: BriefSection, selection: Selection) -> Work:
    match section.kind:
        case SectionKind.CONVERSATIONS:
            return selection.work
        case SectionKind.WEB if web_search.is_configured():
            return Work(web_searches=1)
    return Work()


def _begin(
    requester: Requester,
    brief: Brief,
    entity: Entity,
    period: Period,
    plan: Plan,
    claim: Claim | None,
    now: datetime,
) -> BriefRun:
    """Write the run down with its sections, and hold the price of each: all or nothing."""
    company, selection = requester.company, plan.selection
    by_hand = requester.user if requester.action == UsageAction.MANUAL else None
    with transaction.atomic():
        locks.keep_open(company.pk)
        if by_hand is not None:
            locks.queue_for(f"briefs of person {by_hand.pk}")
            if not left_today(requester=requester, now=now):
                raise DayFull(DayFull.__doc__)
        # Whoever erases one of them waits, and then finds the run.
        locks.share(Conversation, selection.ids)
        row = BriefRun.objects.create(
            company=company,
            brief=brief,
            entity_type=entity.type,
            **{_key_of(entity): entity.id},
            period=period,
            since=selection.since,
            until=selection.until,
            action=requester.action,
            conversation_ids=list(selection.ids),
            calls=len(selection.calls),
            emails=len(selection.emails),
            facts=brief_contents.facts(company=company, entity=entity, selection=selection),
            estimate=plan.credits,
            started_at=now,
            started_by=requester.user,
        )
        held = [(part, new_id()) for part in plan.parts]
        BriefResult.objects.bulk_create(
            _result(row, place, part, reservation_id)
            for place, (part, reservation_id) in enumerate(held, start=1)
        )
        if claim is not None:
            claim.remember(row.pk, now=now)
        if by_hand is not None:
            audit.record(
                action=Action.STARTED,
                by=by_hand,
                company=company,
                subject=audit.named(row, f"of {brief.name}"),
                after={"calls": row.calls, "emails": row.emails},
            )
        _hold(requester, brief, plan, held)
    return row


def _hold(
    requester: Requester, brief: Brief, plan: Plan, held: Sequence[tuple[Part, UUID]]
) -> None:
    """Hold each section's price, as the last statements of the caller's transaction.

    The first of them locks the pool until the commit, so that nobody takes in between what a
    later one needs.

    :raises InsufficientCredits: of the whole price; the transaction takes back what was held.
    :raises LimitReached: likewise, with what the limit left before.
    """
    so_far = ZERO
    for part, reservation_id in held:
        if part.price == ZERO:
            continue
        try:
            charging.reserve(
                company=requester.company,
                amount=part.price,
                use=requester.use(section_work.feature_of(brief)),
                rates=plan.rates,
                by=requester.user,
                reservation_id=reservation_id,
            )
        except LimitReached as error:
            # Every section of a run counts in the same limits.
            raise LimitReached(
                required=plan.credits,
                available=error.available + so_far,
                limit=error.limit,
                until=error.until,
            ) from error
        except InsufficientCredits as error:
            raise InsufficientCredits(
                required=plan.credits, available=error.available + so_far
            ) from error
        so_far += part.price


def _key_of(entity: Entity) -> str:
    if entity.type in PEOPLE:
        return "contact_id"
    return "deal_id" if entity.type == EntityType.DEAL else "account_id"


def _result(run: BriefRun, place: int, part: Part, reservation_id: UUID) -> BriefResult:
    section = part.section
    is_missing = section.kind == SectionKind.WEB and not web_search.is_configured()
    asked = section.tracker.name if section.tracker is not None else section.question
    return BriefResult(
        company_id=run.company_id,
        run=run,
        position=place,
        section_ref=section.pk,
        kind=section.kind,
        title=section.title,
        question=asked,
        tracker_ref=section.tracker_id,
        state=ResultState.SKIPPED if is_missing else ResultState.PENDING,
        reason=NO_PROVIDER if is_missing else "",
        estimate=part.price,
        reservation_ref=reservation_id if part.price else None,
    )
