"""The addresses of the API that stand on trackers."""

from __future__ import annotations

from django.urls import path

from trackers.api import (
    asks,
    backfills,
    briefs,
    conversations,
    estimates,
    ingestion,
    publishing,
    results,
    trackers,
)

urlpatterns = [
    path("v1/ask", asks.AsksView.as_view()),
    path("v1/ask/<uuid:id>", asks.AskView.as_view(), name="api_ask"),
    path("v1/briefs", briefs.BriefsView.as_view()),
    path("v1/briefs/<uuid:id>", briefs.BriefView.as_view()),
    path("v1/briefs/<uuid:id>/runs", briefs.BriefRunsView.as_view()),
    path("v1/brief-runs/<uuid:id>", briefs.BriefRunView.as_view(), name="api_brief_run"),
    path("v1/trackers", trackers.TrackersView.as_view(), name="api_trackers"),
    path("v1/trackers/<uuid:id>", trackers.TrackerView.as_view(), name="api_tracker"),
    path(
        "v1/trackers/<uuid:id>/publish",
        publishing.PublishView.as_view(),
        name="api_tracker_publish",
    ),
    path(
        "v1/trackers/<uuid:id>/unpublish",
        publishing.UnpublishView.as_view(),
        name="api_tracker_unpublish",
    ),
    path("v1/trackers/<uuid:id>/estimate", estimates.TrackerEstimateView.as_view()),
    path("v1/trackers/<uuid:id>/backfill-estimate", estimates.BackfillEstimateView.as_view()),
    path("v1/backfills", backfills.BackfillsView.as_view(), name="api_backfills"),
    path("v1/backfills/<uuid:id>", backfills.BackfillView.as_view(), name="api_backfill"),
    path("v1/backfills/<uuid:id>/pause", backfills.PauseView.as_view(), name="api_backfill_pause"),
    path(
        "v1/backfills/<uuid:id>/resume", backfills.ResumeView.as_view(), name="api_backfill_resume"
    ),
    path("v1/backfills/<uuid:id>/stop", backfills.StopView.as_view(), name="api_backfill_stop"),
    path("v1/conversations", ingestion.ConversationsView.as_view(), name="api_conversations"),
    path("v1/conversations/bulk", ingestion.BulkView.as_view(), name="api_conversations_bulk"),
    path(
        "v1/conversations/<uuid:id>",
        conversations.ConversationView.as_view(),
        name="api_conversation",
    ),
    path("v1/results", results.ResultsView.as_view()),
    path("v1/results/lines", results.RollupView.as_view()),
    path("v1/results/<uuid:id>", results.ResultView.as_view()),
]
