"""Create and change trackers: the question, which makes a version, and the settings (SPEC §3).

A changed question of a tracker that was published is drafted beside the version in force, which
goes on until a person publishes the draft. Settings take effect at once and never make a
conversation payable again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from types import EllipsisType
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max

from credits import audit
from credits.audit import Action, Actor
from credits.models import Company, User
from trackers import changes, filters, languages, publishing, questioning
from trackers.models import (
    Conversation,
    CustomerAccount,
    Deal,
    FilterField,
    Team,
    TeamMember,
    Tracker,
    TrackerFilter,
    TrackerVersion,
)

# What is asked is configured here too, and callers find it beside the settings.
from trackers.questioning import NotSaved as NotSaved
from trackers.questioning import Question as Question
from trackers.questioning import question_of as question_of

NAME_LENGTH_MAX = 200
EXAMPLES_MAX = 50
EXAMPLE_LENGTH_MAX = 500
FILTERS_MAX = 500
# The reason in the history; what was asked before and after, the versions say.
ASKED_ANEW = "The question was changed."
UNIQUE_NAME = "tracker_name_is_unique_in_a_company"


@dataclass(frozen=True, slots=True)
class FilterValue:
    """One value of a filter: the id of a team or team member, or the text of the other fields."""

    field: FilterField
    value: UUID | str
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What may change at any time without making anything payable again."""

    name: str
    description: str = ""
    include_calls: bool = True
    include_emails: bool = False
    language: str = ""
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()
    catch_up: bool = False
    campaign_end_date: date | None = None
    filters: frozenset[FilterValue] = frozenset()


def save(
    *,
    company: Company,
    tracker_id: UUID | None,
    edit_number: int | None,
    settings: Settings,
    question: Question,
    by: User,
    now: datetime,
    threshold: Decimal | EllipsisType | None = ...,
    through: Actor | None = None,
) -> Tracker:
    """Create a draft tracker, or change the one named as it was at ``edit_number``.

    Saving what is there already changes nothing, and leaves no row in the history. ``threshold``
    is what reviews teach: it stays as it is unless one is given, or None for the analyzer's own.
    ``through`` is who acts in the name of ``by``, where that is not the person themselves.

    :raises NotSaved: nothing was written; a form older than another's change is among the reasons.
    :raises Tracker.DoesNotExist: the company has no such tracker.
    """
    _refuse_incomplete(settings)
    question = questioning.checked(question)
    with transaction.atomic():
        if tracker_id is None:
            tracker = Tracker(company=company, kind=question.kind, created_by=by, edit_number=0)
            changed = True
        else:
            Tracker.objects.only("pk").get(pk=tracker_id, company=company)
            tracker, changed = _locked(tracker_id, edit_number), False
            if tracker.kind != question.kind:
                raise NotSaved("Not saved: a tracker keeps its kind. Make a new one instead.")
        kinds_before = changes.Kinds.of(tracker)
        changed |= _apply(tracker, settings, threshold)
        rows_before = [] if tracker_id is None else _filters_of(tracker)
        wanted = {value: _filter_row(company, value) for value in settings.filters}
        kept = [row for row in rows_before if _value_of(row) in wanted]
        refiltered = len(kept) != len(rows_before) or len(kept) != len(wanted)
        asked_anew = _is_asked_anew(tracker, question)
        if not (changed or refiltered or asked_anew):
            return tracker
        was = {} if tracker_id is None else _in_words(tracker_id)
        reason = ASKED_ANEW if asked_anew and tracker_id is not None else ""
        _write(tracker, by=by, now=now, reason=reason)
        _write_filters(tracker, rows_before, wanted)
        _write_question(tracker, question)
        if tracker_id is not None and (refiltered or kinds_before != changes.Kinds.of(tracker)):
            changes.keep(
                tracker, kinds_before=kinds_before, filters_before=rows_before, by=by, now=now
            )
        if changed or refiltered:
            # The analyzer learns the corpus anew from the examples and conversations of today.
            TrackerVersion.objects.filter(tracker=tracker).update(calibration=None)
        if filters.pass_nothing(tracker):
            raise NotSaved(
                "Not saved: no conversation passes these filters, so the tracker would never run. "
                "Widen them.",
                "filters",
            )
        audit.record(
            action=Action.ADDED if tracker_id is None else Action.CHANGED,
            by=through or by,
            company=company,
            subject=tracker,
            before=was,
            after=_in_words(tracker.pk),
        )
    return tracker


