"""A brief's life: written, published for programs to run, unpublished, deleted (SPEC §5).

What is changed takes effect with the next run; runs of before keep what they asked and said. Who
changed what is on the audit trail, section by section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from credits import audit
from credits.audit import Action
from credits.models import Company, User
from trackers import locks
from trackers.models import (
    SECTIONS_MAX,
    Brief,
    BriefSection,
    EntityType,
    SectionKind,
    Tracker,
    TrackerState,
)

NAME_LENGTH_MAX = 200
TITLE_LENGTH_MAX = 200
QUESTION_LENGTH_MAX = 2000
DESCRIPTION_LENGTH_MAX = 2000
BRIEFS_MAX = 200
UNIQUE_NAME = "brief_name_is_unique_in_a_company"


class NotSaved(Exception):
    """A brief that was not saved; the message says why, ``field`` where."""

    def __init__(self, message: str, field: str | None = None) -> None:
        self.field = field
        super().__init__(message)


class StaleBrief(Exception):
    """Somebody changed this brief after it was opened; the message says who and when."""


class NotPublishable(Exception):
    """A brief that cannot be published; the message says why."""


class AlreadyPublished(Exception):
    """This brief is published already."""


class NotPublished(Exception):
    """This brief is not published."""


class NotDiscarded(Exception):
    """A brief that stays; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a brief; ``id`` is that of the row it was read from, None for a new one."""

    kind: SectionKind
    title: str
    question: str = ""
    tracker_id: UUID | None = None
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """What a brief is made of; its sections in their order."""

    name: str
    entity_type: EntityType
    sections: tuple[Section, ...]
    description: str = ""


def save(
    *,
    company: Company,
    brief_id: UUID | None,
    edit_number: int | None,
    template: Template,
    by: User,
    now: datetime,
) -> Brief:
    """Make a brief, or change the one named as it was at ``edit_number``.

    Saving what is there already changes nothing and leaves no line on the trail.

    :raises NotSaved: nothing was written; a form older than another's change is among the reasons.
    :raises Brief.DoesNotExist: the company has no such brief.
    """
    template = _checked(template)
    with transaction.atomic():
        locks.keep_open(company.pk)
        trackers = _trackers(company, template.sections)
        if brief_id is None:
            brief = _new(company, by, now)
            was: dict[str, object] = {}
        else:
            Brief.objects.only("pk").get(pk=brief_id, company=company)
            try:
                brief = _lock(brief_id, edit_number or 0)
            except StaleBrief as stale:
                raise NotSaved(f"Not saved: {stale}") from stale
            if template_of(brief) == template:
                return brief
            was = _in_words(template_of(brief), _names(brief))
        if brief.is_published and (reason := _unfit(template.sections, trackers)):
            raise NotSaved(f"Not saved: {reason}", "sections")
        _write(brief, template, by=by, now=now)
        audit.record(
            action=Action.ADDED if brief_id is None else Action.CHANGED,
            by=by,
            company=company,
            subject=brief,
            before=was,
            after=_in_words(template, {one.pk: one.name for one in trackers.values()}),
        )
    return brief


def publish(*, brief_id: UUID, edit_number: int, by: User, now: datetime) -> Brief:
    """Let programs run a brief; nothing is charged until one does.

    :raises StaleBrief: somebody changed it after ``edit_number`` was read.
    :raises AlreadyPublished: nothing to publish.
    :raises NotPublishable: without sections, or with a tracker that is not published.
    :raises CompanyClosed: nothing is published in a closed company.
    """
    company_id = _company_of(brief_id)
    with transaction.atomic():
        locks.keep_open(company_id)
        # Trackers before the brief: whoever unpublishes a tracker holds it and looks at briefs.
        used = BriefSection.objects.filter(brief=brief_id, tracker__isnull=False)
        locks.share(Tracker, used.values_list("tracker_id", flat=True))
        brief = _lock(brief_id, edit_number)
        if brief.is_published:
            raise AlreadyPublished(AlreadyPublished.__doc__)
        sections = template_of(brief).sections
        if reason := _unfit(sections, _trackers(brief.company, sections)):
            raise NotPublishable(f"Not published: {reason}")
        brief.is_published = True
        _touch(brief, by=by, now=now)
        audit.record(action=Action.PUBLISHED, by=by, company=company_id, subject=brief)
    return brief


def unpublish(*, brief_id: UUID, edit_number: int, by: User, now: datetime) -> Brief:
    """Keep programs from running a brief; what it said stays.

    :raises StaleBrief: somebody changed it after ``edit_number`` was read.
    :raises NotPublished: it is not published.
    """
    with transaction.atomic():
        brief = _lock(brief_id, edit_number)
        if not brief.is_published:
            raise NotPublished(NotPublished.__doc__)
        brief.is_published = False
        _touch(brief, by=by, now=now)
        audit.record(action=Action.UNPUBLISHED, by=by, company=brief.company_id, subject=brief)
    return brief


def discard_refusal(brief: Brief) -> str:
    """Say why a brief cannot be deleted; empty when it can."""
    if brief.is_published:
        return "Not deleted: this brief is published. Unpublish it first."
    if brief.runs.exists():
        return (
            "Not deleted: this brief was run, and its runs and usage name it. Unpublished, it "
            "is out of everybody's way."
        )
    return ""


def discard(*, brief_id: UUID, edit_number: int, by: User) -> None:
    """Delete a brief that was never run and is not published, with its sections.

    :raises StaleBrief: somebody changed it after ``edit_number`` was read.
    :raises NotDiscarded: it was run, or is published.
    """
    with transaction.atomic():
        brief = _lock(brief_id, edit_number)
        if reason := discard_refusal(brief):
            raise NotDiscarded(reason)
        audit.record(
            action=Action.DELETED,
            by=by,
            company=brief.company_id,
            subject=brief,
            before=_in_words(template_of(brief), _names(brief)),
        )
        brief.delete()


def template_of(brief: Brief) -> Template:
    """Return what a saved brief is made of."""
    return Template(
        name=brief.name,
        description=brief.description,
        entity_type=EntityType(brief.entity_type),
        sections=tuple(
            Section(SectionKind(one.kind), one.title, one.question, one.tracker_id, one.pk)
            for one in sections_of(brief)
        ),
    )


def sections_of(brief: Brief) -> list[BriefSection]:
    """Return a brief's sections in their order, each with its tracker."""
    return list(
        BriefSection.objects.filter(brief=brief).select_related("tracker").order_by("position")
    )


