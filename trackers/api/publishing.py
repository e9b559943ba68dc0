"""Publish and unpublish trackers: what a month costs is known, and accepted, before."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import amounts, balances, rating
from credits.amounts import ZERO
from credits.api import problems, reading, schema, writes
from credits.api.fields import AmountField, FlagField
from credits.api.problem_types import ACCEPTANCE_REQUIRED
from credits.api.problems import Problem
from credits.api.views import ApiView
from credits.idempotency import Answer
from credits.models import Scope
from trackers import publishing, requeuing
from trackers.api import acting, charged, shapes, trackers
from trackers.api.acting import IF_MATCH_PARAMETER, STATE_PROBLEMS
from trackers.models import Tracker, TrackerState

EXAMPLE = {
    "dry_run": False,
    "month": shapes.ESTIMATE_EXAMPLE,
    "available": "20369.4",
    "needs_acceptance": False,
    "taken_over": {"conversations": 0, "credits": "0.0"},
    "tracker": shapes.DETAIL_EXAMPLE,
}


class PublishInput(serializers.Serializer[Any]):
    """How to publish."""

    accept_share = FlagField(
        required=False,
        default=False,
        help_text="Also if a month may cost more than 10 % of what is available.",
    )
    dry_run = FlagField(
        required=False, default=False, help_text="Only say what it would cost; change nothing."
    )

    class Meta:
        ref_name = "TrackerPublication"


class PublishedOutput(serializers.Serializer[Any]):
    """What publishing costs, and the tracker as it is then."""

    dry_run = serializers.BooleanField(help_text="True: nothing was published.")
    month = shapes.MonthOutput()
    available = AmountField(help_text="What can be spent now.")
    needs_acceptance = serializers.BooleanField(
        help_text="A month may cost more than 10 % of what is available."
    )
    taken_over = shapes.WaitingOutput(
        help_text="What the version in force has queued, and the new one reads instead."
    )
    tracker = shapes.DetailOutput()

    class Meta:
        ref_name = "Publication"


class PublishView(ApiView):
    """Bring a tracker's newest version into force."""

    scopes: ClassVar = {"POST": Scope.TRACKERS_WRITE}
    parameters_of_writes = charged.ChargedParameters
    raises = (problems.NOT_FOUND,)
    raises_on_writes = (ACCEPTANCE_REQUIRED, *STATE_PROBLEMS)

    @extend_schema(
        operation_id="publish_tracker",
        tags=["Trackers"],
        summary="Publish a tracker",
        request=PublishInput,
        parameters=[
            charged.DRY_RUN,
            IF_MATCH_PARAMETER,
            *writes.parameters(200),
            acting.etag_parameter(200),
        ],
        examples=[OpenApiExample("publish", value={"accept_share": True}, request_only=True)],
        responses={
            200: schema.answered(
                PublishedOutput,
                "What it costs, and the tracker.",
                published=EXAMPLE,
                only_asked=EXAMPLE | {"dry_run": True},
            )
        },
    )
    def post(self, request: Request, id: UUID) -> HttpResponse:
        """From now on new conversations are read; history costs nothing until a backfill.

        With `dry_run` all is checked and priced as if it were done, nothing is changed, and no
        Idempotency-Key is needed.
        """
        acting.one(Tracker.objects.filter(company=self.company), id, "tracker")
        values = charged.asked_in_the_address(self, reading.body(PublishInput, request.data))
        # Settled before the transaction, which locks the tracker: the pool comes last.
        available = balances.now(company=self.company).available
        if values["dry_run"]:
            with transaction.atomic():
                shown = self._publish(id, values | {"accept_share": True}, available)
                transaction.set_rollback(True)
            answer: HttpResponse = Response(shown)
            answer["ETag"] = acting.etag(
                Tracker.objects.values_list("edit_number", flat=True).get(pk=id)
            )
            return answer
        return acting.with_etag(
            writes.once(
                self,
                operation="trackers.publish",
                body=PublishInput,
                about=acting.about(self, id),
                act=lambda given: Answer(
                    status=200,
                    text=writes.text_of(self._publish(id, given, available)),
                    location=reverse("api_tracker", args=[id]),
                    result_ref=id,
                ),
            )
        )

    def _publish(self, tracker_id: UUID, values: dict[str, Any], available: Any) -> Any:
        tracker = acting.one(shapes.trackers_of(self.company), tracker_id, "tracker")
        edit_number = acting.seen(self, tracker)
        person, now = acting.person(self), timezone.now()
        month, taken_over, needs_acceptance = None, (0, ZERO), False
        version = publishing.next_version(tracker)
        if version is not None:
            rates = rating.rates_at(now)
            month = trackers.month(tracker)
            needs_acceptance = month is not None and publishing.needs_acceptance(
                month["credits"], available=available
            )
            if tracker.state == TrackerState.PUBLISHED and version != tracker.current_version:
                replaced = requeuing.estimate_replacing(
                    tracker=tracker, version=version, rates=rates
                )
                taken_over = replaced.conversations, replaced.credits
        with acting.refusals():
            publishing.publish(
                tracker_id=tracker.pk,
                edit_number=edit_number,
                by=person,
                now=now,
                through=acting.through(self),
            )
        if needs_acceptance and month is not None and not values["accept_share"]:
            # After the other reasons, as on the page; raised inside the transaction, it undoes.
            raise Problem(
                ACCEPTANCE_REQUIRED,
                f"A month of this tracker may cost {amounts.text(month['credits'])} credits, more "
                f"than 10 % of the {amounts.text(available)} available. Repeat the request with "
                "accept_share true to publish it all the same.",
                estimate=amounts.text(month["credits"]),
                available=amounts.text(available),
            )
        now_it_is = shapes.trackers_of(self.company).get(pk=tracker_id)
        return PublishedOutput(
            {
                "dry_run": values["dry_run"],
                "month": month,
                "available": available,
                "needs_acceptance": needs_acceptance,
                "taken_over": {"conversations": taken_over[0], "credits": taken_over[1]},
                "tracker": now_it_is,
            },
            context={"queues": trackers.queues_of(self.company), "month": month},
        ).data