def account_types(company: Company) -> list[str]:
    """Return the account types that a filter may name: of accounts, and as conversations had."""
    return _texts(
        Conversation.objects.filter(company=company).values_list("account_type", flat=True),
        CustomerAccount.objects.filter(company=company).values_list("account_type", flat=True),
    )


def deal_stages(company: Company) -> list[str]:
    """Return the deal stages that a filter may name: of deals today, and as conversations had."""
    return _texts(
        Conversation.objects.filter(company=company).values_list("deal_stage", flat=True),
        Deal.objects.filter(company=company).values_list("stage", flat=True),
    )


def settings_of(tracker: Tracker) -> Settings:
    """Return a saved tracker's settings."""
    named = {field.name for field in fields(Settings)} - {"examples", "counter_examples", "filters"}
    return Settings(
        **{name: getattr(tracker, name) for name in named},
        examples=tuple(tracker.examples),
        counter_examples=tuple(tracker.counter_examples),
        filters=frozenset(_value_of(row) for row in tracker.filters.all()),
    )


def _refuse_incomplete(settings: Settings) -> None:
    """Check what needs no look at the database."""
    if not settings.name.strip():
        raise NotSaved("Not saved: give the tracker a name.", "name")
    if not (settings.include_calls or settings.include_emails):
        raise NotSaved("Not saved: choose calls, e-mails or both.", "include_calls")
    if settings.language and settings.language not in languages.NAMES:
        raise NotSaved("Not saved: choose a language from the list.", "language")
    for name, texts, count_max, length_max in (
        ("name", (settings.name,), 1, NAME_LENGTH_MAX),
        ("examples", settings.examples, EXAMPLES_MAX, EXAMPLE_LENGTH_MAX),
        ("counter_examples", settings.counter_examples, EXAMPLES_MAX, EXAMPLE_LENGTH_MAX),
        ("filters", ("",) * len(settings.filters), FILTERS_MAX, 0),
    ):
        questioning.refuse_too_much(name, texts, count_max, length_max)


def _in_words(tracker_id: UUID) -> dict[str, object]:
    """Return a tracker's settings and newest question as the audit trail keeps them."""
    tracker = Tracker.objects.select_related("current_version").get(pk=tracker_id)
    newest = publishing.next_version(tracker)
    asked = {} if newest is None else asdict(question_of(newest))
    named = asdict(settings_of(tracker)) | {"filters": filters.words(_filters_of(tracker))}
    # As text: the trail takes a Decimal for credits, which have fewer places.
    named["threshold"] = None if tracker.threshold is None else str(tracker.threshold)
    return {"kind": tracker.kind} | asked | named


def _locked(tracker_id: UUID, edit_number: int | None) -> Tracker:
    try:
        return publishing.lock(tracker_id, edit_number or 0)
    except publishing.StaleForm as stale:
        raise NotSaved(str(stale)) from stale


def _apply(tracker: Tracker, settings: Settings, threshold: Decimal | EllipsisType | None) -> bool:
    """Set the tracker's own columns; tell whether any of them changed."""
    values: dict[str, Any] = {
        "name": settings.name.strip(),
        "description": settings.description,
        "include_calls": settings.include_calls,
        "include_emails": settings.include_emails,
        "examples": list(settings.examples),
        "language": settings.language,
        "counter_examples": list(settings.counter_examples),
        "catch_up": settings.catch_up,
        "campaign_end_date": settings.campaign_end_date,
        "threshold": tracker.threshold if threshold is ... else threshold,
    }
    changed = {name for name, value in values.items() if getattr(tracker, name) != value}
    for name in changed:
        setattr(tracker, name, values[name])
    return bool(changed)


