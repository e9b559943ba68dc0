"""The addresses of the API that stand on trackers."""

from __future__ import annotations

from django.urls import path

from trackers.api import asks

urlpatterns = [
    path("v1/ask", asks.AsksView.as_view()),
    path("v1/ask/<uuid:id>", asks.AskView.as_view(), name="api_ask"),
]
