"""The OpenAPI document of the endpoints below /v2/: what we offer of that API, and only that.

Requests are described by the serializers that read them; answers by the shapes here, which have no
field but those we send. A test holds both against the addresses there are and what they answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from rest_framework import serializers

from credits.api.fields import CodeField, FlagField, InstantField
from trackers.api.gong import asks, briefs, call_filters, users
from trackers.api.gong.call_filters import CallsRequest, ExtensiveRequest
from trackers.api.gong.views import WorkspaceParameters

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
INSTANT: Shape = {"type": "string", "format": "date-time"}
NUMBER: Shape = {"type": "string", "pattern": "^[0-9]{1,20}$"}
COUNT: Shape = {"type": "integer", "minimum": 0}
FLAG: Shape = {"type": "boolean"}
SECONDS: Shape = {"type": "number", "minimum": 0}
ABOUT_US = "What existing clients of that API ask for, answered from this site; docs/gong-api.md."


def fields(required: str = "", **shapes: Shape) -> Shape:
    """Return an object of these fields and no others; the required ones are named, “*” all."""
    names = list(shapes) if required == "*" else required.split()
    return {
        "type": "object",
        "properties": shapes,
        "required": names,
        "additionalProperties": False,
    }


def each(shape: Shape) -> Shape:
    return {"type": "array", "items": shape}


def one_of(*codes: str) -> Shape:
    return {"type": "string", "enum": list(codes)}


ID: Shape = {"$ref": "#/components/schemas/Id"}
RECORDS = fields(
    "totalRecords currentPageSize currentPageNumber",
    totalRecords=COUNT,
    currentPageSize=COUNT,
    currentPageNumber=COUNT,
    cursor=TEXT,
)
FOUND_CALL = fields("call", call=fields("*", id=ID, title=TEXT, started=INSTANT, url=TEXT))
FOUND_EMAILS = fields(
    "emails",
    emails=each(
        fields("*", id={"type": "string", "format": "uuid"}, title=TEXT, sentDateTime=INSTANT)
    ),
)
USER = fields(
    "id emailAddress active firstName lastName",
    id=ID,
    emailAddress=TEXT,
    created=INSTANT,
    active=FLAG,
    emailAliases=each(TEXT),
    trustedEmailAddress=TEXT,
    firstName=TEXT,
    lastName=TEXT,
    personalMeetingUrls=each(TEXT),
)
TRACKER = fields(
    "trackerId trackerName workspaceId languageKeywords affiliation created updated",
    trackerId=ID,
    trackerName=TEXT,
    workspaceId=NUMBER,
    languageKeywords=each(
        fields("*", language=TEXT, keywords=each(TEXT), includeRelatedForms=FLAG)
    ),
    affiliation=one_of("Anyone", "Company", "NonCompany"),
    partOfQuestion=FLAG,
    saidAt=one_of("Anytime", "First", "Last"),
    saidAtInterval=COUNT,
    saidAtUnit=one_of("minutes"),
    saidInTopics=each(TEXT),
    filterQuery=TEXT,
    created=INSTANT,
    creatorUserId=ID,
    updated=INSTANT,
)
BRIEF = fields(
    "briefId briefName workspaceId status created updated",
    briefId=ID,
    briefName=TEXT,
    workspaceId=NUMBER,
    description=TEXT,
    status=one_of("Published", "Not published"),
    creator=TEXT,
    creatorUserId=ID,
    created=INSTANT,
    updated=INSTANT,
)
ANSWER = fields(
    "*", answerItems=each(TEXT), emailFindings=each(FOUND_EMAILS), callFindings=each(FOUND_CALL)
)
SECTION = fields(
    "title sectionSummary briefSectionType",
    title=TEXT,
    sectionSummary=each(TEXT),
    briefSectionType=one_of("Conversations", "Web", "CrmOrGongData"),
    webFindings=each(fields("*", domain=TEXT, title=TEXT, url=TEXT)),
    conversationFindings=fields(
        "*", emailFindings=each(FOUND_EMAILS), callFindings=each(FOUND_CALL)
    ),
)
FACTS = fields(
    "id url title started duration system scope workspaceId",
    id=ID,
    url=TEXT,
    title=TEXT,
    scheduled=INSTANT,
    started=INSTANT,
    duration=COUNT,
    primaryUserId=ID,
    direction=one_of("Unknown"),
    system=TEXT,
    scope=one_of("External", "Internal", "Unknown"),
    language=TEXT,
    workspaceId=NUMBER,
    clientUniqueId=TEXT,
    isPrivate=FLAG,
)


def context(*kinds: str) -> Shape:
    """Return what the CRM knows: objects of these kinds."""
    return fields(
        "*",
        system=one_of("Generic"),
        objects=each(
            fields(
                "objectType objectId",
                objectType=one_of(*kinds),
                objectId=TEXT,
                fields=each(fields("*", name=TEXT, value=TEXT)),
                timing=one_of(call_filters.NOW, call_filters.TIME_OF_CALL),
            )
        ),
    )


PARTY = fields(
    "id name affiliation methods",
    id=ID,
    emailAddress=TEXT,
    name=TEXT,
    userId=ID,
    speakerId=ID,
    context=each(context("Contact", "Lead")),
    affiliation=one_of("Internal", "External"),
    methods=each(one_of("Attendee")),
)
FOUND_TRACKER = fields(
    "*",
    id=ID,
    name=TEXT,
    count=COUNT,
    type=one_of("KEYWORD", "SMART"),
    occurrences=each(fields("speakerId", startTime=SECONDS, speakerId=ID)),
    phrases=each(TEXT),
)
EMPTY = {"type": "array", "maxItems": 0}
CALL = fields(
    "metaData",
    metaData=FACTS,
    context=each(context("Account", "Opportunity")),
    parties=each(PARTY),
    content=fields(
        structure=EMPTY,
        topics=EMPTY,
        outline=EMPTY,
        highlights=EMPTY,
        keyPoints=EMPTY,
        trackers=each(FOUND_TRACKER),
    ),
    interaction=fields(
        speakers=each(fields("id talkTime", id=ID, userId=ID, talkTime=SECONDS)),
        interactionStats=EMPTY,
        video=EMPTY,
    ),
    collaboration=fields("*", publicComments=EMPTY),
    media=fields(),
)
TRANSCRIPT = fields(
    "*",
    callId=ID,
    transcript=each(
        fields(
            "*",
            speakerId=ID,
            sentences=each(fields("text", start=COUNT, end=COUNT, text=TEXT)),
        )
    ),
)
SEARCHED = {"numOfCallsSearched": COUNT, "numOfEmailsSearched": COUNT}
# By method and path: what it is, the serializer that reads it, what it answers, if it is charged.
OPERATIONS: dict[tuple[str, str], tuple[str, Any, dict[str, Shape], bool]] = {
    ("get", "/v2/users"): (
        "List the team members",
        users.UserParameters,
        {"records": RECORDS, "users": each(USER)},
        False,
    ),
    ("get", "/v2/settings/trackers"): (
        "List the trackers",
        WorkspaceParameters,
        {"keywordTrackers": each(TRACKER)},
        False,
    ),
    ("get", "/v2/settings/briefs"): (
        "List the briefs",
        WorkspaceParameters,
        {"briefs": each(BRIEF)},
        False,
    ),
    ("get", "/v2/entities/ask-entity"): (
        "Ask anything; uses credits",
        asks.AskParameters,
        {**SEARCHED, "answer": each(ANSWER)},
        True,
    ),
    ("get", "/v2/entities/get-brief"): (
        "Run a brief; uses credits",
        briefs.BriefParameters,
        {**SEARCHED, "briefSections": each(SECTION)},
        True,
    ),
    ("post", "/v2/calls/extensive"): (
        "List calls with what is known of them",
        ExtensiveRequest,
        {"records": RECORDS, "calls": each(CALL)},
        False,
    ),
    ("post", "/v2/calls/transcript"): (
        "List what was said in calls",
        CallsRequest,
        {"records": RECORDS, "callTranscripts": each(TRANSCRIPT)},
        False,
    ),
}
ERRORS = {
    "400": "What is wrong with the request.",
    "401": "No key that works, or one without the scope.",
    "403": "A key without the scope.",
    "404": "Nothing is found.",
    "406": "Answers are JSON.",
    "413": "The body is too large.",
    "415": "Bodies are JSON.",
    "429": "Too many requests; Retry-After says how long to wait.",
    "500": "A failure of ours.",
    "503": "Not available at the moment.",
}
NO_CREDITS = {"402": "Not enough credits."}


@require_safe
def show(request: HttpRequest) -> JsonResponse:
    """Answer the document. It names no row of any company."""
    return JsonResponse(document())


def document() -> Shape:
    """Return the OpenAPI 3.1 document."""
    paths: dict[str, Shape] = {}
    for (method, path), (summary, reads, answers, is_charged) in OPERATIONS.items():
        paths.setdefault(path, {})[method] = _operation(
            method, path, summary, reads, answers, is_charged=is_charged
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tallystick: for existing clients", "version": "2", "summary": ABOUT_US},
        "security": [{"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {
                "Id": NUMBER | {"description": "A number of up to 20 digits, as a text."},
                "Error": fields("*", requestId=TEXT, errors=each(TEXT) | {"minItems": 1}),
            },
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(
    method: str,
    path: str,
    summary: str,
    reads: type[serializers.Serializer[Any]],
    answers: Mapping[str, Shape],
    *,
    is_charged: bool,
) -> Shape:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    good = fields("*", requestId=TEXT, **answers)
    refusals = ERRORS | (NO_CREDITS if is_charged else {})
    operation: Shape = {
        "operationId": path.removeprefix("/v2/").replace("/", "_").replace("-", "_"),
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": good}}},
            **{
                status: {"description": text, "content": error}
                for status, text in sorted(refusals.items())
            },
        },
    }
    shape = shape_of(reads())
    if method == "post":
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": shape}},
        }
        return operation
    for name in shape["properties"].keys() - set(shape["required"]):
        # An empty one says nothing, and is read as if it were not there.
        shape["properties"][name].pop("minLength", None)
    operation["parameters"] = [
        {"name": name, "in": "query", "required": name in shape["required"], "schema": one}
        for name, one in shape["properties"].items()
    ]
    return operation


def shape_of(field: serializers.Field[Any, Any, Any, Any]) -> Shape:
    """Return what a field of a request may be; fields that nobody knows say nothing."""
    match field:
        case serializers.Serializer():
            shape: Shape = {
                "type": "object",
                "properties": {name: shape_of(one) for name, one in field.fields.items()},
                "required": [name for name, one in field.fields.items() if one.required],
            }
        case serializers.ListField():
            shape = {"type": "array", "items": shape_of(field.child)}
            if field.max_length is not None:
                shape["maxItems"] = field.max_length
        case _:
            shape = _value(field)
    return {"anyOf": [shape, {"type": "null"}]} if field.allow_null else shape


def _value(field: serializers.Field[Any, Any, Any, Any]) -> Shape:
    match field:
        case CodeField():
            return one_of(*map(str, field.choices))
        case FlagField():
            return FLAG
        case InstantField():
            return INSTANT
        case serializers.RegexField():
            return NUMBER
        case serializers.CharField():
            bounds = {"minLength": 0 if field.allow_blank else 1, "maxLength": field.max_length}
            return TEXT | {name: bound for name, bound in bounds.items() if bound}
    raise TypeError(f"{field} is of no kind that is described here.")
