"""The company's briefs: their settings, and running one by its name."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api.fields import instant_text
from credits.api.views import not_found
from credits.models import Scope
from trackers import running_briefs
from trackers.api.gong import entities, numbers
from trackers.api.gong.entities import EntityParameters, EntityView
from trackers.api.gong.trackers import members_by_login
from trackers.api.gong.users import member_of_login
from trackers.api.gong.views import GongView, WorkspaceParameters
from trackers.models import Brief, BriefResult, SectionKind

_KINDS = {
    SectionKind.CONVERSATIONS: "Conversations",
    SectionKind.WEB: "Web",
    SectionKind.TRACKER: "CrmOrGongData",
}


class BriefsView(GongView):
    """The settings of the briefs of the key's company."""

    scopes: ClassVar = {"GET": Scope.BRIEF}
    parameters = WorkspaceParameters

    def get(self, request: Request) -> Response:
        workspace = self.workspace(self.values.get("workspaceId"))
        members = members_by_login(self.company)
        rows = Brief.objects.filter(company=self.company).select_related("created_by")
        return self.answer(briefs=[_brief(one, workspace, members) for one in rows.order_by("pk")])


class BriefParameters(EntityParameters):
    """Which brief, too."""

    briefName = serializers.CharField()


class BriefView(EntityView):
    """Runs a published brief; each of its sections is charged on its own."""

    scopes: ClassVar = {"GET": Scope.BRIEF}
    parameters = BriefParameters

    def get(self, request: Request) -> Response:
        brief = Brief.objects.filter(company=self.company, name=self.values["briefName"]).first()
        if brief is None:
            raise not_found("brief")
        with entities.refused():
            run = running_briefs.run(
                requester=self.requester,
                brief=brief,
                entity=self.entity(),
                period=self.span(),
                now=timezone.now(),
                key=self.retry_key(),
            )
        results = run.results.prefetch_related("citations__conversation", "pages").order_by(
            "position"
        )
        assert run.remaining is not None  # Whoever ran it is told.
        return self.charged(
            {
                "numOfCallsSearched": run.calls,
                "numOfEmailsSearched": run.emails,
                "briefSections": [self._section(one) for one in results],
            },
            used=run.credits,
            remaining=run.remaining,
            is_replay=run.is_replay,
        )

    def _section(self, result: BriefResult) -> dict[str, Any]:
        cited = sorted(result.citations.all(), key=lambda one: one.rank)
        # What could not be done says why, and cost nothing.
        summary = result.text or [result.reason]
        # That shape has no place of its own for the words that a section rests on.
        quotes = [f"“{one.quote}” ({one.conversation.title})" for one in cited]
        section: dict[str, Any] = {
            "title": result.title,
            "sectionSummary": [part for part in [*summary, *quotes] if part],
            "briefSectionType": _KINDS[SectionKind(result.kind)],
        }
        if result.kind == SectionKind.WEB:
            section["webFindings"] = [_page(one) for one in result.pages.all()]
        else:
            section["conversationFindings"] = self.findings(one.conversation for one in cited)
        return section


def _brief(brief: Brief, workspace: str, members: dict[Any, Any]) -> dict[str, Any]:
    person = brief.created_by
    return {
        "briefId": numbers.of(brief.pk),
        "briefName": brief.name,
        "workspaceId": workspace,
        "description": brief.description,
        "status": "Published" if brief.is_published else "Not published",
        **({} if person is None else {"creator": person.get_full_name()}),
        **member_of_login(brief.created_by_id, members),
        "created": instant_text(brief.created_at),
        "updated": instant_text(brief.changed_at),
    }


def _page(page: Any) -> dict[str, str]:
    return {"domain": urlsplit(page.url).hostname or "", "title": page.title, "url": page.url}
