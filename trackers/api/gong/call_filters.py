"""Which calls a request asks for, and how much of each."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from credits.api import pages, problems
from credits.api.fields import CodeField, FlagField, InstantField, TextField
from credits.api.problems import Problem
from credits.models import Company
from trackers.api.gong import numbers
from trackers.models import Conversation, ConversationKind, TeamMember

IDS_MAX = 1000
NONE, BASIC, EXTENDED = "None", "Basic", "Extended"
NOW, TIME_OF_CALL = "Now", "TimeOfCall"
NO_CALLS = "No calls found corresponding to the provided filters."


class Instant(InstantField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)


class Text(TextField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)


class Flag(FlagField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)


class Ids(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=TextField(max_length=200),
            required=False,
            allow_null=True,
            max_length=IDS_MAX,
            **kwargs,
        )


class CallsFilter(serializers.Serializer[Any]):
    """Calls that started in a half-open range, of these ids."""

    fromDateTime = Instant()
    toDateTime = Instant()
    workspaceId = Text()
    callIds = Ids()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        since, until = attrs.get("fromDateTime"), attrs.get("toDateTime")
        if since and until and since > until:
            raise serializers.ValidationError({"toDateTime": "It is before fromDateTime."})
        return attrs


class OwnedCallsFilter(CallsFilter):
    """Also of these hosts."""

    primaryUserIds = Ids()


class Content(serializers.Serializer[Any]):
    structure = Flag()
    topics = Flag()
    trackers = Flag()
    trackerOccurrences = Flag()
    pointsOfInterest = Flag()
    brief = Flag()
    outline = Flag()
    highlights = Flag()
    callOutcome = Flag()
    keyPoints = Flag()


class Interaction(serializers.Serializer[Any]):
    speakers = Flag()
    video = Flag()
    personInteractionStats = Flag()
    questions = Flag()


class Collaboration(serializers.Serializer[Any]):
    publicComments = Flag()


class ExposedFields(serializers.Serializer[Any]):
    parties = Flag()
    content = Content(required=False, allow_null=True)
    interaction = Interaction(required=False, allow_null=True)
    collaboration = Collaboration(required=False, allow_null=True)
    media = Flag()


class Selector(serializers.Serializer[Any]):
    """What an answer holds of each call besides its facts."""

    context = CodeField(  # type: ignore[assignment]
        required=False,
        allow_null=True,
        choices=[(code, code) for code in (NONE, BASIC, EXTENDED)],
    )
    contextTiming = serializers.ListField(
        child=CodeField(choices=[(code, code) for code in (NOW, TIME_OF_CALL)]),
        required=False,
        allow_null=True,
    )
    exposedFields = ExposedFields(required=False, allow_null=True)


class CallsRequest(serializers.Serializer[Any]):
    cursor = Text(max_length=pages.CURSOR_LENGTH_MAX)
    filter = CallsFilter()


class ExtensiveRequest(serializers.Serializer[Any]):
    cursor = Text(max_length=pages.CURSOR_LENGTH_MAX)
    filter = OwnedCallsFilter()
    contentSelector = Selector(required=False, allow_null=True)


def calls(*, company: Company, asked: dict[str, Any]) -> QuerySet[Conversation]:
    """Return the company's calls that a filter asks for. Erased ones hold nothing to answer."""
    rows = Conversation.objects.filter(company=company, kind=ConversationKind.CALL, erased_at=None)
    if since := asked.get("fromDateTime"):
        rows = rows.filter(started_at__gte=since)
    if until := asked.get("toDateTime"):
        rows = rows.filter(started_at__lt=until)
    if ids := asked.get("callIds"):
        rows = rows.filter(pk__in=numbers.calls_named(ids, company=company))
    if owners := asked.get("primaryUserIds"):
        members = TeamMember.objects.filter(company=company).values_list("pk", flat=True)
        rows = rows.filter(owner_id__in=[key for key in members if numbers.of(key) in owners])
    return rows


def no_calls() -> Problem:
    """Return the answer of that API where there is no call: 404."""
    return Problem(problems.NOT_FOUND, NO_CALLS)
