"""What a company could save, as last worked out, and what a person can take back."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from credits.amounts import AmountField
from credits.identifiers import new_id
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.trackers import FilterField, Tracker


class SuggestionKind(models.TextChoices):
    NO_RESULTS = "NO_RESULTS", "No results"
    ENDED = "ENDED", "Campaign has ended"
    DUPLICATE = "DUPLICATE", "Same as another tracker"
    FEW_RESULTS = "FEW_RESULTS", "Few results"
    EMAILS = "EMAILS", "E-mails without results"
    FILTER = "FILTER", "A filter keeps the results"
    NO_FILTER = "NO_FILTER", "No filter"


# What they propose; the others propose to unpublish the tracker.
FILTERING = (SuggestionKind.FILTER, SuggestionKind.NO_FILTER)


class AdviceRun(models.Model):
    """When a company's suggestions were last worked out, found or not."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="advice_runs")
    computed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_advicerun"),
            models.UniqueConstraint(fields=["company"], name="company_has_one_advice_run"),
        ]

    def __str__(self) -> str:
        return f"Advice {self.pk}"


class Suggestion(models.Model):
    """One change of one tracker that would save credits, with the month that shows it.

    Holds for the tracker as it was at ``edit_number``, and for a duplicate also while its
    ``twin`` is published as it was at ``twin_edit_number``. ``credits_before`` and
    ``credits_after`` are estimates a month, of the conversations counted beside them. Of
    ``read_count`` conversations ``found_count`` were results, as ``backtests`` counts them;
    ``lost_count`` of these the change would have missed, and ``usual_count`` is what other
    trackers find for the credits. A proposed filter is one field with any of ``values`` (ids of
    teams, or texts), or without them where ``is_excluded``.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="suggestions")
    run = TenantKey(AdviceRun, related_name="suggestions", on_delete=models.CASCADE)
    tracker = TenantKey(Tracker, related_name="suggestions", on_delete=models.CASCADE)
    kind = models.CharField(max_length=20, choices=SuggestionKind.choices)
    edit_number = models.PositiveIntegerField()
    twin = TenantKey(Tracker, null=True, related_name="+", on_delete=models.CASCADE)
    twin_edit_number = models.PositiveIntegerField(null=True)
    field = models.CharField(max_length=20, choices=FilterField.choices, blank=True)
    is_excluded = models.BooleanField(default=False)
    values = ArrayField(models.CharField(max_length=100), default=list)
    words = models.CharField(max_length=300, blank=True)
    conversations_before = models.PositiveIntegerField()
    conversations_after = models.PositiveIntegerField()
    credits_before = AmountField()
    credits_after = AmountField()
    read_count = models.PositiveIntegerField()
    found_count = models.PositiveIntegerField()
    lost_count = models.PositiveIntegerField(default=0)
    usual_count = models.PositiveIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_suggestion"),
            models.UniqueConstraint(
                fields=["tracker", "kind"], name="tracker_has_one_suggestion_of_a_kind"
            ),
            models.CheckConstraint(
                condition=Q(credits_after__gte=0, credits_before__gt=F("credits_after")),
                name="suggestion_saves_credits",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=FILTERING, values__len__gt=0, field__in=FilterField.values)
                | ~Q(kind__in=FILTERING) & Q(values__len=0, field=""),
                name="suggestion_of_a_filter_names_it",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=SuggestionKind.DUPLICATE,
                    twin__isnull=False,
                    twin_edit_number__isnull=False,
                )
                | ~Q(kind=SuggestionKind.DUPLICATE) & Q(twin=None, twin_edit_number=None),
                name="suggestion_of_a_duplicate_names_the_other",
            ),
            models.CheckConstraint(
                condition=Q(lost_count__lte=F("found_count"), found_count__lte=F("read_count")),
                name="suggestion_counts_fit_each_other",
            ),
        ]
        indexes: ClassVar = [
            # The credits page: what one run found.
            models.Index("run", name="suggestion_of_run"),
        ]

    def __str__(self) -> str:
        return f"Suggestion {self.pk}"

    @property
    def saved(self) -> Any:
        """Return the credits a month that the change saves."""
        return self.credits_before - self.credits_after


class Narrowing(models.Model):
    """A change of what a tracker reads, with what it read before, so that it can be taken back.

    ``edit_number`` is the tracker's after the change. ``filters_before`` holds (field, value,
    is excluded) of each filter; values are ids of teams and members, or texts. ``more_a_month``
    is by how many credits the change moved the estimate of a month, below 0 for less; 0 for a
    tracker that is not published. Where ``is_undoable`` is not set the tracker was published or
    unpublished and reads what it read: kept for its ``more_a_month`` alone, and taken back by
    the opposite act.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="narrowings")
    tracker = TenantKey(Tracker, related_name="narrowings", on_delete=models.CASCADE)
    edit_number = models.PositiveIntegerField()
    calls_before = models.BooleanField()
    emails_before = models.BooleanField()
    language_before = models.CharField(max_length=3, blank=True)
    filters_before = models.JSONField()
    is_undoable = models.BooleanField(default=True)
    more_a_month = AmountField(default=0)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_narrowing"),
            models.UniqueConstraint(
                fields=["tracker", "edit_number"], name="narrowing_is_one_change_of_a_tracker"
            ),
        ]
        indexes: ClassVar = [
            # The credits page: what recent changes will move.
            models.Index("company", "made_at", name="narrowing_by_day"),
        ]

    def __str__(self) -> str:
        return f"Narrowing {self.pk}"
