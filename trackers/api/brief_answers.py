"""What the API answers about briefs and their runs."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers

from credits import balances
from credits.api import pages
from credits.api.fields import AmountField, IdField, InstantField
from trackers.api import asks, charged
from trackers.models import (
    Brief,
    BriefCitation,
    BriefPage,
    BriefResult,
    BriefRun,
    BriefSection,
    EntityType,
    ResultState,
    SectionKind,
)

SECTION_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b31",
    "position": 1,
    "kind": "CONVERSATIONS",
    "title": "Open risks",
    "question": "What are the open risks?",
    "tracker_id": None,
}
BRIEF_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b30",
    "name": "Account review",
    "description": "What to know before a renewal.",
    "entity_type": "ACCOUNT",
    "is_published": True,
    "sections": [SECTION_EXAMPLE],
    "created_at": "2026-10-01T08:00:00Z",
    "changed_at": "2026-11-02T09:30:00Z",
}
REQUEST_EXAMPLE = {"entity": "Globex", "period": "LAST_90DAYS", "max_credits": "40"}
RUN_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b32",
    "brief_id": BRIEF_EXAMPLE["id"],
    "brief_name": "Account review",
    "entity": asks.EXAMPLE["entity"],
    "period": "LAST_90DAYS",
    "since": "2026-08-23T22:00:00Z",
    "until": "2026-11-21T23:10:05.123456Z",
    "state": "DONE",
    "calls_read": 10,
    "emails_read": 26,
    "facts": ["Read: 10 calls and 26 e-mails.", "Last contact: 12 Nov 2026, by call."],
    "sections": [
        {
            "position": 1,
            "section_id": SECTION_EXAMPLE["id"],
            "kind": "CONVERSATIONS",
            "title": "Open risks",
            "question": "What are the open risks?",
            "tracker_id": None,
            "state": "DONE",
            "reason": None,
            "text": ["Quoted, not answered: these passages resemble the question."],
            "citations": asks.EXAMPLE["citations"],
            "pages": [],
            "analyzer": "offline 1",
            "credits_used": "12.4",
            "usage_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12",
        }
    ],
    "started_at": "2026-11-21T23:10:05.123456Z",
    "estimate": "12.4",
    "credits": {
        "used": "12.4",
        "remaining": "8357.0",
        "saved": "0.0",
        "breakdown": {"calls": 10, "emails": 26, "web_searches": 0},
    },
}


class SectionOutput(serializers.Serializer[BriefSection]):
    """One part of a brief."""

    id = IdField()
    position = serializers.IntegerField()
    kind = serializers.ChoiceField(
        choices=SectionKind.choices, help_text="Results of a tracker are free."
    )
    title = serializers.CharField()
    question = serializers.CharField(allow_null=True, help_text="Null for results of a tracker.")
    tracker_id = IdField(allow_null=True)

    class Meta:
        ref_name = "BriefSection"

    def to_representation(self, row: BriefSection) -> dict[str, Any]:
        return {
            "id": str(row.pk),
            "position": row.position,
            "kind": row.kind,
            "title": row.title,
            "question": row.question or None,
            "tracker_id": None if row.tracker_id is None else str(row.tracker_id),
        }


class BriefOutput(serializers.Serializer[Brief]):
    """A template of sections about one type of entity."""

    id = IdField()
    name = serializers.CharField()
    description = serializers.CharField()
    entity_type = serializers.ChoiceField(choices=EntityType.choices)
    is_published = serializers.BooleanField(help_text="Only published briefs can be run.")
    sections = SectionOutput(many=True)
    created_at = InstantField()
    changed_at = InstantField()

    class Meta:
        ref_name = "Brief"


class BriefPageOutput(serializers.Serializer[Any]):
    items = BriefOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class WebPageOutput(serializers.Serializer[BriefPage]):
    """A page that a web search found; what it says comes from elsewhere."""

    title = serializers.CharField()
    url = serializers.CharField()
    excerpt = serializers.CharField()

    class Meta:
        ref_name = "BriefWebPage"


class ResultOutput(serializers.Serializer[BriefResult]):
    """What one section said."""

    position = serializers.IntegerField()
    section_id = IdField(help_text="The section as it was then.")
    kind = serializers.ChoiceField(choices=SectionKind.choices)
    title = serializers.CharField()
    question = serializers.CharField(help_text="Of a tracker, its name.")
    tracker_id = IdField(allow_null=True)
    state = serializers.ChoiceField(choices=ResultState.choices)
    reason = serializers.CharField(
        allow_null=True, help_text="Why it is missing; such a section costs 0."
    )
    text = serializers.ListField(child=serializers.CharField(), help_text="Its sentences.")
    citations = asks.CitationOutput(many=True)
    pages = WebPageOutput(many=True)
    analyzer = serializers.CharField(help_text="What read, or searched; empty for a tracker.")
    credits_used = AmountField(help_text="What this section used.")
    usage_id = IdField(allow_null=True, help_text="Its usage event.")

    class Meta:
        ref_name = "BriefResult"

    def to_representation(self, row: BriefResult) -> dict[str, Any]:
        return {
            "position": row.position,
            "section_id": str(row.section_ref),
            "kind": row.kind,
            "title": row.title,
            "question": row.question,
            "tracker_id": None if row.tracker_ref is None else str(row.tracker_ref),
            "state": row.state,
            "reason": row.reason or None,
            "text": row.text,
            "citations": asks.CitationOutput(row.citations.all(), many=True).data,
            "pages": WebPageOutput(list(row.pages.all()), many=True).data,  # type: ignore[arg-type]
            "analyzer": row.analyzer,
            "credits_used": AmountField().to_representation(row.credits),
            "usage_id": None if row.usage_ref is None else str(row.usage_ref),
        }


class RunOutput(serializers.Serializer[BriefRun]):
    """A brief put together about one entity, and what it cost."""

    id = IdField()
    brief_id = IdField()
    brief_name = serializers.CharField(help_text="As it is now.")
    entity = asks.EntityOutput(source="*")
    period = serializers.ChoiceField(choices=asks.PERIODS)
    since = InstantField(allow_null=True, help_text="What the period meant; null: no beginning.")
    until = InstantField()
    state = serializers.ChoiceField(
        choices=[("RUNNING", "Running"), ("DONE", "Done")],
        help_text="A run that stays RUNNING for 15 minutes was interrupted.",
    )
    calls_read = serializers.IntegerField(help_text="At most 60, newest first.")
    emails_read = serializers.IntegerField(help_text="At most 500, newest first.")
    facts = serializers.ListField(
        child=serializers.CharField(), help_text="What is counted, not understood."
    )
    sections = ResultOutput(many=True)
    started_at = InstantField()
    estimate = AmountField(help_text="What was held at first; never more is used.")
    credits = charged.CreditsOutput(
        source="*", help_text="What two sections read is counted twice, as it is charged."
    )

    class Meta:
        ref_name = "BriefRun"

    def to_representation(self, row: BriefRun) -> dict[str, Any]:
        subject = row.entity_row
        instant = InstantField().to_representation
        results = list(results_of(row))
        return {
            "id": str(row.pk),
            "brief_id": str(row.brief_id),
            "brief_name": row.brief.name,
            "entity": {"type": row.entity_type, "id": str(subject.pk), "name": str(subject)},
            "period": row.period,
            "since": None if row.since is None else instant(row.since),
            "until": instant(row.until),
            "state": "DONE" if row.is_finished else "RUNNING",
            "calls_read": row.calls,
            "emails_read": row.emails,
            "facts": row.facts,
            "sections": ResultOutput(results, many=True).data,  # type: ignore[arg-type]
            "started_at": instant(row.started_at),
            "estimate": AmountField().to_representation(row.estimate),
            "credits": charged.credits_of(
                used=row.credits,
                remaining=remaining_of(row),
                calls=sum(one.calls for one in results),
                emails=sum(one.emails for one in results),
                web_searches=sum(one.web_searches for one in results),
            ),
        }


def results_of(run: BriefRun) -> QuerySet[BriefResult]:
    cited = BriefCitation.objects.select_related("conversation", "utterance").order_by("rank")
    return run.results.order_by("position").prefetch_related(
        Prefetch("citations", queryset=cited),
        Prefetch("pages", queryset=BriefPage.objects.order_by("rank")),
    )


def remaining_of(run: BriefRun) -> Any:
    """Return what its caller was told is left; what is left now if nobody was told."""
    if run.remaining is not None:
        return run.remaining
    return balances.now(company=run.company).available
