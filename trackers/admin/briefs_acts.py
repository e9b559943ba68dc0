"""Publish, unpublish and delete a brief: pages that say what they will do, then do it."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from credits import shown
from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan
from credits.companies import CompanyClosed
from credits.roles import Act as Allowed
from trackers import briefs
from trackers.briefs import (
    AlreadyPublished,
    NotDiscarded,
    NotPublishable,
    NotPublished,
    StaleBrief,
)
from trackers.models import Brief


class BriefAct(acting.Act):
    """An act on one brief, as it was when it was shown."""

    needs = Allowed.EDIT_BRIEFS

    def __init__(self, *, request: HttpRequest, row: Brief) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_brief_change", args=[self.row.pk])

    @property
    def facts(self) -> tuple[tuple[str, object], ...]:
        """Say what the brief is made of: whatever changes it, changes what was shown."""
        sections = briefs.sections_of(self.row)
        lines = format_html_join(
            "", "<div>{}</div>", ((f"{one.title} ({one.get_kind_display()})",) for one in sections)
        )
        company = self.row.company
        return (
            ("Brief", self.row.name),
            ("About", self.row.get_entity_type_display()),
            ("Sections", lines or shown.NOTHING),
            ("Last changed", shown.instant(self.row.changed_at, company)),
        )


class Publish(BriefAct):
    """Let programs run a brief."""

    heading = "Publish this brief?"
    button = "Publish"
    verb = "published"
    refusals = (AlreadyPublished, NotPublishable, StaleBrief, CompanyClosed)

    def check(self) -> None:
        if self.row.is_published:
            raise AlreadyPublished(AlreadyPublished.__doc__)

    def plan(self, form: ActForm) -> Plan:
        self.check()
        return Plan(
            facts=self.facts,
            notes=(
                (
                    "Programs with the scope brief may run it, and AI clients. Each of their runs "
                    "uses credits, by what it reads; the price is known before."
                ),
                "Publishing costs nothing. Runs on these pages stay free.",
            ),
        )

    def do(self, form: ActForm) -> Done:
        briefs.publish(
            brief_id=self.row.pk, edit_number=self.row.edit_number, by=self.by, now=self.now
        )
        return Done(self.back_url, f"“{self.row}” is published.")


class Unpublish(BriefAct):
    """Keep programs from running a brief."""

    heading = "Unpublish this brief?"
    button = "Unpublish"
    is_danger = True
    verb = "unpublished"
    refusals = (NotPublished, StaleBrief)

    def check(self) -> None:
        if not self.row.is_published:
            raise NotPublished(NotPublished.__doc__)

    def plan(self, form: ActForm) -> Plan:
        self.check()
        return Plan(
            facts=(*self.facts, ("Runs so far", f"{self.row.runs.count():,}")),
            notes=(
                (
                    "Programs and AI clients cannot run it any more. What it said stays, and "
                    "people may still run it here."
                ),
            ),
        )

    def do(self, form: ActForm) -> Done:
        briefs.unpublish(
            brief_id=self.row.pk, edit_number=self.row.edit_number, by=self.by, now=self.now
        )
        return Done(self.back_url, f"“{self.row}” is unpublished. Its runs stay.")


class Discard(BriefAct):
    """Delete a brief that was never run."""

    heading = "Delete this brief?"
    button = "Delete"
    is_danger = True
    verb = "deleted"
    refusals = (NotDiscarded, StaleBrief)

    def check(self) -> None:
        if refusal := briefs.discard_refusal(self.row):
            raise NotDiscarded(refusal)

    def plan(self, form: ActForm) -> Plan:
        self.check()
        return Plan(
            facts=self.facts,
            notes=(
                "Its sections go, and cannot be brought back.",
                "It was never run, so nothing was charged for it.",
            ),
        )

    def do(self, form: ActForm) -> Done:
        name = self.row.name
        briefs.discard(brief_id=self.row.pk, edit_number=self.row.edit_number, by=self.by)
        return Done(reverse("admin:trackers_brief_changelist"), f"“{name}” is deleted.")
