"""What the pages of credits ask us: which features there are and where they are opened, what they
found and which go on, what our teams are called, and how far a company has come (settings
``CREDIT_FEATURES``, ``CREDIT_FEATURE_LINKS``, ``CREDIT_RESULTS``, ``CREDIT_RECURRING``,
``CREDIT_TEAM_NAMES``, ``CREDIT_FIRST_STEPS``).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, JSONObject, NullIf
from django.urls import reverse

from credits.first_steps import AskedStep
from credits.limit_subjects import NamedFeature
from credits.models import Company, FeatureType
from trackers.models import (
    FREE_KINDS,
    Backfill,
    Conversation,
    Scan,
    ScanState,
    Team,
    Tracker,
    TrackerState,
    Verdict,
)


def feature_url(
    feature_type: str, feature_ref: UUID | None, usage_ref: UUID | None = None
) -> str | None:
    """Return the page of a tracker or brief; None for features without a page of ours.

    With a usage event, the list of the very results that it paid for.
    """
    if feature_type == FeatureType.BRIEF and feature_ref is not None:
        return reverse("admin:trackers_brief_change", args=[feature_ref])
    if feature_type != FeatureType.TRACKER or feature_ref is None:
        return None
    if usage_ref is not None:
        return f"{reverse('admin:trackers_scan_changelist')}?usage_event__id__exact={usage_ref}"
    return reverse("admin:trackers_tracker_change", args=[feature_ref])


def features(*, company: Company) -> list[NamedFeature]:
    """Return the trackers of a company, which may be limited."""
    rows = Tracker.objects.filter(company=company).order_by("name").values_list("pk", "name")
    return [NamedFeature(FeatureType.TRACKER, pk, name) for pk, name in rows]


def team_names(*, company: Company) -> dict[UUID, str]:
    """Return the names of a company's teams by the id that usage events hold."""
    return dict(Team.objects.filter(company=company).values_list("pk", "name"))


def results(*, company: Company, since: datetime) -> dict[UUID, int]:
    """Count what each tracker found in what it read since then; by tracker id."""
    found = (
        Scan.objects.filter(
            company=company, state=ScanState.DONE, verdict=Verdict.YES, finished_at__gte=since
        )
        .order_by()
        .values("tracker_id")
        .annotate(count=Count("pk"))
    )
    return {row["tracker_id"]: row["count"] for row in found}


def recurring(*, company: Company) -> Combinable:
    """Ask, in somebody's query, for the trackers that read and charge for what is new.

    Each as its ``ref`` and its ``owner``: the name of who made it, empty where nobody is known to.
    """
    owner = Coalesce(
        NullIf("created_by__name", Value("")),
        "created_by__email",
        Value(""),
        output_field=TextField(),
    )
    rows = (
        Tracker.objects.filter(company=company, state=TrackerState.PUBLISHED)
        .exclude(kind__in=FREE_KINDS)
        .order_by("pk")
        .values(json=JSONObject(ref=Cast("pk", TextField()), owner=owner))
    )
    return ArraySubquery(rows)


def first_steps(*, company: Company) -> list[AskedStep]:
    """Return our part of a company's first steps."""
    published = Tracker.objects.filter(company=company, state=TrackerState.PUBLISHED)
    return [
        AskedStep(
            "Import calls and e-mails",
            "Upload a file; what it holds and would cost is shown first.",
            "admin:trackers_importupload_changelist",
            Exists(Conversation.objects.filter(company=company)),
        ),
        AskedStep(
            "Publish an AI tracker",
            "From then on it reads new calls and e-mails; the price is shown before.",
            "admin:trackers_tracker_changelist",
            Exists(published),
        ),
        AskedStep(
            "Let a tracker read history",
            "A backfill shows its exact price first and can be stopped at any time.",
            "admin:trackers_backfill_changelist",
            Exists(Backfill.objects.filter(company=company)),
        ),
    ]
