"""Results: what trackers found, and what they quote; free to read."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api import pages, problems, schema
from credits.api.fields import AmountField, CodeField, CountField, IdField, InstantField
from credits.api.reading import Parameters
from credits.api.views import ApiView, PageView
from credits.models import Company, Scope, UsageAction
from trackers import reviewing, rollups
from trackers.api import acting
from trackers.models import (
    Affiliation,
    Confidence,
    ConversationKind,
    Quote,
    Scan,
    ScanState,
    Verdict,
)

JUDGEMENTS = [
    ("CONFIRMED", "a person said it is right"),
    ("REJECTED", "a person said it is wrong"),
    ("JUDGED", "either"),
    ("OPEN", "nobody said anything"),
]
_AS_REVIEWED = {
    "CONFIRMED": reviewing.CONFIRMED,
    "REJECTED": reviewing.REJECTED,
    "JUDGED": reviewing.JUDGED,
    "OPEN": reviewing.OPEN,
}
ROLLED_UP_MAX = 200
BY = {by.name: by for by in rollups.By}

EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b41",
    "tracker_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b15",
    "tracker_name": "Pricing objection",
    "version_number": 2,
    "conversation_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b51",
    "conversation_title": "Globex renewal",
    "conversation_started_at": "2026-11-21T14:00:00Z",
    "kind": "CALL",
    "account_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b52",
    "account_name": "Globex",
    "deal_id": None,
    "deal_name": None,
    "verdict": "YES",
    "confidence": "HIGH",
    "answer": "",
    "judgement": "CONFIRMED",
    "is_from_an_earlier_text": False,
    "action": "CONTINUOUS",
    "credits": "1.0",
    "usage_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12",
    "finished_at": "2026-11-21T23:10:05.123456Z",
}
QUOTE_EXAMPLE = {
    "text": "That is too expensive for us.",
    "speaker": "Carl Customer",
    "affiliation": "NON_COMPANY",
    "start_seconds": 754.5,
    "utterance_id": "u41",
}
LINE_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b52",
    "name": "Globex",
    "verdict": "YES",
    "found": 7,
    "unsure": 1,
    "not_found": 12,
    "trackers": 3,
    "newest_at": "2026-11-21T14:00:00Z",
    "credits": "17.5",
}


class ResultParameters(pages.PageParameters):
    """Which results."""

    tracker = IdField(required=False, help_text="The id of one tracker.")
    account = IdField(required=False, help_text="The id of one account.")
    deal = IdField(required=False, help_text="The id of one deal.")
    conversation = IdField(required=False, help_text="The id of one call or e-mail.")
    team = IdField(required=False, help_text="The id of one team.")
    kind = CodeField(required=False, choices=ConversationKind.choices, help_text="Of what.")
    verdict = CodeField(required=False, choices=Verdict.choices, help_text="What was found.")
    confidence = CodeField(required=False, choices=Confidence.choices, help_text="How sure.")
    judged = CodeField(required=False, choices=JUDGEMENTS, help_text="What a person said of it.")
    since = InstantField(required=False, help_text="Found at or after this instant (RFC 3339).")
    until = InstantField(required=False, help_text="Found before this instant.")


class ResultOutput(serializers.Serializer[Any]):
    """What one version of a tracker found in one call or e-mail."""

    id = IdField()
    tracker_id = IdField()
    tracker_name = serializers.CharField(source="tracker.name")
    version_number = serializers.IntegerField(source="version.number")
    conversation_id = IdField()
    conversation_title = serializers.CharField(source="conversation.title")
    conversation_started_at = InstantField()
    kind = serializers.ChoiceField(source="conversation.kind", choices=ConversationKind.choices)
    account_id = IdField(source="conversation.account_id", allow_null=True)
    account_name = serializers.CharField(
        source="conversation.account.name", allow_null=True, default=None
    )
    deal_id = IdField(source="conversation.deal_id", allow_null=True)
    deal_name = serializers.CharField(
        source="conversation.deal.name", allow_null=True, default=None
    )
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    confidence = serializers.ChoiceField(choices=[*Confidence.choices, ("", "None")])
    answer = serializers.CharField(help_text="Empty for yes or no, which the verdict says.")
    judgement = serializers.SerializerMethodField(help_text="Null: nobody said anything of it.")
    is_from_an_earlier_text = serializers.SerializerMethodField(
        help_text="The text changed after it was read."
    )
    action = serializers.ChoiceField(choices=UsageAction.choices)
    credits = AmountField(source="price", help_text="Credits used.")
    usage_id = IdField(source="usage_event_id", help_text="The usage event that it is part of.")
    finished_at = InstantField()

    class Meta:
        ref_name = "Result"

    @extend_schema_field(serializers.ChoiceField(choices=JUDGEMENTS[:2], allow_null=True))
    def get_judgement(self, scan: Any) -> str | None:
        return {True: "CONFIRMED", False: "REJECTED", None: None}[scan.is_right]

    def get_is_from_an_earlier_text(self, scan: Scan) -> bool:
        return scan.revision != scan.conversation.text_revision


class QuoteOutput(serializers.Serializer[Any]):
    """A passage that the result rests on."""

    text = serializers.SerializerMethodField()
    speaker = serializers.CharField(source="utterance.speaker.name")
    affiliation = serializers.ChoiceField(
        source="utterance.affiliation", choices=Affiliation.choices
    )
    start_seconds = serializers.FloatField(
        source="utterance.start_seconds", allow_null=True, help_text="Into the call, in seconds."
    )
    utterance_id = serializers.CharField(source="utterance.external_id")

    class Meta:
        ref_name = "Quote"

    def get_text(self, quote: Quote) -> str:
        return quote.utterance.text[quote.start : quote.end]


class ResultDetail(ResultOutput):
    """A result with its quotes, best first."""

    quotes = QuoteOutput(many=True)

    class Meta:
        ref_name = "ResultDetail"


class ResultPage(serializers.Serializer[Any]):
    items = ResultOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class ResultsView(PageView):
    """The results of the key's company."""

    scopes: ClassVar = {"GET": Scope.RESULTS_READ}
    parameters = ResultParameters
    # A result is there from the instant it was found, which comes after its id was made.
    order = pages.Order((("finished_at", pages.instant), ("id", pages.uuid)))
    output = ResultOutput

    @extend_schema(
        operation_id="list_results",
        tags=["Results"],
        summary="List results",
        parameters=[ResultParameters],
        responses={
            200: schema.answered(
                ResultPage,
                "One page of results.",
                results={"items": [EXAMPLE], "next_cursor": None},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """What was found, in the order in which it was. Free."""
        lookups = {
            "tracker": "tracker",
            "account": "conversation__account",
            "deal": "conversation__deal",
            "conversation": "conversation",
            "team": "team",
            "kind": "conversation__kind",
            "verdict": "verdict",
            "confidence": "confidence",
            "since": "finished_at__gte",
            "until": "finished_at__lt",
        }
        given = {
            lookup: self.values[name] for name, lookup in lookups.items() if name in self.values
        }
        rows = reviewing.judged(
            results_of(self.company).filter(**given),
            _AS_REVIEWED.get(self.values.get("judged", ""), ""),
        )
        return self.page(rows)


class ResultView(ApiView):
    """One result of the key's company."""

    scopes: ClassVar = {"GET": Scope.RESULTS_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_result",
        tags=["Results"],
        summary="Read a result",
        responses={
            200: schema.answered(
                ResultDetail, "The result.", result=EXAMPLE | {"quotes": [QUOTE_EXAMPLE]}
            )
        },
    )
    def get(self, request: Request, id: UUID) -> Response:
        """What was found, with the quotes it rests on. Free."""
        quotes = Quote.objects.select_related("utterance__speaker").order_by("rank")
        rows = results_of(self.company).prefetch_related(Prefetch("quotes", queryset=quotes))
        return Response(ResultDetail(acting.one(rows, id, "result")).data)


class RollupParameters(Parameters):
    """What results are added up by, and which."""

    by = CodeField(
        required=False,
        default=rollups.By.ACCOUNT.name,
        choices=[(by.name, by.label) for by in rollups.By],
        help_text="One line for each of these.",
    )
    tracker = IdField(required=False, help_text="The id of one tracker.")
    since = InstantField(required=False, help_text="Found at or after this instant (RFC 3339).")
    limit = CountField(
        required=False,
        default=pages.LIMIT_DEFAULT,
        min_value=1,
        max_value=ROLLED_UP_MAX,
        help_text="How many lines at most.",
    )


class LineOutput(serializers.Serializer[Any]):
    """The results about one account, deal, conversation or tracker together."""

    id = IdField(source="ref")
    name = serializers.CharField()
    verdict = serializers.ChoiceField(
        choices=Verdict.choices, help_text="The best that any of them says."
    )
    found = serializers.IntegerField()
    unsure = serializers.IntegerField()
    not_found = serializers.IntegerField()
    trackers = serializers.IntegerField(
        source="tracker_count", help_text="How many of them found something."
    )
    newest_at = InstantField(help_text="When the newest conversation among them began.")
    credits = AmountField()

    class Meta:
        ref_name = "ResultLine"


class RollupOutput(serializers.Serializer[Any]):
    """The lines with the most found first."""

    by = serializers.ChoiceField(choices=[(by.name, by.label) for by in rollups.By])
    items = LineOutput(many=True)
    has_more = serializers.BooleanField(help_text="There are more lines than `limit`.")

    class Meta:
        ref_name = "ResultLines"


class RollupView(ApiView):
    """The results of the key's company added up."""

    scopes: ClassVar = {"GET": Scope.RESULTS_READ}
    parameters = RollupParameters
    raises = (problems.INVALID_PARAMETER,)

    @extend_schema(
        operation_id="sum_results",
        tags=["Results"],
        summary="Add results up",
        parameters=[RollupParameters],
        responses={
            200: schema.answered(
                RollupOutput,
                "One line for each.",
                accounts={"by": "ACCOUNT", "items": [LINE_EXAMPLE], "has_more": False},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """By account, deal, conversation or tracker; most found first. Free."""
        limit = self.values["limit"]
        rows = rollups.lines(
            company=self.company,
            by=BY[self.values["by"]],
            since=self.values.get("since"),
            tracker_id=self.values.get("tracker"),
        )
        found = [rollups.line(row) for row in rows[: limit + 1]]
        shown = {"by": self.values["by"], "items": found[:limit], "has_more": len(found) > limit}
        return Response(RollupOutput(shown).data)


def results_of(company: Company) -> QuerySet[Any]:
    """Return what was found in a company, each with what people said of it."""
    done = Scan.objects.filter(company=company, state=ScanState.DONE)
    return (
        reviewing.with_judgement(done)
        .select_related("tracker", "version", "conversation__account", "conversation__deal")
        .defer("version__calibration")
    )
