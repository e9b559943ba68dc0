"""Trackers as the API shows them, and what may be said of them."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits.amounts import ZERO
from credits.api.fields import (
    AmountField,
    CodeField,
    CountField,
    DayField,
    FlagField,
    IdField,
    InstantField,
    TextField,
)
from credits.models import Company
from trackers import filters, parts
from trackers.api.inputs import FiltersField, TextsField
from trackers.configuring import NAME_LENGTH_MAX
from trackers.models import (
    AnswerType,
    FilterField,
    Part,
    Side,
    Tracker,
    TrackerFilter,
    TrackerKind,
    TrackerState,
    TrackerVersion,
)
from trackers.questioning import DETAILS_LENGTH_MAX, QUESTION_LENGTH_MAX

VERSION_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b21",
    "number": 2,
    "published_at": "2026-11-01T08:00:41Z",
    "question": "Did the customer object to the price?",
    "details": "",
    "answer_type": "YES_NO",
    "choices": [],
    "side": "CUSTOMER",
    "part": "WHOLE",
    "part_minutes": None,
    "terms": [],
    "related_forms": False,
    "pretrained": "",
}
EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b15",
    "kind": "QUESTION",
    "name": "Pricing objection",
    "description": "",
    "state": "PUBLISHED",
    "edit_number": 7,
    "include_calls": True,
    "include_emails": False,
    "language": "",
    "catch_up": False,
    "campaign_end_date": None,
    "examples": ["That is too expensive."],
    "counter_examples": [],
    "filters": [
        {
            "field": "TEAM",
            "value": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b16",
            "name": "EMEA Sales",
            "is_excluded": False,
        }
    ],
    "reads": "team is EMEA Sales",
    "version": VERSION_EXAMPLE,
    "draft": None,
    "waiting": {"conversations": 12, "credits": "10.5"},
    "first_published_at": "2026-10-01T08:00:41Z",
    "published_at": "2026-11-01T08:00:41Z",
    "unpublished_at": None,
    "created_at": "2026-09-30T16:12:09.5Z",
}
ESTIMATE_EXAMPLE = {
    "version_number": 2,
    "conversations": 1100,
    "calls": 1100,
    "emails": 0,
    "credits": "1004.5",
    "low": "880.3",
    "high": "1128.7",
}
DETAIL_EXAMPLE = EXAMPLE | {"month": ESTIMATE_EXAMPLE}
CREATE_EXAMPLE = {
    "name": "Pricing objection",
    "kind": "QUESTION",
    "question": "Did the customer object to the price?",
    "side": "CUSTOMER",
    "examples": ["That is too expensive."],
    "filters": [{"field": "DEAL_STAGE", "value": "evaluation"}],
}
CHANGE_EXAMPLE = {"name": "Objections to prices", "include_emails": True}
DRAFTED = "drafted"


class ChangeInput(serializers.Serializer[Any]):
    """What of a tracker to change; what is left out stays. Another question is a new version."""

    name = TextField(required=False, max_length=NAME_LENGTH_MAX)
    description = TextField(required=False, max_length=DETAILS_LENGTH_MAX)
    include_calls = FlagField(required=False)
    include_emails = FlagField(required=False, help_text="Off unless you say so.")
    language = TextField(
        required=False, max_length=3, help_text="A code of two or three letters; empty: any."
    )
    catch_up = FlagField(
        required=False, help_text="When credits come, read what waited without asking."
    )
    campaign_end_date = DayField(
        required=False,
        allow_null=True,
        help_text="The last day the answers are wanted; after it, switching the tracker off is "
        "suggested. Nothing stops by itself.",
    )
    examples = TextsField(required=False, help_text="Phrases that should be found.")
    counter_examples = TextsField(required=False, help_text="Similar ones that should not.")
    filters = FiltersField(required=False, help_text="Which conversations; none: all of them.")
    question = TextField(
        required=False, max_length=QUESTION_LENGTH_MAX, help_text="Of question trackers."
    )
    details = TextField(required=False, max_length=DETAILS_LENGTH_MAX)
    answer_type = CodeField(required=False, choices=AnswerType.choices)
    choices = TextsField(required=False, help_text="Of an answer that is one of several.")
    side = CodeField(required=False, choices=Side.choices, help_text="Whose words.")
    part = CodeField(required=False, choices=Part.choices, help_text="Which part of a call.")
    part_minutes = CountField(
        required=False, allow_null=True, min_value=1, max_value=parts.MINUTES_MAX
    )
    terms = TextsField(required=False, help_text="Words and phrases, of keyword trackers.")
    related_forms = FlagField(required=False, help_text="Other forms of a word too.")
    pretrained = TextField(
        required=False, max_length=40, help_text="Which shipped one, of pretrained trackers."
    )

    class Meta:
        ref_name = "TrackerChange"


class CreateInput(ChangeInput):
    """A tracker to draft. Nothing is read, and nothing charged, until it is published."""

    name = TextField(max_length=NAME_LENGTH_MAX)
    kind = CodeField(
        required=False,
        default=TrackerKind.QUESTION,
        choices=TrackerKind.choices,
        help_text="Never changes afterwards. Only questions are charged.",
    )

    class Meta:
        ref_name = "TrackerCreation"


class FilterOutput(serializers.Serializer[Any]):
    """One value of a tracker's filters."""

    field = serializers.ChoiceField(choices=FilterField.choices)
    value = serializers.SerializerMethodField("value_of", help_text="An id, or the text itself.")
    name = serializers.SerializerMethodField("name_of")
    is_excluded = serializers.BooleanField()

    class Meta:
        ref_name = "TrackerFilter"

    def value_of(self, row: TrackerFilter) -> str:
        return str(row.team_id or row.member_id or row.text)

    def name_of(self, row: TrackerFilter) -> str:
        return str(row.team or row.member or row.text)


