"""Two briefs of the demo's first company, each run by hand once: free, so that no figure moves."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count

from credits.models import Company, UsageAction, User
from trackers import briefs, entities, running_briefs
from trackers.briefs import Section, Template
from trackers.models import (
    Brief,
    CustomerAccount,
    Deal,
    EntityType,
    SectionKind,
    Tracker,
    TrackerState,
)
from trackers.periods import Period, Span
from trackers.requesters import Requester


def brief(*, company: Company, by: User, now: datetime) -> None:
    """Write two briefs, publish them, and run each about what was talked about most."""
    tracker = (
        Tracker.objects.filter(company=company, state=TrackerState.PUBLISHED)
        .annotate(count=Count("scans"))
        .order_by("-count", "name")
        .first()
    )
    results = (
        ()
        if tracker is None
        else (Section(SectionKind.TRACKER, tracker.name, tracker_id=tracker.pk),)
    )
    review = Template(
        name="Account review",
        description="What to know before a renewal.",
        entity_type=EntityType.ACCOUNT,
        sections=(
            Section(SectionKind.CONVERSATIONS, "Open risks", "Which problems or risks are open?"),
            *results,
            Section(SectionKind.WEB, "News", "news"),
        ),
    )
    handover = Template(
        name="Deal handover",
        description="For whoever takes a deal over.",
        entity_type=EntityType.DEAL,
        sections=(
            Section(SectionKind.CONVERSATIONS, "Next steps", "What was promised as a next step?"),
            Section(SectionKind.CONVERSATIONS, "Price", "What was said about price or budget?"),
        ),
    )
    for template, rows in ((review, CustomerAccount.objects), (handover, Deal.objects)):
        most = (
            rows.filter(company=company)
            .annotate(count=Count("conversations"))
            .order_by("-count", "name", "pk")
            .first()
        )
        made = _published(company, template, by, now)
        if most is not None:
            _run(company, made, most.pk, by, now)


def _published(company: Company, template: Template, by: User, now: datetime) -> Brief:
    made = briefs.save(
        company=company, brief_id=None, edit_number=None, template=template, by=by, now=now
    )
    return briefs.publish(brief_id=made.pk, edit_number=made.edit_number, by=by, now=now)


def _run(company: Company, made: Brief, row_id: object, by: User, now: datetime) -> None:
    running_briefs.run(
        requester=Requester(company=company, action=UsageAction.MANUAL, user=by),
        brief=made,
        entity=entities.find(
            company=company,
            entity_type=EntityType(made.entity_type),
            id=str(row_id),
        ),
        period=Span(Period.LAST_30DAYS),
        now=now,
    )
