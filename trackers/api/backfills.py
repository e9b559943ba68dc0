"""Backfills: history that a tracker reads, priced before, with a ceiling, and stopped at will."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from credits import amounts, rating
from credits.allowances import Allowance
from credits.api import pages, problems, reading, schema, writes
from credits.api.problem_types import WRONG_STATE
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView
from credits.idempotency import Answer
from credits.models import Company, Scope
from trackers import backfill_progress, backfills
from trackers.api import acting, charged, estimates, shapes
from trackers.api.backfill_shapes import (
    DETAIL_EXAMPLE,
    EXAMPLE,
    PRICED_EXAMPLE,
    START_EXAMPLE,
    BackfillDetail,
    BackfillOutput,
    BackfillPage,
    BackfillParameters,
    StartedOutput,
    StartInput,
)
from trackers.backfill_progress import Progress
from trackers.models import Backfill


class BackfillsView(PageView):
    """The backfills of the key's company."""

    scopes: ClassVar = {"GET": Scope.TRACKERS_READ, "POST": Scope.TRACKERS_WRITE}
    parameters = BackfillParameters
    parameters_of_writes = charged.ChargedParameters
    # Ids are time-ordered: this is the order they were started in.
    order = pages.Order((("id", pages.uuid),))
    output = BackfillOutput
    raises_on_writes = (
        problems.NOT_FOUND,
        WRONG_STATE,
        problems.INSUFFICIENT_CREDITS,
        problems.MAX_CREDITS_EXCEEDED,
    )

    @extend_schema(
        operation_id="list_backfills",
        tags=["Backfills"],
        summary="List backfills",
        parameters=[BackfillParameters],
        responses={
            200: schema.answered(
                BackfillPage,
                "One page of backfills.",
                backfills={"items": [EXAMPLE], "next_cursor": None},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """What history was read, or is being read, and what that used."""
        rows = backfills_of(self.company)
        for name in ("tracker", "state"):
            if name in self.values:
                rows = rows.filter(**{name: self.values[name]})
        return self.page(rows)

    def shown(self, rows: Sequence[Any], context: dict[str, Any]) -> Any:
        found = backfill_progress.of_each(rows)
        return [BackfillOutput(with_progress(row, found[row.pk])).data for row in rows]

    @extend_schema(
        operation_id="start_backfill",
        tags=["Backfills"],
        summary="Start a backfill",
        request=StartInput,
        parameters=[charged.DRY_RUN, *writes.PARAMETERS],
        examples=[OpenApiExample("start", value=START_EXAMPLE, request_only=True)],
        responses={
            200: schema.answered(
                StartedOutput, "With `dry_run`: what it would cost.", priced=PRICED_EXAMPLE
            ),
            201: schema.answered(
                StartedOutput,
                "The backfill, which begins.",
                started=PRICED_EXAMPLE | {"dry_run": False, "backfill": DETAIL_EXAMPLE},
            ),
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Read history that was not read yet. Nothing is charged above its ceiling.

        The list of conversations is fixed now. `ceiling` ends it there; `max_credits` refuses,
        with 422, what may cost more; more than is available is refused with 402. With `dry_run`
        nothing is started, and no Idempotency-Key is needed.
        """
        values = charged.asked_in_the_address(self, reading.body(StartInput, request.data))
        # Settled before the transaction, which locks the tracker: the pool comes last.
        allowance = estimates.allowance(self.company, values["tracker"])
        if values["dry_run"]:
            return Response(StartedOutput(self._priced(values, allowance)).data)
        return writes.once(
            self,
            operation="backfills.start",
            body=StartInput,
            act=lambda given: self._start(given, allowance),
        )

    def _priced(self, values: dict[str, Any], allowance: Allowance) -> dict[str, Any]:
        trackers = shapes.trackers_of(self.company)
        tracker = acting.one(trackers, values["tracker"], "tracker")
        found = estimates.backfill(tracker, values, allowance=allowance)
        ceiling = min(found["credits"], values.get("ceiling", found["credits"]))
        return {
            "dry_run": values["dry_run"],
            "estimate": found,
            "ceiling": ceiling,
            "backfill": None,
        }

    def _start(self, values: dict[str, Any], allowance: Allowance) -> Answer:
        priced = self._priced(values, allowance)
        ceiling, most = priced["ceiling"], values.get("max_credits")
        if most is not None and ceiling > most:
            raise Problem(
                problems.MAX_CREDITS_EXCEEDED,
                f"This needs {amounts.grouped(ceiling)} credits and max_credits is "
                f"{amounts.grouped(most)}.",
                required=amounts.text(ceiling),
                max_credits=amounts.text(most),
            )
        limits = [limit for limit in (values.get("ceiling"), most) if limit is not None]
        now = timezone.now()
        with acting.refusals():
            made = backfills.launch(
                tracker_id=values["tracker"],
                from_at=priced["estimate"]["from_at"],
                to_at=priced["estimate"]["to_at"],
                # What arrived since it was priced is within the request's own limits, or not read.
                ceiling=min(limits, default=None),
                rates=rating.rates_at(now),
                by=acting.person(self),
                now=now,
                available=allowance.available,
                through=acting.through(self),
            )
        shown = priced | {"ceiling": made.ceiling, "backfill": detailed(self.company, made.pk)}
        return Answer(
            status=201,
            text=writes.text_of(StartedOutput(shown).data),
            location=reverse("api_backfill", args=[made.pk]),
            result_ref=made.pk,
        )


class BackfillView(ApiView):
    """One backfill of the key's company."""

    scopes: ClassVar = {"GET": Scope.TRACKERS_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_backfill",
        tags=["Backfills"],
        summary="Read a backfill",
        responses={200: schema.answered(BackfillDetail, "The backfill.", backfill=DETAIL_EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """How far it is, what it used, and how long the rest takes."""
        return Response(BackfillDetail(detailed(self.company, id)).data)


class BackfillActView(ApiView):
    """An act on a backfill; each has an address of its own."""

    scopes: ClassVar = {"POST": Scope.TRACKERS_WRITE}
    raises = (problems.NOT_FOUND,)
    raises_on_writes = (WRONG_STATE,)
    verb: ClassVar[str]
    act: ClassVar[Callable[..., Backfill]]

    def do(self, id: UUID) -> HttpResponse:
        return writes.once(
            self,
            operation=f"backfills.{self.verb}",
            body=reading.Parameters,
            about={"id": str(id)},
            act=lambda _: self._done(id),
        )

    def _done(self, backfill_id: UUID) -> Answer:
        acting.one(backfills_of(self.company), backfill_id, "backfill")
        with acting.refusals():
            type(self).act(
                backfill_id=backfill_id,
                by=acting.person(self),
                now=timezone.now(),
                through=acting.through(self),
            )
        return Answer(
            status=200,
            text=writes.text_of(BackfillDetail(detailed(self.company, backfill_id)).data),
            location=reverse("api_backfill", args=[backfill_id]),
            result_ref=backfill_id,
        )


def _described(verb: str, summary: str, **changes: Any) -> Any:
    return extend_schema(
        operation_id=f"{verb}_backfill",
        tags=["Backfills"],
        summary=summary,
        request=reading.Parameters,
        parameters=writes.parameters(200),
        examples=[OpenApiExample(verb, value={}, request_only=True)],
        responses={
            200: schema.answered(
                BackfillDetail, "The backfill as it is now.", backfill=DETAIL_EXAMPLE | changes
            )
        },
    )


class PauseView(BackfillActView):
    verb = "pause"
    act = staticmethod(backfills.pause)

    @_described("pause", "Pause a backfill", state="PAUSED", paused_at="2026-11-21T23:12:05Z")
    def post(self, request: Request, id: UUID) -> HttpResponse:
        """Nothing of it is charged until somebody resumes it; what is held for it is free."""
        return self.do(id)


class ResumeView(BackfillActView):
    verb = "resume"
    act = staticmethod(backfills.resume)

    @_described("resume", "Resume a backfill")
    def post(self, request: Request, id: UUID) -> HttpResponse:
        """Go on with one that is paused, or that met zero."""
        return self.do(id)


class StopView(BackfillActView):
    verb = "stop"
    act = staticmethod(backfills.stop)

    @_described(
        "stop",
        "Stop a backfill",
        state="STOPPED",
        ended_at="2026-11-21T23:12:05Z",
        end_reason="Stopped by a person.",
    )
    def post(self, request: Request, id: UUID) -> HttpResponse:
        """End it: nothing is charged afterwards. What was not read can be read by another one."""
        return self.do(id)


def backfills_of(company: Company) -> QuerySet[Any]:
    """Return a company's backfills, each with its tracker, version and who started it."""
    mine = Backfill.objects.filter(company=company)
    return mine.select_related("tracker", "version", "started_by").defer("version__calibration")


def detailed(company: Company, backfill_id: UUID) -> Any:
    """Return a backfill with how far it is.

    :raises Problem: the company has no such backfill.
    """
    backfill = acting.one(backfills_of(company), backfill_id, "backfill")
    return with_progress(backfill, backfill_progress.of(backfill))


def with_progress(backfill: Any, progress: Progress) -> Any:
    backfill.progress = progress
    return backfill