def _write(tracker: Tracker, *, by: User, now: datetime, reason: str) -> None:
    try:
        with transaction.atomic():
            publishing.save(tracker, by=by, now=now, reason=reason)
    except IntegrityError as error:
        if UNIQUE_NAME not in str(error):
            raise
        raise NotSaved(
            f"Not saved: there is another tracker named “{tracker.name}”. Choose another name.",
            "name",
        ) from error


def _is_asked_anew(tracker: Tracker, question: Question) -> bool:
    newest = None if tracker._state.adding else publishing.next_version(tracker)
    return newest is None or question_of(newest) != question


def _write_question(tracker: Tracker, question: Question) -> None:
    """Bring the draft version to what is asked; a draft that asks what is in force goes."""
    draft = publishing.draft_version(tracker)
    in_force = tracker.current_version
    if in_force is not None and question_of(in_force) == question:
        if draft is not None:
            draft.delete()
        return
    if draft is None:
        last = tracker.versions.aggregate(number=Max("number"))["number"] or 0
        draft = TrackerVersion(company=tracker.company, tracker=tracker, number=last + 1)
    if not draft._state.adding and question_of(draft) == question:
        return
    questioning.apply(question, draft)
    draft.calibration = None
    draft.save()


def _filters_of(tracker: Tracker) -> list[TrackerFilter]:
    return list(tracker.filters.select_related("team", "member"))


def _value_of(row: TrackerFilter) -> FilterValue:
    value = row.team_id or row.member_id or row.text
    return FilterValue(FilterField(row.field), value, row.is_excluded)


def _filter_row(company: Company, wanted: FilterValue) -> TrackerFilter:
    """Return an unsaved row for a value, which has to be one of the company's own."""
    row = TrackerFilter(company=company, field=wanted.field, is_excluded=wanted.is_excluded)
    match wanted.field:
        case FilterField.TEAM:
            row.team = Team.objects.filter(company=company, pk=wanted.value).first()
        case FilterField.USER:
            row.member = TeamMember.objects.filter(company=company, pk=wanted.value).first()
        case FilterField.ACCOUNT_TYPE:
            row.text = str(wanted.value) if _is_known_type(company, wanted.value) else ""
        case FilterField.DEAL_STAGE:
            row.text = str(wanted.value) if _is_known_stage(company, wanted.value) else ""
    if not (row.team or row.member or row.text):
        label = wanted.field.label.lower()
        shown = "chosen" if isinstance(wanted.value, UUID) else f"“{wanted.value}”"
        raise NotSaved(
            f"Not saved: the company has no {label} {shown}. Take it out of the filters.",
            "filters",
        )
    return row


def _is_known_type(company: Company, text: UUID | str) -> bool:
    return (
        CustomerAccount.objects.filter(company=company, account_type=text).exists()
        or Conversation.objects.filter(company=company, account_type=text).exists()
    )


def _is_known_stage(company: Company, text: UUID | str) -> bool:
    return (
        Deal.objects.filter(company=company, stage=text).exists()
        or Conversation.objects.filter(company=company, deal_stage=text).exists()
    )


def _write_filters(
    tracker: Tracker, before: list[TrackerFilter], wanted: dict[FilterValue, TrackerFilter]
) -> None:
    gone = [row.pk for row in before if _value_of(row) not in wanted]
    there = {_value_of(row) for row in before}
    TrackerFilter.objects.filter(pk__in=gone).delete()
    for value, row in wanted.items():
        if value not in there:
            row.tracker = tracker
            row.save()


def _texts(*queries: object) -> list[str]:
    found: set[str] = set()
    for query in queries:
        found.update(query.order_by().distinct())  # type: ignore[attr-defined]
    return sorted(found - {""})
