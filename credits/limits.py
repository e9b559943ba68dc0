"""Limit what a company, feature, tracker, integration or key uses in a day or month (SPEC §7).

What is reserved or charged counts in the window of the company's time zone that it was admitted in,
as what is charged plus what is held, less what was refunded. A hard limit refuses what would go
above it, inside the ledger's own act, so that no number of callers at once gets past it; a limit
that only alerts lets it happen and says so. Rows and sums are the ledger's (``0017_limits.sql``).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import QuerySet

from credits import amounts, audit, balances, companies, ledger, limit_windows
from credits.amounts import ZERO
from credits.audit import Action
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.ledger import InsufficientCredits, Outcome
from credits.models import (
    ApiKey,
    Company,
    FeatureType,
    Integration,
    LimitSubject,
    LimitWindow,
    SpendingLimit,
    User,
)

LIMITS_MAX = 200  # In force, of one company.


class LimitReached(InsufficientCredits):
    """A limit leaves less than this needs: names the limit and says when it begins anew.

    ``available`` is what it leaves, ``until`` the end of its window.
    """

    def __init__(
        self, *, required: Decimal, available: Decimal, limit: SpendingLimit, until: datetime
    ) -> None:
        super().__init__(required=required, available=available)
        self.limit = limit
        self.until = until

    def __str__(self) -> str:
        return (
            f"This needs {amounts.grouped(self.required)} credits, and the limit of "
            f"{in_words(self.limit)} leaves {amounts.grouped(self.available)}."
        )


class LimitRefused(Exception):
    """No limit was set: it is from 0 to 1,000,000,000 credits; the message says what is not."""


class TooManyLimits(Exception):
    """A company has at most 200 limits in force; end one that is no longer needed."""


class AlreadyEnded(Exception):
    """This limit was ended before; set it again if it is needed."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a limit is about; made by the functions below, which name it."""

    kind: LimitSubject
    name: str
    feature_type: str = ""
    feature_ref: UUID | None = None
    integration: Integration | None = None
    api_key: ApiKey | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit and its window now: what counts against it, in credits, and when it begins anew."""

    limit: SpendingLimit
    used: Decimal
    starts_at: datetime
    ends_at: datetime

    @property
    def left(self) -> Decimal:
        return max(self.limit.credits - self.used, ZERO)

    @property
    def is_reached(self) -> bool:
        """Tell whether nothing is left: a hard limit refuses everything then."""
        return self.used >= self.limit.credits


def of_company(company: Company) -> Subject:
    return Subject(LimitSubject.COMPANY, company.name)


def of_feature(feature_type: str) -> Subject:
    """Return a kind of feature as a subject, all of its trackers, questions or briefs together."""
    feature = FeatureType(feature_type)
    return Subject(LimitSubject.FEATURE, feature.label, feature_type=feature)


def of_tracker(ref: UUID, *, name: str) -> Subject:
    return Subject(LimitSubject.TRACKER, name, FeatureType.TRACKER, feature_ref=ref)


def of_integration(integration: Integration) -> Subject:
    return Subject(LimitSubject.INTEGRATION, integration.name, integration=integration)


def of_key(key: ApiKey) -> Subject:
    """Return a key as a subject, together with those that replace it and that it replaces."""
    return Subject(LimitSubject.API_KEY, key.name, api_key=key)


def set(  # noqa: A001 - callers read limits.set(…)
    *,
    company: Company,
    subject: Subject,
    window: str,
    credits: Decimal,
    by: User | None,
    is_hard: bool = True,
    through: audit.Actor | None = None,
) -> SpendingLimit:
    """Let a subject use so many credits in each local day or month, and return its limit.

    A subject has one limit of each window: setting it again changes what it allows, or nothing
    where it allows that already. What was used in the window before counts, and what is held now.
    ``through`` is who sets it where that is no person.

    :raises LimitRefused: nothing was set.
    :raises TooManyLimits: nothing was set.
    :raises CompanyClosed: nothing was set.
    """
    try:
        allowed = amounts.exact(credits)
    except amounts.InexactAmount as error:
        raise LimitRefused(str(error)) from error
    if not 0 <= allowed <= amounts.ACT_MAX:
        raise LimitRefused("A limit is from 0 to 1,000,000,000 credits.")
    company = Company.objects.get(pk=company.pk)
    if company.closed_at is not None:
        raise CompanyClosed(company)
    window = LimitWindow(window)
    instant = balances.now(company=company).instant
    with transaction.atomic():
        # Locked, so that of two at once the second says in its line what the first one set.
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        old = set_before(company=company, subject=subject, window=window)
        if old is not None and (old.credits, old.is_hard) == (allowed, is_hard):
            return old
        limit = SpendingLimit(
            id=new_id() if old is None else old.pk,
            company=company,
            window=window,
            credits=allowed,
            is_hard=is_hard,
            created_by=by,
        )
        _record(limit, subject, old=old, by=through or by)
        answer = _set(limit, subject, instant)
        companies.refuse_closed(company, answer)
        if answer.outcome == "TOO_MANY":
            raise TooManyLimits(TooManyLimits.__doc__)
    return SpendingLimit.objects.get(company=company, pk=answer.certain_ref)


def end(
    *,
    limit: SpendingLimit,
    by: User | None,
    through: audit.Actor | None = None,
    reason: str = "",
) -> SpendingLimit:
    """End a limit: from now on it refuses and counts nothing.

    :raises AlreadyEnded: it stays as it was.
    """
    with transaction.atomic():
        # Locked, so that the line says what it was when it ended.
        Company.objects.select_for_update(no_key=True).get(pk=limit.company_id)
        now = SpendingLimit.objects.get(pk=limit.pk)
        audit.record(
            action=Action.CANCELLED,
            by=through or by,
            company=now.company_id,
            subject=audit.named(now, now.name),
            before=_said(now.credits, now.is_hard, now.window),
            reason=reason,
        )
        answer = ledger.call("ledger_end_limit", limit.company_id, limit.pk, by and by.pk)
        if answer.outcome != "OK":
            raise AlreadyEnded(AlreadyEnded.__doc__)
    limit.ended_at, limit.ended_by = answer.instant, by
    return limit


def follow(*, old: ApiKey, new: ApiKey) -> None:
    """Let a key's limits hold for the one that replaces it: the caller's last statement."""
    ledger.call("ledger_limits_follow", old.company_id, old.pk, new.pk)


def in_force(*, company: Company) -> QuerySet[SpendingLimit]:
    return SpendingLimit.objects.filter(company=company, ended_at=None)


def standing(*, company: Company, limits: QuerySet[SpendingLimit] | None = None) -> list[Standing]:
    """Return how a company's limits in force stand now, by name; what is due is settled first."""
    rows = (in_force(company=company) if limits is None else limits).filter(ended_at=None)
    instant = balances.now(company=company).instant
    if any(
        limit_windows.is_unprepared(limit, company)
        for limit in limit_windows.with_use(rows, instant)
    ):
        limit_windows.prepare(company=company, instant=instant)
    return [
        Standing(limit, limit.now_used, limit.now_starts_at, limit.now_ends_at)
        for limit in limit_windows.with_use(rows, instant).order_by(
            "subject", "name", "window", "pk"
        )
    ]


