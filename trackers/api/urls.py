"""The addresses of the API that stand on trackers."""

from __future__ import annotations

from django.urls import path

from trackers.api import asks, briefs

urlpatterns = [
    path("v1/ask", asks.AsksView.as_view()),
    path("v1/ask/<uuid:id>", asks.AskView.as_view(), name="api_ask"),
    path("v1/briefs", briefs.BriefsView.as_view()),
    path("v1/briefs/<uuid:id>", briefs.BriefView.as_view()),
    path("v1/briefs/<uuid:id>/runs", briefs.BriefRunsView.as_view()),
    path("v1/brief-runs/<uuid:id>", briefs.BriefRunView.as_view(), name="api_brief_run"),
]
