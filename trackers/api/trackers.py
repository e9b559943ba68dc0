"""Trackers: what is asked of conversations; drafting, changing and deleting them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import rating
from credits.api import pages, problems, reading, schema, writes
from credits.api.fields import CodeField
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView
from credits.idempotency import Answer
from credits.models import Company, Scope
from trackers import configuring, discarding, estimates, publishing, waiting
from trackers.api import acting, shapes
from trackers.api.acting import IF_MATCH_PARAMETER, STATE_PROBLEMS
from trackers.configuring import Question, Settings
from trackers.models import Tracker, TrackerKind, TrackerState

SETTINGS = {field.name for field in fields(Settings)}
_OF_EVERY_KIND = {"part", "part_minutes"}
# What is asked, by kind; the rest of it is not of the kind and is refused.
ASKED: dict[str, set[str]] = {
    TrackerKind.QUESTION: _OF_EVERY_KIND
    | {"question", "details", "answer_type", "choices", "side"},
    TrackerKind.KEYWORD: _OF_EVERY_KIND | {"terms", "related_forms", "side"},
    TrackerKind.PRETRAINED: _OF_EVERY_KIND | {"pretrained"},
}


class TrackerParameters(pages.PageParameters):
    """Which trackers."""

    state = CodeField(required=False, choices=TrackerState.choices, help_text="Where it stands.")
    kind = CodeField(required=False, choices=TrackerKind.choices, help_text="How it finds.")


class TrackerPage(serializers.Serializer[Any]):
    items = shapes.TrackerOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class TrackersView(PageView):
    """The trackers of the key's company."""

    scopes: ClassVar = {"GET": Scope.TRACKERS_READ, "POST": Scope.TRACKERS_WRITE}
    parameters = TrackerParameters
    # Ids are time-ordered: this is the order they were made in.
    order = pages.Order((("id", pages.uuid),))
    output = shapes.TrackerOutput

    @extend_schema(
        operation_id="list_trackers",
        tags=["Trackers"],
        summary="List trackers",
        parameters=[TrackerParameters],
        responses={
            200: schema.answered(
                TrackerPage,
                "One page of trackers.",
                trackers={"items": [shapes.EXAMPLE], "next_cursor": None},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """What your company's trackers ask, of which conversations, and what waits for credits."""
        rows = shapes.trackers_of(self.company)
        for name in ("state", "kind"):
            if name in self.values:
                rows = rows.filter(**{name: self.values[name]})
        return self.page(rows, context={"queues": queues_of(self.company)})

    @extend_schema(
        operation_id="create_tracker",
        tags=["Trackers"],
        summary="Draft a tracker",
        request=shapes.CreateInput,
        parameters=[*writes.PARAMETERS, acting.etag_parameter(201)],
        examples=[OpenApiExample("draft", value=shapes.CREATE_EXAMPLE, request_only=True)],
        responses={
            201: schema.answered(
                shapes.DetailOutput,
                "The draft.",
                draft=shapes.DETAIL_EXAMPLE
                | {
                    "state": "DRAFT",
                    "edit_number": 1,
                    "version": None,
                    "draft": shapes.VERSION_EXAMPLE | {"number": 1, "published_at": None},
                    "waiting": {"conversations": 0, "credits": "0.0"},
                    "first_published_at": None,
                    "published_at": None,
                },
            )
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Draft a tracker. Nothing is read, and nothing charged, until it is published.

        It is made in the name of the person who made the key.
        """
        return acting.with_etag(
            writes.once(
                self, operation="trackers.create", body=shapes.CreateInput, act=self._create
            )
        )

    def _create(self, values: dict[str, Any]) -> Answer:
        asked = asked_of(values, values["kind"])
        with acting.refusals():
            made = configuring.save(
                company=self.company,
                tracker_id=None,
                edit_number=None,
                settings=Settings(**settings_of(values)),
                question=Question(kind=values["kind"], **asked),
                by=acting.person(self),
                now=timezone.now(),
                through=acting.through(self),
            )
        return answer(self, made.pk, status=201)


class TrackerView(ApiView):
    """One tracker of the key's company."""

    scopes: ClassVar = {
        "GET": Scope.TRACKERS_READ,
        "PATCH": Scope.TRACKERS_WRITE,
        "DELETE": Scope.TRACKERS_WRITE,
    }
    raises = (problems.NOT_FOUND,)
    raises_on_writes = STATE_PROBLEMS

    @extend_schema(
        operation_id="read_tracker",
        tags=["Trackers"],
        summary="Read a tracker",
        parameters=[acting.etag_parameter(200)],
        responses={
            200: schema.answered(shapes.DetailOutput, "The tracker.", tracker=shapes.DETAIL_EXAMPLE)
        },
    )
    def get(self, request: Request, id: UUID) -> Response:
        """What it asks, of which conversations, and what a month of it costs."""
        tracker = acting.one(shapes.trackers_of(self.company), id, "tracker")
        return Response(detail(tracker), headers={"ETag": acting.etag(tracker.edit_number)})

    @extend_schema(
        operation_id="change_tracker",
        tags=["Trackers"],
        summary="Change a tracker",
        request=shapes.ChangeInput,
        parameters=[IF_MATCH_PARAMETER, *writes.parameters(200), acting.etag_parameter(200)],
        examples=[OpenApiExample("change", value=shapes.CHANGE_EXAMPLE, request_only=True)],
        responses={
            200: schema.answered(
                shapes.DetailOutput, "The tracker as it is now.", tracker=shapes.DETAIL_EXAMPLE
            )
        },
    )
    def patch(self, request: Request, id: UUID) -> HttpResponse:
        """Change what the body names. Settings take effect at once and charge nothing anew.

        Another question, side, answer or part of the call is drafted beside the version in force,
        which goes on until the draft is published. A state that somebody else changed meanwhile
        is refused with 412.
        """
        tracker = acting.one(Tracker.objects.filter(company=self.company), id, "tracker")
        return acting.with_etag(
            writes.once(
                self,
                operation="trackers.change",
                body=shapes.ChangeInput,
                about=acting.about(self, id),
                act=lambda values: self._change(tracker.pk, values),
            )
        )

    @extend_schema(
        operation_id="delete_tracker",
        tags=["Trackers"],
        summary="Delete a draft",
        request=None,
        parameters=[IF_MATCH_PARAMETER, *writes.parameters(204)],
        responses={204: None},
    )
    def delete(self, request: Request, id: UUID) -> HttpResponse:
        """Delete a draft with its questions, filters and tests. What was published once stays.

        A repeated request with the same key answers 204 again.
        """
        return writes.once(
            self,
            operation="trackers.delete",
            body=reading.Parameters,
            about=acting.about(self, id),
            act=lambda _: self._delete(id),
        )

    def _change(self, tracker_id: UUID, values: dict[str, Any]) -> Answer:
        tracker = acting.one(Tracker.objects.filter(company=self.company), tracker_id, "tracker")
        edit_number = acting.seen(self, tracker)
        asked = asked_of(values, tracker.kind)
        newest = publishing.next_version(tracker)
        question = (
            Question(kind=tracker.kind) if newest is None else configuring.question_of(newest)
        )
        with acting.refusals():
            configuring.save(
                company=self.company,
                tracker_id=tracker.pk,
                edit_number=edit_number,
                settings=replace(configuring.settings_of(tracker), **settings_of(values)),
                question=replace(question, **asked),
                by=acting.person(self),
                now=timezone.now(),
                through=acting.through(self),
            )
        return answer(self, tracker.pk)

    def _delete(self, tracker_id: UUID) -> Answer:
        tracker = acting.one(Tracker.objects.filter(company=self.company), tracker_id, "tracker")
        with acting.refusals():
            discarding.discard(
                tracker_id=tracker.pk,
                edit_number=acting.seen(self, tracker),
                by=acting.person(self),
                now=timezone.now(),
                through=acting.through(self),
            )
        return Answer(status=writes.NO_CONTENT, text="", location="", result_ref=tracker_id)


def answer(view: ApiView, tracker_id: UUID, *, status: int = 200) -> Answer:
    """Return a tracker as it is after an act, inside the act's transaction."""
    tracker = shapes.trackers_of(view.company).get(pk=tracker_id)
    return Answer(
        status=status,
        text=writes.text_of(detail(tracker)),
        location=reverse("api_tracker", args=[tracker_id]),
        result_ref=tracker_id,
    )


def detail(tracker: Tracker) -> Any:
    """Return a tracker with what a month of it costs."""
    queues = queues_of(tracker.company)
    return shapes.DetailOutput(tracker, context={"queues": queues, "month": month(tracker)}).data


def month(tracker: Tracker) -> dict[str, Any] | None:
    """Price a month of what is, or would be, in force; None for a tracker that asks nothing yet."""
    version = publishing.next_version(tracker)
    if version is None:
        return None
    now = timezone.now()
    found = estimates.monthly(tracker=tracker, version=version, now=now, rates=rating.rates_at(now))
    names = ("conversations", "calls", "emails", "credits", "low", "high")
    return {"version_number": version.number} | {name: getattr(found, name) for name in names}


def queues_of(company: Company) -> dict[UUID, waiting.Queue]:
    """Return what waits for credits, by tracker."""
    return {queue.tracker_id: queue for queue in waiting.queues(company=company)}


def settings_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return what a body says of a tracker's settings."""
    return {name: value for name, value in values.items() if name in SETTINGS}


def asked_of(values: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return what a body says of the question.

    :raises Problem: it names what trackers of the kind do not have.
    """
    asked = {n: value for n, value in values.items() if n not in SETTINGS and n != "kind"}
    if strange := sorted(asked.keys() - ASKED[kind]):
        label = TrackerKind(kind).label.lower()
        errors = [
            {"name": name, "detail": f"Not of a tracker of the kind “{label}”; leave it out."}
            for name in strange
        ]
        detail = f"{errors[0]['name']}: {errors[0]['detail']}"
        raise Problem(problems.INVALID_BODY, detail, errors=errors)
    return asked