def used_so_far(*, company: Company, subject: Subject, window: str) -> Decimal:
    """Return what a limit would count that were set now, in credits; what is due is settled."""
    span = LimitWindow(window)
    instant = balances.now(company=company).instant
    starts_at, ends_at = limit_windows.boundaries(span, ZoneInfo(company.time_zone), instant)[:2]
    key, integration = subject.api_key, subject.integration
    row = {
        "company_id": company.pk,
        "feature_type": subject.feature_type,
        "feature_ref": subject.feature_ref,
        "integration_id": integration and integration.pk,
        "api_key_id": key and key.pk,
        "api_key_refs": [] if key is None else _family(key),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_used_within("
            "jsonb_populate_record(NULL::credits_spendinglimit, %s::jsonb), %s, %s)",
            [json.dumps(row, default=str), starts_at, ends_at],
        )
        return amounts.exact(cursor.fetchone()[0])


def set_before(*, company: Company, subject: Subject, window: str) -> SpendingLimit | None:
    """Return the limit that setting one for the subject would change; None where it has none."""
    return _in_force(company, subject, LimitWindow(window))


def subject_of(limit: SpendingLimit) -> Subject:
    """Return what a limit is about."""
    return Subject(
        LimitSubject(limit.subject),
        limit.name,
        limit.feature_type,
        limit.feature_ref,
        limit.integration,
        limit.api_key,
    )


def rooms(limit_ids: Collection[UUID]) -> dict[UUID, Decimal | None]:
    """Return what each of the limits leaves now; None for one that refuses nothing any more."""
    found: dict[UUID, Decimal | None] = dict.fromkeys(limit_ids)
    hard = SpendingLimit.objects.filter(pk__in=limit_ids, ended_at=None, is_hard=True)
    for company in Company.objects.filter(pk__in=hard.values("company")):
        for one in standing(company=company, limits=hard.filter(company=company)):
            found[one.limit.pk] = one.left
    return found


def refuse_limited(answer: Outcome) -> None:
    """Check what the ledger answered: no limit stood in the way.

    :raises LimitReached: nothing was held or charged.
    """
    if answer.outcome == "LIMITED":
        assert answer.required is not None
        raise LimitReached(
            required=answer.required,
            available=answer.available,
            limit=SpendingLimit.objects.get(pk=answer.certain_ref),
            until=answer.certain_until,
        )


def in_words(limit: SpendingLimit) -> str:
    """Name a limit in a sentence: “12.5 credits a day for the key “Nightly export””."""
    about = {
        LimitSubject.COMPANY: "the whole company",
        LimitSubject.FEATURE: limit.name,
        LimitSubject.TRACKER: f"the tracker “{limit.name}”",
        LimitSubject.INTEGRATION: f"the integration “{limit.name}”",
        LimitSubject.API_KEY: f"the key “{limit.name}”",
    }[LimitSubject(limit.subject)]
    span = "day" if limit.window == LimitWindow.DAY else "month"
    return f"{amounts.grouped(limit.credits)} credits a {span} for {about}"


def source_of(limit: SpendingLimit) -> str:
    """Return the API's ``limit_source`` for a limit: company, feature, tracker, …"""
    return limit.subject.lower()


def _in_force(company: Company, subject: Subject, window: LimitWindow) -> SpendingLimit | None:
    found = in_force(company=company).filter(
        subject=subject.kind,
        window=window,
        feature_type=subject.feature_type,
        integration=subject.integration,
    )
    if subject.feature_ref is not None:
        found = found.filter(feature_ref=subject.feature_ref)
    if subject.api_key is not None:
        found = found.filter(api_key_refs__contains=[subject.api_key.pk])
    return found.first()


def _set(limit: SpendingLimit, subject: Subject, instant: datetime) -> Outcome:
    key, integration, company = subject.api_key, subject.integration, limit.company
    zone = ZoneInfo(company.time_zone)
    return ledger.call(
        "ledger_set_limit",
        company.pk,
        limit.pk,
        subject.kind,
        subject.feature_type,
        subject.feature_ref,
        integration and integration.pk,
        key and key.pk,
        [] if key is None else _family(key),
        subject.name[:200],
        limit.window,
        limit.credits,
        limit.is_hard,
        limit.created_by_id,
        company.time_zone,
        limit_windows.boundaries(LimitWindow(limit.window), zone, instant),
        LIMITS_MAX,
    )


def _family(key: ApiKey) -> list[UUID]:
    """Return a key with those it replaces and those that replace it, the first one first."""
    rows = dict(ApiKey.objects.filter(company=key.company_id).values_list("pk", "replaces"))
    successors = {replaced: pk for pk, replaced in rows.items() if replaced is not None}
    first = key.pk
    while (older := rows[first]) is not None:
        first = older
    family = [first]
    while (newer := successors.get(family[-1])) is not None:
        family.append(newer)
    return family


def _record(
    limit: SpendingLimit,
    subject: Subject,
    *,
    old: SpendingLimit | None,
    by: User | audit.Actor | None,
) -> None:
    before, after = {}, _said(limit.credits, limit.is_hard, limit.window)
    if old is None:
        after["about"] = subject.kind
    else:
        before = _said(old.credits, old.is_hard, old.window)
    audit.record(
        action=Action.ADDED if old is None else Action.CHANGED,
        by=by,
        company=limit.company,
        subject=audit.named(limit, subject.name),
        before=before,
        after=after,
    )


def _said(allowed: Decimal, is_hard: bool, window: str) -> dict[str, object]:
    span = LimitWindow(window).label.removeprefix("A ")
    return {f"credits_a_{span}": allowed, "refuses": is_hard}