def that_use(tracker: Tracker, *, published: bool) -> list[Brief]:
    """Return the briefs with a section of a tracker; only the published ones, or all."""
    rows = Brief.objects.filter(sections__tracker=tracker)
    if published:
        rows = rows.filter(is_published=True)
    return list(rows.distinct().order_by("name", "pk"))


def trackers_shown(*, company: Company) -> set[UUID]:
    """Return the trackers whose results published briefs of a company show."""
    rows = BriefSection.objects.filter(company=company, brief__is_published=True)
    return set(rows.exclude(tracker=None).values_list("tracker_id", flat=True))


def named(briefs: Sequence[Brief]) -> str:
    """Name briefs in a sentence: the brief “A”, the briefs “A” and “B”."""
    names = [f"“{one.name}”" for one in briefs]
    if len(names) == 1:
        return f"the brief {names[0]}"
    return f"the briefs {', '.join(names[:-1])} and {names[-1]}"


def _checked(template: Template) -> Template:
    """Return a template with what its kinds need, tidied, without a look at the database.

    :raises NotSaved: something is missing or too much.
    """
    if not template.name.strip():
        raise NotSaved("Not saved: give the brief a name.", "name")
    if len(template.sections) > SECTIONS_MAX:
        raise NotSaved(f"Not saved: a brief has at most {SECTIONS_MAX} sections.", "sections")
    for name, text, length_max in (
        ("name", template.name, NAME_LENGTH_MAX),
        ("description", template.description, DESCRIPTION_LENGTH_MAX),
        *(("sections", one.title, TITLE_LENGTH_MAX) for one in template.sections),
        *(("sections", one.question, QUESTION_LENGTH_MAX) for one in template.sections),
    ):
        if len(text) > length_max or "\x00" in text:
            raise NotSaved(f"Not saved: {name} may have {length_max:,} characters.", name)
    return Template(
        name=template.name.strip(),
        description=template.description.strip(),
        entity_type=EntityType(template.entity_type),
        sections=tuple(map(_tidied, template.sections)),
    )


def _tidied(section: Section) -> Section:
    """Return a section without what its kind does not have."""
    title, question = section.title.strip(), section.question.strip()
    if not title:
        raise NotSaved("Not saved: give each section a title.", "sections")
    if section.kind == SectionKind.TRACKER:
        if section.tracker_id is None:
            raise NotSaved(f"Not saved: choose the tracker of “{title}”.", "sections")
        return Section(section.kind, title, "", section.tracker_id, section.id)
    if not question:
        what = "a question" if section.kind == SectionKind.CONVERSATIONS else "search words"
        raise NotSaved(f"Not saved: give “{title}” {what}.", "sections")
    return Section(section.kind, title, question, None, section.id)


