"""Where a feature that used credits is opened (setting ``CREDIT_FEATURE_LINKS``)."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from credits.models import FeatureType


def feature_url(
    feature_type: str, feature_ref: UUID | None, usage_ref: UUID | None = None
) -> str | None:
    """Return the page of a tracker; None for features that are not ours.

    With a usage event, the list of the very results that it paid for.
    """
    if feature_type != FeatureType.TRACKER or feature_ref is None:
        return None
    if usage_ref is not None:
        return f"{reverse('admin:trackers_scan_changelist')}?usage_event__id__exact={usage_ref}"
    return reverse("admin:trackers_tracker_change", args=[feature_ref])
