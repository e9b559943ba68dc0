"""The addresses of the API that existing clients know, below /v2/."""

from __future__ import annotations

from django.urls import path

from trackers.api.gong import asks, briefs, calls, trackers, users

urlpatterns = [
    path("entities/ask-entity", asks.AskView.as_view()),
    path("entities/get-brief", briefs.BriefView.as_view()),
    path("settings/briefs", briefs.BriefsView.as_view()),
    path("users", users.UsersView.as_view()),
    path("settings/trackers", trackers.TrackersView.as_view()),
    path("calls/extensive", calls.ExtensiveView.as_view()),
    path("calls/transcript", calls.TranscriptView.as_view()),
]
