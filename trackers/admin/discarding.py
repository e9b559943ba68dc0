"""The page that deletes a draft (SPEC §5: deleted only when nothing uses it)."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan
from credits.roles import Act as Allowed
from trackers import discarding, filters
from trackers.discarding import NotDiscarded
from trackers.models import Tracker
from trackers.publishing import StaleForm


class Discard(acting.Act):
    """Delete a tracker that was never published."""

    needs = Allowed.EDIT_TRACKERS
    heading = "Delete this draft?"
    button = "Delete"
    is_danger = True
    verb = "deleted"
    refusals = (NotDiscarded, StaleForm)

    def __init__(self, *, request: HttpRequest, row: Tracker) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_tracker_change", args=[self.row.pk])

    def check(self) -> None:
        if refusal := discarding.refusal(self.row, now=self.now):
            raise NotDiscarded(refusal)

    def plan(self, form: ActForm) -> Plan:
        return Plan(
            facts=(
                ("Tracker", self.row.name),
                ("Reads", filters.in_words(self.row)),
                ("Tests made", f"{self.row.previews.count():,}"),
            ),
            notes=(
                "Its question, examples, filters and tests go, and cannot be brought back.",
                "It was never published, so nothing was charged for it.",
            ),
        )

    def do(self, form: ActForm) -> Done:
        name = self.row.name
        discarding.discard(
            tracker_id=self.row.pk, edit_number=self.row.edit_number, by=self.by, now=self.now
        )
        return Done(reverse("admin:trackers_tracker_changelist"), f"“{name}” is deleted.")