class VersionOutput(serializers.Serializer[Any]):
    """What is asked. A conversation's text is charged at most once for it."""

    id = IdField()
    number = serializers.IntegerField(help_text="Counts the tracker's versions.")
    published_at = InstantField(allow_null=True)
    question = serializers.CharField(help_text="What is asked, or looked for, in words.")
    details = serializers.CharField()
    answer_type = serializers.ChoiceField(choices=AnswerType.choices)
    choices = TextsField()
    side = serializers.ChoiceField(choices=Side.choices)
    part = serializers.ChoiceField(choices=Part.choices)
    part_minutes = serializers.IntegerField(allow_null=True)
    terms = TextsField()
    related_forms = serializers.BooleanField()
    pretrained = serializers.CharField()

    class Meta:
        ref_name = "TrackerVersion"


class WaitingOutput(serializers.Serializer[Any]):
    """What waits for credits, and what reading it will use."""

    conversations = serializers.IntegerField()
    credits = AmountField()

    class Meta:
        ref_name = "Waiting"


class TrackerOutput(serializers.Serializer[Any]):
    """A tracker: its settings, the version in force, and the one being drafted."""

    id = IdField()
    kind = serializers.ChoiceField(choices=TrackerKind.choices)
    name = serializers.CharField()
    description = serializers.CharField()
    state = serializers.ChoiceField(choices=TrackerState.choices)
    edit_number = serializers.IntegerField(help_text="Counts its changes; the ETag.")
    include_calls = serializers.BooleanField()
    include_emails = serializers.BooleanField()
    language = serializers.CharField(help_text="Empty: any.")
    catch_up = serializers.BooleanField()
    campaign_end_date = DayField(allow_null=True)
    examples = TextsField()
    counter_examples = TextsField()
    filters = FilterOutput(many=True)
    reads = serializers.SerializerMethodField(help_text="The filters in words.")
    version = VersionOutput(source="current_version", allow_null=True)
    draft = serializers.SerializerMethodField(
        help_text="What publishing would bring into force; null when nothing was changed."
    )
    waiting = serializers.SerializerMethodField()
    first_published_at = InstantField(
        allow_null=True, help_text="Conversations from then on are new; older ones are history."
    )
    published_at = InstantField(allow_null=True)
    unpublished_at = InstantField(allow_null=True)
    created_at = InstantField()

    class Meta:
        ref_name = "Tracker"

    def get_reads(self, tracker: Tracker) -> str:
        return filters.in_words(tracker)

    @extend_schema_field(VersionOutput(allow_null=True))
    def get_draft(self, tracker: Any) -> Any:
        drafted = getattr(tracker, DRAFTED)
        return VersionOutput(drafted[0]).data if drafted else None

    @extend_schema_field(WaitingOutput)
    def get_waiting(self, tracker: Tracker) -> Any:
        queue = self.context["queues"].get(tracker.pk)
        if queue is None:
            return WaitingOutput({"conversations": 0, "credits": ZERO}).data
        return WaitingOutput({"conversations": queue.count, "credits": queue.credits}).data


class MonthOutput(serializers.Serializer[Any]):
    """What a month costs at the pace of the last 30 days; four months in five lie in the range."""

    version_number = serializers.IntegerField(help_text="The version it is about.")
    conversations = serializers.IntegerField()
    calls = serializers.IntegerField()
    emails = serializers.IntegerField()
    credits = AmountField()
    low = AmountField()
    high = AmountField()

    class Meta:
        ref_name = "MonthEstimate"


class DetailOutput(TrackerOutput):
    """A tracker with what a month of it costs; of its draft, where there is one."""

    month = serializers.SerializerMethodField()

    class Meta:
        ref_name = "TrackerDetail"

    @extend_schema_field(MonthOutput(allow_null=True))
    def get_month(self, tracker: Tracker) -> Any:
        month = self.context["month"]
        return None if month is None else MonthOutput(month).data


def trackers_of(company: Company) -> QuerySet[Any]:
    """Return a company's trackers with all that is shown of them; calibrations are large."""
    drafts = TrackerVersion.objects.filter(published_at=None).defer("calibration")
    return (
        Tracker.objects.filter(company=company)
        .select_related("company", "current_version")
        .defer("current_version__calibration")
        .prefetch_related(filters.NAMED, Prefetch("versions", drafts, to_attr=DRAFTED))
    )
