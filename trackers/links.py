"""What credits cannot know: where our features are opened, and what our teams are called.

Named by the settings ``CREDIT_FEATURE_LINKS`` and ``CREDIT_TEAM_NAMES``.
"""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from credits.models import Company, FeatureType
from trackers.models import Team


def feature_url(feature_type: str, feature_ref: UUID | None) -> str | None:
    """Return the page of a tracker; None for features that are not ours."""
    if feature_type != FeatureType.TRACKER or feature_ref is None:
        return None
    return reverse("admin:trackers_tracker_change", args=[feature_ref])


def team_names(*, company: Company) -> dict[UUID, str]:
    """Return the names of a company's teams by the id that usage events hold."""
    return dict(Team.objects.filter(company=company).values_list("pk", "name"))