def _trackers(company: Company, sections: Sequence[Section]) -> dict[UUID, Tracker]:
    """Return the sections' trackers, kept as they are until the transaction ends.

    :raises NotSaved: one is not the company's.
    """
    wanted = {one.tracker_id for one in sections if one.tracker_id is not None}
    locks.share(Tracker, wanted)
    found = {one.pk: one for one in Tracker.objects.filter(company=company, pk__in=wanted)}
    if wanted - found.keys():
        raise NotSaved("Not saved: the company has no such tracker. Choose another.", "sections")
    return found


def _unfit(sections: Sequence[Section], trackers: dict[UUID, Tracker]) -> str:
    """Say why a brief of these sections cannot be published; empty when it can."""
    if not sections:
        return "a published brief needs a section."
    for section in sections:
        tracker = trackers.get(section.tracker_id) if section.tracker_id else None
        if tracker is not None and tracker.state != TrackerState.PUBLISHED:
            return (
                f"“{section.title}” shows the results of “{tracker}”, which is not published. "
                "Publish the tracker first, or choose another."
            )
    return ""


def _new(company: Company, by: User, now: datetime) -> Brief:
    locks.queue_for(f"briefs of company {company.pk}")
    if Brief.objects.filter(company=company).count() >= BRIEFS_MAX:
        raise NotSaved(f"Not saved: a company has at most {BRIEFS_MAX} briefs. Delete one first.")
    return Brief(company=company, created_at=now, created_by=by, edit_number=0)


def _company_of(brief_id: UUID) -> int:
    return Brief.objects.values_list("company_id", flat=True).get(pk=brief_id)


def _lock(brief_id: UUID, edit_number: int) -> Brief:
    brief = Brief.objects.select_for_update(of=("self",)).select_related("company").get(pk=brief_id)
    if brief.edit_number != edit_number:
        raise StaleBrief(_who_changed(brief))
    return brief


def _who_changed(brief: Brief) -> str:
    """Say who changed a brief last and when, in its company's time."""
    who = brief.changed_by.get_short_name() if brief.changed_by else "Somebody"
    at = brief.changed_at.astimezone(ZoneInfo(brief.company.time_zone))
    return (
        f"{who} changed this at {at:%H:%M %Z} on {at.day} {at:%b %Y}, after you opened it. "
        "Look at it again, then decide."
    )


def _touch(brief: Brief, *, by: User, now: datetime) -> None:
    brief.edit_number += 1
    brief.changed_by, brief.changed_at = by, now
    brief.save()


def _write(brief: Brief, template: Template, *, by: User, now: datetime) -> None:
    brief.name, brief.description = template.name, template.description
    brief.entity_type = template.entity_type
    try:
        with transaction.atomic():
            _touch(brief, by=by, now=now)
    except IntegrityError as error:
        if UNIQUE_NAME not in str(error):
            raise
        raise NotSaved(
            f"Not saved: there is another brief named “{template.name}”. Choose another name.",
            "name",
        ) from error
    rows = BriefSection.objects.filter(brief=brief)
    known = set(rows.values_list("pk", flat=True))
    rows.delete()
    BriefSection.objects.bulk_create(
        BriefSection(
            # A section that was there keeps its id: what it cost in runs of before is known by it.
            **({"pk": one.id} if one.id in known else {}),
            company_id=brief.company_id,
            brief=brief,
            position=place,
            kind=one.kind,
            title=one.title,
            question=one.question,
            tracker_id=one.tracker_id,
        )
        for place, one in enumerate(template.sections, start=1)
    )


def _names(brief: Brief) -> dict[UUID, str]:
    return {one.tracker.pk: one.tracker.name for one in sections_of(brief) if one.tracker}


def _in_words(template: Template, trackers: dict[UUID, str]) -> dict[str, object]:
    """Return a template as the audit trail keeps it, each section a field of its own."""
    said: dict[str, object] = {
        "name": template.name,
        "description": template.description,
        "about": template.entity_type.label,
    }
    for place, one in enumerate(template.sections, start=1):
        what = trackers.get(one.tracker_id, "") if one.tracker_id else one.question
        said[f"section {place}"] = f"{one.title} ({one.kind.label}): {what}"
    return said
