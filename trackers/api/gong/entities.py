"""Charged GETs about an account, deal, contact or lead: what they take, and what they cite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.response import Response

from credits import amounts
from credits.api import problems, reading, writes
from credits.api.answers import RETRY_SECONDS
from credits.api.fields import CodeField, InstantField, instant_text
from credits.api.problems import Problem
from credits.ledger import Key
from trackers import asking, entities, running_briefs
from trackers.api import charged
from trackers.api.gong import numbers
from trackers.api.gong.views import GongView
from trackers.entities import Entity
from trackers.models import Conversation, ConversationKind, EntityType
from trackers.periods import Period, PeriodRefused, Span

ENTITY_ID_LENGTH_MAX = 254
REPLAYED_HEADER = "Idempotent-Replayed"


class EntityParameters(reading.Parameters):
    """About whom, and of which time."""

    workspaceId = serializers.RegexField(
        r"^[0-9]{1,20}$", error_messages={"invalid": "Write a whole number."}
    )
    crmEntityType = CodeField(choices=EntityType.choices)
    crmEntityId = serializers.CharField(max_length=ENTITY_ID_LENGTH_MAX)
    timePeriod = CodeField(choices=[(period.value, period.value) for period in Period])
    fromDateTime = InstantField(required=False)
    toDateTime = InstantField(required=False)


class EntityView(GongView, charged.ChargedView):
    """A charged GET. What it does not know is refused by name: a misspelt name would cost."""

    denied_status = 403
    # HEAD would be charged for an answer that nobody reads.
    http_method_names = ["get", "options"]  # noqa: RUF012

    def read(self, declared: type[reading.Parameters], query: QueryDict) -> dict[str, Any]:
        kept = query.copy()
        for name in query:
            if not any(query.getlist(name)):
                del kept[name]
        return reading.parameters(declared, kept)

    @property
    def allowed_methods(self) -> list[str]:
        return ["GET", "OPTIONS"]

    def entity(self) -> Entity:
        """Return whom or what it is about.

        :raises UnknownEntity: there is none in the company.
        """
        return entities.find(
            company=self.company,
            entity_type=EntityType(self.values["crmEntityType"]),
            id=self.values["crmEntityId"],
        )

    def span(self) -> Span:
        """Return the time it is about; from and to say something for CUSTOM_RANGE alone.

        :raises Problem: a range without its start, or that ends before it.
        """
        period = Period(self.values["timePeriod"])
        if period != Period.CUSTOM_RANGE:
            return Span(period)
        since = self.values.get("fromDateTime")
        if since is None:
            name, detail = "fromDateTime", "It is required for CUSTOM_RANGE."
            raise _wrong(name, detail)
        try:
            return Span(period, since, self.values.get("toDateTime") or timezone.now())
        except PeriodRefused as error:
            raise _wrong("toDateTime", "It is not later than fromDateTime.") from error

    def retry_key(self) -> Key | None:
        """Return the key of a client that brings one; without it each request is a new one."""
        if writes.HEADER not in self.request.headers:
            return None
        said = {name: str(value) for name, value in self.values.items()}
        return Key.of(writes.key_text(self), path=self.request.path, query=said)

    def charged(
        self, data: dict[str, Any], *, used: Decimal, remaining: Decimal, is_replay: bool
    ) -> Response:
        """Answer with what it cost and what is left in the headers. Nobody may keep it."""
        response = self.answer(**data)
        response[charged.USED_HEADER] = amounts.text(used)
        response[charged.REMAINING_HEADER] = amounts.text(remaining)
        response["Cache-Control"] = "no-store"
        if is_replay:
            response[REPLAYED_HEADER] = "true"
        return response

    def findings(self, cited: Iterable[Conversation]) -> dict[str, Any]:
        """Return the calls and e-mails that something rests on, each once."""
        found = list({one.pk: one for one in cited}.values())
        emails = [_email(one) for one in found if one.kind == ConversationKind.EMAIL]
        calls = [
            {"call": _call(one, self.request.build_absolute_uri)}
            for one in found
            if one.kind == ConversationKind.CALL
        ]
        return {"emailFindings": [{"emails": emails}] if emails else [], "callFindings": calls}


@contextmanager
def refused() -> Iterator[None]:
    """Turn what a charged request raises into its problem."""
    try:
        with charged.refused(entity="crmEntityId", wrong=problems.INVALID_PARAMETER):
            yield
    except (asking.EmptyQuestion, asking.LongQuestion) as error:
        raise _wrong("question", str(error)) from error
    except running_briefs.BriefRefused as error:
        raise _wrong("briefName", str(error)) from error
    except asking.TextErased as error:
        raise Problem(
            problems.UNAVAILABLE, str(error), headers={"Retry-After": str(RETRY_SECONDS)}
        ) from error


def paragraphs(text: str) -> list[str]:
    """Return the parts of an answer, one a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _wrong(name: str, detail: str) -> Problem:
    return Problem(
        problems.INVALID_PARAMETER,
        f"{name}: {detail}",
        errors=[{"name": name, "detail": detail}],
    )


def _call(call: Conversation, address: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": numbers.call(call),
        "title": call.title,
        "started": instant_text(call.started_at),
        "url": address(reverse("admin:trackers_conversation_change", args=[call.pk])),
    }


def _email(email: Conversation) -> dict[str, Any]:
    return {
        "id": str(email.pk),
        "title": email.title,
        "sentDateTime": instant_text(email.started_at),
    }
