"""Ask anything about an account, deal, contact or lead, as clients of that API do."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits.models import Scope
from trackers import asking
from trackers.api.gong import entities
from trackers.api.gong.entities import EntityParameters, EntityView
from trackers.models import AskRequest


class AskParameters(EntityParameters):
    """What is asked, too."""

    question = serializers.CharField()


class AskView(EntityView):
    """Answers a question; charged by the calls and e-mails that were read."""

    scopes: ClassVar = {"GET": Scope.ASK}
    parameters = AskParameters

    def get(self, request: Request) -> Response:
        with entities.refused():
            row = asking.ask(
                requester=self.requester,
                question=self.values["question"],
                entity=self.entity(),
                period=self.span(),
                now=timezone.now(),
                key=self.retry_key(),
            )
        assert row.remaining is not None  # Whoever asked is told.
        return self.charged(
            {
                "numOfCallsSearched": row.calls,
                "numOfEmailsSearched": row.emails,
                "answer": [self._section(row)],
            },
            used=row.credits,
            remaining=row.remaining,
            is_replay=row.is_replay,
        )

    def _section(self, row: AskRequest) -> dict[str, object]:
        cited = row.citations.select_related("conversation").order_by("rank")
        findings = self.findings(one.conversation for one in cited)
        return {"answerItems": entities.paragraphs(row.answer), **findings}
