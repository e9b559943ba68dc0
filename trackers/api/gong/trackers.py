"""The company's trackers, in the shape of keyword trackers.

All kinds are listed, so that whatever a call's content names is found here. Only keyword trackers
have keywords.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api.fields import instant_text
from credits.models import Company, Scope
from trackers.api.gong import numbers, tongues
from trackers.api.gong.users import member_of_login
from trackers.api.gong.views import GongView, WorkspaceParameters
from trackers.models import (
    FilterField,
    Part,
    Side,
    TeamMember,
    Tracker,
    TrackerFilter,
    TrackerVersion,
)

_SAID_BY = {Side.ANY: "Anyone", Side.REP: "Company", Side.CUSTOMER: "NonCompany"}
_SAID_AT = {Part.WHOLE: "Anytime", Part.FIRST: "First", Part.LAST: "Last"}
_FILTERS = {
    FilterField.TEAM: "Team",
    FilterField.USER: "User",
    FilterField.ACCOUNT_TYPE: "AccountType",
    FilterField.DEAL_STAGE: "DealStage",
}


class TrackersView(GongView):
    """The trackers of the key's company."""

    scopes: ClassVar = {"GET": Scope.TRACKERS_READ}
    parameters = WorkspaceParameters

    def get(self, request: Request) -> Response:
        workspace = self.workspace(self.values.get("workspaceId"))
        members = members_by_login(self.company)
        return self.answer(
            keywordTrackers=[
                _tracker(one, workspace=workspace, members=members)
                for one in _trackers(self.company)
            ]
        )


def members_by_login(company: Company) -> dict[Any, Any]:
    """Return the ids of a company's team members by those of their logins."""
    linked = TeamMember.objects.filter(company=company, user__isnull=False)
    return dict(linked.values_list("user_id", "pk"))


def _trackers(company: Company) -> QuerySet[Tracker]:
    versions = TrackerVersion.objects.order_by("-number")
    filters = TrackerFilter.objects.select_related("team", "member").order_by("pk")
    changes = Tracker.history.filter(id=OuterRef("pk")).order_by("-history_date")
    return (
        Tracker.objects.filter(company=company)
        .annotate(changed_at=Subquery(changes.values("history_date")[:1]))
        .select_related("current_version")
        .prefetch_related(Prefetch("versions", versions), Prefetch("filters", filters))
        .order_by("pk")
    )


def _tracker(tracker: Tracker, *, workspace: str, members: dict[Any, Any]) -> dict[str, Any]:
    # Until it is published, its draft says what it will look for.
    version = tracker.current_version or tracker.versions.all()[0]
    said_at: dict[str, Any] = {"saidAt": _SAID_AT[Part(version.part)]}
    if version.part_minutes:
        said_at |= {"saidAtInterval": version.part_minutes, "saidAtUnit": "minutes"}
    changed_at = getattr(tracker, "changed_at", None) or tracker.created_at
    return {
        "trackerId": numbers.of(tracker.pk),
        "trackerName": tracker.name,
        "workspaceId": workspace,
        "languageKeywords": _keywords(tracker, version),
        "affiliation": _SAID_BY[Side(version.side)],
        "partOfQuestion": False,
        **said_at,
        "saidInTopics": [],
        "filterQuery": _filter_query(tracker),
        "created": instant_text(tracker.created_at),
        **member_of_login(tracker.created_by_id, members),
        "updated": instant_text(changed_at),
    }


def _keywords(tracker: Tracker, version: TrackerVersion) -> list[dict[str, Any]]:
    if not version.terms:
        return []
    return [
        {
            "language": tongues.code(tracker.language) if tracker.language else tongues.SEVERAL,
            "keywords": version.terms,
            "includeRelatedForms": version.related_forms,
        }
    ]


def _filter_query(tracker: Tracker) -> str:
    terms: dict[tuple[str, bool], list[str]] = {}
    for one in tracker.filters.all():
        value = str(one.team or one.member or one.text)
        terms.setdefault((_FILTERS[FilterField(one.field)], one.is_excluded), []).append(value)
    filters = [
        {"type": kind, "terms": values, **({"exclude": True} if is_excluded else {})}
        for (kind, is_excluded), values in terms.items()
    ]
    return json.dumps({"type": "And", "filters": filters}, ensure_ascii=False)
