"""Where a number comes from: the whole chain behind an entry, or behind a use."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from credits import explanations
from credits.api import problems, schema
from credits.api.explanation_shapes import EXAMPLE, ExplanationOutput
from credits.api.views import ApiView, not_found
from credits.explanations import Explanation
from credits.models import Scope


class EntryExplanationView(ApiView):
    """Where an entry of the key's company comes from."""

    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="explain_ledger_entry",
        tags=["Credits"],
        summary="Explain a ledger entry",
        responses={200: schema.answered(ExplanationOutput, "The chain.", explanation=EXAMPLE)},
    )
    def get(self, request: Request, sequence: int) -> Response:
        """The whole chain behind an entry: rate card, reservation, lots, what was read, refunds.

        Quotes are there for keys with `results:read`.
        """
        try:
            found = explanations.entry(
                company=self.company, sequence=sequence, with_words=_may_read_words(self)
            )
        except explanations.NoSuchEntry as error:
            raise not_found("ledger entry") from error
        return Response(data_of(found))


class UsageExplanationView(ApiView):
    """Where a use of the key's company comes from."""

    scopes: ClassVar = {"GET": Scope.USAGE_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="explain_usage_event",
        tags=["Credits"],
        summary="Explain a usage event",
        responses={200: schema.answered(ExplanationOutput, "The chain.", explanation=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """The whole chain behind a use: rate card, reservation, lots, what was read, refunds.

        Quotes are there for keys with `results:read`.
        """
        try:
            found = explanations.usage(
                company=self.company, usage_id=id, with_words=_may_read_words(self)
            )
        except explanations.NoSuchUsage as error:
            raise not_found("usage event") from error
        return Response(data_of(found))


def _may_read_words(view: ApiView) -> bool:
    return Scope.RESULTS_READ in view.key.scopes


def data_of(found: Explanation) -> dict[str, Any]:
    """Return an explanation as it is sent, and as the command prints it."""
    entry, usage_event = found.entry, found.usage
    if usage_event is not None:
        name = None if found.integration is None else found.integration.name
        usage_event.integration_name = name  # type: ignore[attr-defined]
    data = {
        "entry": entry,
        "usage": usage_event,
        "arithmetic": found.arithmetic,
        "lines": found.lines,
        "rate_card": _card(found),
        "reservation": _reservation(found),
        "lots": [_lot(one) for one in found.drawdowns],
        "origin": found.origin,
        "correction": _correction(found),
        "corrected_sequence": None if found.corrected is None else found.corrected.sequence,
        "refunded": found.refunded,
        "corrections": found.corrections,
        "actor_id": None if entry is None else entry.actor_ref,
        "api_key": found.api_key,
        "integration": found.integration,
        "sources": {
            "question": found.sources.question,
            "answer": found.sources.answer,
            "reused": found.sources.reused,
            "items": found.sources.pieces,
        },
        "adds_up": not found.breaches(),
    }
    return dict(ExplanationOutput(data).data)


def _card(found: Explanation) -> dict[str, Any] | None:
    if found.card is None:
        return None
    rates = [{"item": item, "amount": found.rates[item]} for item in sorted(found.rates)]
    return {"id": found.card.pk, "effective_at": found.card.effective_at, "rates": rates}


def _reservation(found: Explanation) -> dict[str, Any] | None:
    held = found.reservation
    if held is None:
        return None
    return {
        "id": held.pk,
        "state": held.state,
        "amount": held.amount,
        "captured": held.captured,
        "released": found.released,
        "opened_at": held.opened_at,
        "closed_at": held.closed_at,
        "holds": found.holds,
    }


def _lot(drawdown: Any) -> dict[str, Any]:
    grant = drawdown.grant
    return {
        "grant_id": grant.pk,
        "source": grant.source,
        "amount": drawdown.amount,
        "effective_at": grant.effective_at,
        "expires_at": grant.expires_at,
    }


def _correction(found: Explanation) -> dict[str, Any] | None:
    made = found.correction
    if made is None:
        return None
    return {
        "id": made.pk,
        "kind": made.kind,
        "reason": made.reason,
        "made_at": made.created_at,
        "person_id": None if made.by is None else made.by.public_id,
    }
