"""Give an answer again for 0 credits where the company wants that: off by default (SPEC §3)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Subquery, Sum
from django.db.models.functions import Coalesce, Now

from credits import audit
from credits.advice import Advice, AskedAdvice
from credits.amounts import ZERO, AmountField
from credits.audit import Action
from credits.models import Company, UsageAction, User
from trackers import locks
from trackers.entities import Entity, Selection
from trackers.models import AnswerReuse, AskCitation, AskRequest
from trackers.periods import Span
from trackers.requesters import Requester

SPARED_FOR = timedelta(days=30)
CHARGED = [UsageAction.API_REQUEST, UsageAction.MCP_REQUEST]


def is_on(company: Company) -> bool:
    return AnswerReuse.objects.filter(company=company, is_on=True).exists()


def switch(*, company: Company, is_on: bool, by: User) -> AnswerReuse:
    """Switch reuse on or off for a company, from its next question on.

    :raises CompanyClosed: nothing is changed in a closed company.
    """
    with transaction.atomic():
        locks.keep_open(company.pk)
        setting, _ = AnswerReuse.objects.select_for_update().get_or_create(company=company)
        if setting.is_on != is_on:
            setting.is_on = is_on
            setting.save()
            audit.record(
                action=Action.CHANGED,
                by=by,
                company=company,
                subject=audit.Subject(audit.type_of(AnswerReuse), label="answer reuse"),
                before={"on": not is_on},
                after={"on": is_on},
            )
    return setting


def digest(
    *,
    requester: Requester,
    question: str,
    entity: Entity,
    period: Span,
    selection: Selection,
    analyzer: str,
) -> bytes:
    """Name what is asked and read: the same for requests that would be answered the same.

    The question counts folded: neither case nor white space makes another one.
    """
    named = [
        " ".join(question.casefold().split()),
        entity.type,
        str(entity.id),
        period.name,
        _said(period.since),
        _said(period.until),
        selection.digest.hex(),
        requester.context,
        analyzer,
    ]
    return hashlib.sha256(json.dumps(named).encode()).digest()


def first(*, company: Company, digest: bytes) -> AskRequest | None:
    """Return the newest answer that was charged for the same; None when there is none.

    What a person asked at the page was free: given again to a program it would be a way around
    the price.
    """
    rows = AskRequest.objects.filter(
        company=company, reuse_digest=digest, action__in=CHARGED, erased_at=None
    )
    return rows.order_by("-asked_at", "-pk").first()


def copy_citations(first: AskRequest, row: AskRequest) -> None:
    """Cite what the first answer cites."""
    citations = list(AskCitation.objects.filter(ask=first).order_by("rank"))
    for citation in citations:
        citation.pk, citation.ask = None, row
    AskCitation.objects.bulk_create(citations)


def saved(*, company: Company) -> Decimal:
    """Return the credits that answers given again did not use."""
    rows = AskRequest.objects.filter(company=company, action=UsageAction.REUSED)
    total: Decimal = rows.aggregate(saved=Sum("saved", default=Decimal(0)))["saved"]
    return total


def spared(*, company: Company) -> AskedAdvice:
    """Ask for what reuse saved in the last 30 days, for the credits page (``CREDIT_ADVICE``)."""
    rows = AskRequest.objects.filter(
        company=company, action=UsageAction.REUSED, asked_at__gte=Now() - SPARED_FOR
    )
    total = rows.order_by().values("company").annotate(spared=Sum("saved")).values("spared")
    value = Coalesce(Subquery(total), ZERO, output_field=AmountField())
    return AskedAdvice(value, lambda amount: Advice(reused=amount))


def _said(instant: datetime | None) -> str:
    return "" if instant is None else str(instant.timestamp())
