"""Do the sections of a run one after the other, each written and charged in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from credits import charging
from credits.amounts import ZERO
from credits.charging import AlreadyCaptured, AlreadyReleased, ReservationLapsed
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.models import FeatureType, Reservation, UsageAction
from credits.rating import Rates, Work
from trackers import brief_contents, language_model, locks
from trackers.analyzers.base import AnalyzerFailed
from trackers.brief_contents import Content
from trackers.brief_plans import Part, Plan
from trackers.entities import Entity
from trackers.models import (
    Brief,
    BriefCitation,
    BriefPage,
    BriefResult,
    BriefRun,
    Conversation,
    LlmPurpose,
    ResultState,
    SectionKind,
)
from trackers.requesters import Feature, Requester
from trackers.web_search import WebSearchFailed

logger = logging.getLogger(__name__)

REASON_LENGTH_MAX = 300
UNREADABLE = "The analyser could not answer this. Nothing was charged for it; run the brief again."
LATE = "It took too long: its credits were not held any more. Nothing was charged for it."
ERASED = "Something it reads was erased meanwhile. Nothing was charged for it; run the brief again."
CLOSED = "The company was closed meanwhile. Nothing was charged for it."
INTERRUPTED = "The run was interrupted before this was done. Nothing was charged for it."


class Erased(Exception):
    """Something that a section reads was erased while it was read."""


def feature_of(brief: Brief) -> Feature:
    """Return a brief as usage rows name it."""
    return Feature(FeatureType.BRIEF, brief.name, brief.pk)


def do(run: BriefRun, *, requester: Requester, plan: Plan, entity: Entity) -> None:
    """Do each section; one that fails says why, costs 0, and does not keep the next from it.

    Whatever ends the run before its end gives back what is still held.
    """
    try:
        analyzer = language_model.analyzer_of(
            run.company_id, purpose=LlmPurpose.BRIEF, run_ref=run.pk
        )
        reading = brief_contents.reader(plan.selection, analyzer, requester.narrowing)
        results = {one.position: one for one in run.results.all()}
        for place, part in enumerate(plan.parts, start=1):
            if results[place].state == ResultState.PENDING:
                _do(results[place], part, run, requester, plan, entity, reading)
        _close(run, requester=requester, rates=plan.rates)
    except BaseException:
        _release(run)
        raise


def give_up(run: BriefRun) -> None:
    """End a run whose process has died: what was done stays, the rest is not charged."""
    _release(run)
    for result in run.results.filter(state=ResultState.PENDING):
        _fail(result, INTERRUPTED)
    _finish(run)


def _do(
    result: BriefResult,
    part: Part,
    run: BriefRun,
    requester: Requester,
    plan: Plan,
    entity: Entity,
    reading: Callable[[str], Content],
) -> None:
    """Find out what a section says with no transaction open, then write and charge it."""
    section = part.section
    try:
        match section.kind:
            case SectionKind.TRACKER:
                content = brief_contents.of_tracker(
                    tracker=section.tracker,
                    conversations=Conversation.objects.filter(pk__in=plan.selection.ids),
                )
            case SectionKind.WEB:
                content = brief_contents.of_web(question=section.question, entity=entity)
            case _:
                content = reading(section.question)
    except (WebSearchFailed, AnalyzerFailed) as error:
        _fail(result, f"{error} Nothing was charged for it.")
        return
    except Exception:
        # The boundary to the analyzer and to whoever searches: one section that cannot be done
        # must not take the others with it.
        logger.exception("Brief run %s could not do section %s", run.pk, result.position)
        _fail(result, UNREADABLE)
        return
    try:
        _write(result, part, run, requester, plan, content)
    except (ReservationLapsed, AlreadyReleased, AlreadyCaptured):
        _fail(result, LATE)
    except Erased:
        _fail(result, ERASED)
    except CompanyClosed:
        _fail(result, CLOSED)


def _write(
    result: BriefResult,
    part: Part,
    run: BriefRun,
    requester: Requester,
    plan: Plan,
    content: Content,
) -> None:
    """Write what a section says and charge it, both or neither; the ledger comes last."""
    is_metered = result.kind != SectionKind.TRACKER
    usage_id = new_id()
    with transaction.atomic():
        locks.keep_open(run.company_id)
        # Before the section: whoever erases holds the conversation, and then wants the section.
        locks.share(Conversation, run.conversation_ids)
        erased = Conversation.objects.filter(pk__in=run.conversation_ids, erased_at__isnull=False)
        if result.kind != SectionKind.WEB and erased.exists():
            raise Erased(Erased.__doc__)
        _fill(result, content)
        if is_metered:
            result.credits, result.usage_ref = part.price, usage_id
            result.calls, result.emails = part.work.calls, part.work.emails
            result.web_searches = part.work.web_searches
        result.save()
        if is_metered:
            _charge(result, run, requester, part.work, plan.rates)


def _fill(result: BriefResult, content: Content) -> None:
    result.state, result.text, result.analyzer = (
        ResultState.DONE,
        list(content.text),
        content.analyzer,
    )
    BriefCitation.objects.bulk_create(
        BriefCitation(
            company_id=result.company_id,
            result=result,
            rank=rank,
            conversation_id=one.conversation_id,
            utterance_id=one.utterance_id,
            start=one.start,
            end=one.end,
        )
        for rank, one in enumerate(content.passages, start=1)
    )
    BriefPage.objects.bulk_create(
        BriefPage(
            company_id=result.company_id,
            result=result,
            rank=rank,
            title=page.title,
            url=page.url,
            excerpt=page.excerpt,
        )
        for rank, page in enumerate(content.pages, start=1)
    )


def _charge(
    result: BriefResult, run: BriefRun, requester: Requester, work: Work, rates: Rates
) -> None:
    """Capture what was held for a section; what costs nothing is metered as a use of 0."""
    work = _of_a_request(work, requester, is_counted=_is_counted(run, result))
    if result.reservation_ref is not None:
        reservation = Reservation.objects.get(company=run.company_id, pk=result.reservation_ref)
        charging.capture(reservation=reservation, work=work, rates=rates, usage_id=result.usage_ref)
        return
    charging.charge(
        company=requester.company,
        use=requester.use(feature_of(run.brief)),
        work=work,
        rates=rates,
        by=requester.user,
        is_free=requester.is_free,
        usage_id=result.usage_ref,
    )


def _is_counted(run: BriefRun, result: BriefResult) -> bool:
    """Tell whether a section before this one counts the request already: a run is one."""
    return run.results.exclude(pk=result.pk).filter(usage_ref__isnull=False).exists()


def _of_a_request(work: Work, requester: Requester, *, is_counted: bool) -> Work:
    """Count the request where a program made one, once."""
    is_by_hand = requester.action == UsageAction.MANUAL
    return replace(work, request_count=None if is_by_hand or is_counted else 1)


def _fail(result: BriefResult, reason: str) -> None:
    """Say why a section is missing, and give back what was held for it."""
    BriefResult.objects.filter(pk=result.pk, state=ResultState.PENDING).update(
        state=ResultState.FAILED, reason=reason[:REASON_LENGTH_MAX]
    )
    _release_one(result)


def _close(run: BriefRun, *, requester: Requester, rates: Rates) -> None:
    """End the run; where no section was metered by itself, meter the run as a use of 0."""
    if not run.results.filter(usage_ref__isnull=False).exists():
        run.usage_ref = new_id()
        with suppress(CompanyClosed), transaction.atomic():
            locks.keep_open(run.company_id)
            BriefRun.objects.filter(pk=run.pk).update(usage_ref=run.usage_ref)
            charging.charge(
                company=requester.company,
                use=requester.use(feature_of(run.brief)),
                work=_of_a_request(Work(), requester, is_counted=False),
                rates=rates,
                by=requester.user,
                is_free=True,
                usage_id=run.usage_ref,
            )
    _finish(run)


def _finish(run: BriefRun) -> None:
    used: Decimal = run.results.aggregate(used=Sum("credits", default=ZERO))["used"]
    run.credits, run.is_finished = used, True
    run.save(update_fields=["credits", "is_finished"])


def _release(run: BriefRun) -> None:
    for result in run.results.filter(state=ResultState.PENDING):
        _release_one(result)


def _release_one(result: BriefResult) -> None:
    if result.reservation_ref is None:
        return
    reservation = Reservation.objects.get(company=result.company_id, pk=result.reservation_ref)
    try:
        charging.release(reservation=reservation)
    except (AlreadyCaptured, AlreadyReleased, ReservationLapsed):
        return  # Closed already: there is nothing to give back.