class UnpublishView(ApiView):
    """Stop new analysis of a tracker."""

    scopes: ClassVar = {"POST": Scope.TRACKERS_WRITE}
    raises = (problems.NOT_FOUND,)
    raises_on_writes = STATE_PROBLEMS

    @extend_schema(
        operation_id="unpublish_tracker",
        tags=["Trackers"],
        summary="Unpublish a tracker",
        request=reading.Parameters,
        parameters=[IF_MATCH_PARAMETER, *writes.parameters(200), acting.etag_parameter(200)],
        examples=[OpenApiExample("unpublish", value={}, request_only=True)],
        responses={
            200: schema.answered(
                shapes.DetailOutput,
                "The tracker as it is now.",
                tracker=shapes.DETAIL_EXAMPLE
                | {"state": "UNPUBLISHED", "unpublished_at": "2026-11-21T23:10:05Z"},
            )
        },
    )
    def post(self, request: Request, id: UUID) -> HttpResponse:
        """Nothing more is read. Results stay, what waits is skipped, what runs is not charged."""
        return acting.with_etag(
            writes.once(
                self,
                operation="trackers.unpublish",
                body=reading.Parameters,
                about=acting.about(self, id),
                act=lambda _: self._unpublish(id),
            )
        )

    def _unpublish(self, tracker_id: UUID) -> Answer:
        tracker = acting.one(Tracker.objects.filter(company=self.company), tracker_id, "tracker")
        with acting.refusals():
            publishing.unpublish(
                tracker_id=tracker.pk,
                edit_number=acting.seen(self, tracker),
                by=acting.person(self),
                now=timezone.now(),
                through=acting.through(self),
            )
        return trackers.answer(self, tracker.pk)
