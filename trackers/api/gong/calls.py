"""Calls by filter: their facts and what was found in them, and what was said."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from credits.api import pages, reading
from credits.models import Scope
from trackers.api.gong import call_data, call_filters, records, transcripts
from trackers.api.gong.call_filters import CallsRequest, ExtensiveRequest
from trackers.api.gong.views import GongView


class CallsView(GongView):
    """A page of the calls of the key's company, oldest first."""

    scopes: ClassVar = {"POST": Scope.CONVERSATIONS_READ}
    parameters = reading.Parameters
    order = pages.Order((("started_at", pages.instant), ("id", pages.uuid)))

    def page(self, values: dict[str, Any]) -> records.Page:
        """Return the page that the values of a body ask for.

        :raises Problem: there is no such call.
        """
        asked = values["filter"]
        rows = call_filters.calls(company=self.company, asked=asked)
        found = records.page(
            rows.select_related("account", "deal", "owner"),
            order=self.order,
            cursor=values.get("cursor"),
            query=dict(asked),
            name=type(self).__name__,
        )
        if not found.records["totalRecords"]:
            raise call_filters.no_calls()
        return found


class ExtensiveView(CallsView):
    """Calls with as much of each as the content selector names."""

    def post(self, request: Request) -> Response:
        values = self.body(ExtensiveRequest)
        workspace = self.workspace(values["filter"].get("workspaceId"))
        selected = call_data.Selected.of(values.get("contentSelector") or {})
        if selected.trackers:
            # What trackers found is more than what was said.
            self.ask_for(Scope.RESULTS_READ)
        page = self.page(values)
        shown = call_data.Calls(
            page.rows, selected, workspace=workspace, address=request.build_absolute_uri
        )
        return self.answer(records=page.records, calls=shown.data())


class TranscriptView(CallsView):
    """What was said in calls."""

    def post(self, request: Request) -> Response:
        values = self.body(CallsRequest)
        self.workspace(values["filter"].get("workspaceId"))
        page = self.page(values)
        return self.answer(records=page.records, callTranscripts=transcripts.of(page.rows))
