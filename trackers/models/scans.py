"""Work and its results: one scan per version, conversation and text revision."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from credits.amounts import AmountField
from credits.identifiers import new_id
from credits.models import UsageAction, UsageEvent
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.conversations import Conversation, Utterance
from trackers.models.people import Team
from trackers.models.trackers import Backfill, Tracker, TrackerVersion


class ScanState(models.TextChoices):
    PENDING = "PENDING", "Queued"
    WAITING = "WAITING", "Waiting for credits"
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"
    SKIPPED = "SKIPPED", "Skipped"


class Verdict(models.TextChoices):
    """Whether the conversation holds what the question asks for."""

    YES = "YES", "Found"
    NO = "NO", "Not found"
    UNSURE = "UNSURE", "Unsure"


class Confidence(models.TextChoices):
    HIGH = "HIGH", "High"
    MEDIUM = "MEDIUM", "Medium"
    LOW = "LOW", "Low"


class Scan(models.Model):
    """One version's reading of one conversation's text: waiting, under way, or its result.

    DONE if and only if it names the usage event that charged it, in the same transaction (I9).
    While RUNNING it is leased by ``lease_token`` until ``leased_until``. ``team`` and
    ``conversation_started_at`` are the conversation's, kept here for claiming in order.
    One that met a limit is PENDING with ``limit_ref``, and due when the limit begins anew.
    ``waiting_since`` is when one that is WAITING began to wait for credits.
    ``skipped_by`` is the person who gave it up while it waited, whose name no column keeps.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="scans")
    tracker = TenantKey(Tracker, related_name="scans")
    version = TenantKey(TrackerVersion, related_name="scans")
    conversation = TenantKey(Conversation, related_name="scans")
    revision = models.PositiveSmallIntegerField()
    action = models.CharField(max_length=20, choices=UsageAction.choices)
    backfill = TenantKey(Backfill, null=True, related_name="scans")
    team = TenantKey(Team, null=True, related_name="+")
    conversation_started_at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=ScanState.choices, default=ScanState.PENDING)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    reservation_ref = models.UUIDField(null=True)
    limit_ref = models.UUIDField(null=True)
    waiting_since = models.DateTimeField(null=True)
    price = AmountField(null=True)
    usage_event = TenantKey(UsageEvent, null=True, related_name="scans")
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    confidence = models.CharField(max_length=10, choices=Confidence.choices, blank=True)
    score = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    answer = models.TextField(blank=True)
    reason = models.CharField(max_length=300, blank=True)
    skipped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "result"
        constraints: ClassVar = [
            target_of_composite_keys("trackers_scan"),
            models.UniqueConstraint(
                fields=["version", "conversation", "revision"],
                name="scan_reads_a_text_once_per_version",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=ScanState.DONE,
                    usage_event__isnull=False,
                    price__isnull=False,
                    score__isnull=False,
                    verdict__in=Verdict.values,
                )
                | ~Q(state=ScanState.DONE) & Q(usage_event=None, score=None, verdict=""),
                name="scan_is_done_if_and_only_if_it_is_charged",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=ScanState.RUNNING,
                    lease_token__isnull=False,
                    leased_until__isnull=False,
                )
                | ~Q(state=ScanState.RUNNING) & Q(lease_token=None, leased_until=None),
                name="scan_is_leased_while_it_runs",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[ScanState.DONE, ScanState.FAILED, ScanState.SKIPPED],
                    finished_at__isnull=False,
                )
                | Q(
                    state__in=[ScanState.PENDING, ScanState.WAITING, ScanState.RUNNING],
                    finished_at=None,
                ),
                name="scan_has_a_finish_when_it_is_finished",
            ),
            models.CheckConstraint(
                condition=Q(action=UsageAction.BACKFILL, backfill__isnull=False)
                | Q(action=UsageAction.CONTINUOUS, backfill=None),
                name="scan_of_a_backfill_names_it",
            ),
            models.CheckConstraint(
                condition=Q(skipped_by=None) | Q(state=ScanState.SKIPPED),
                name="scan_that_somebody_skipped_is_skipped",
            ),
        ]
        indexes: ClassVar = [
            # Claiming: the oldest live conversations of one version, and the oldest of a backfill.
            # Each apart, or what is new would be looked for behind all of its tracker's past.
            models.Index(
                "version",
                "conversation_started_at",
                "id",
                condition=Q(state=ScanState.PENDING, backfill=None),
                name="scan_next_to_claim_live",
            ),
            models.Index(
                "backfill",
                "conversation_started_at",
                "id",
                condition=Q(state=ScanState.PENDING, backfill__isnull=False),
                name="scan_next_to_claim_of_backfill",
            ),
            # The sweep: leases that ran out.
            models.Index(
                "leased_until", condition=Q(state=ScanState.RUNNING), name="scan_next_to_recover"
            ),
            # What waits for credits, oldest first within a tracker.
            models.Index(
                "company",
                "tracker",
                "conversation_started_at",
                condition=Q(state=ScanState.WAITING),
                name="scan_waiting_for_credits",
            ),
            # The sweep: what met a limit that may have room again before its window ends.
            models.Index(
                "limit_ref",
                "due_at",
                condition=Q(state=ScanState.PENDING, limit_ref__isnull=False),
                name="scan_waiting_for_a_limit",
            ),
            # A backfill's progress, counted by state.
            models.Index(
                "backfill",
                "state",
                condition=Q(backfill__isnull=False),
                name="scan_by_backfill_and_state",
            ),
            # Results, newest first, of a company and of one tracker.
            models.Index(
                "company",
                F("finished_at").desc(),
                "id",
                condition=Q(state=ScanState.DONE),
                name="scan_results_newest_first",
            ),
            # The list of one tracker's results, and of what was found, newest first.
            models.Index("tracker", F("id").desc(), name="scan_of_tracker_newest_first"),
            models.Index(
                "company",
                F("id").desc(),
                condition=Q(verdict=Verdict.YES),
                name="scan_found_newest_first",
            ),
            # What a usage event paid for.
            models.Index(
                "usage_event",
                condition=Q(usage_event__isnull=False),
                name="scan_by_usage_event",
            ),
            # A conversation's results.
            models.Index("conversation", "version", name="scan_by_conversation"),
        ]

    def __str__(self) -> str:
        return f"Result {self.pk}"

    @property
    def reason_shown(self) -> str:
        """Say why there is no result, with who decided so as that person is called today."""
        if self.skipped_by is None:
            return self.reason
        return f"Skipped by {self.skipped_by.get_full_name()} while it waited for credits."


class Quote(models.Model):
    """A passage that a result rests on: ``text[start:end]`` of one utterance, best rank first."""

    company = CompanyKey(related_name="+", db_constraint=False)
    scan = TenantKey(Scan, related_name="quotes")
    rank = models.PositiveSmallIntegerField()
    utterance = TenantKey(Utterance, related_name="+")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scan", "rank"], name="quote_rank_is_unique"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="quote_is_not_empty"),
        ]
        indexes: ClassVar = [
            # Erasing an utterance: the database looks for what quotes it.
            models.Index("utterance", name="quote_by_utterance"),
        ]

    def __str__(self) -> str:
        return f"Quote {self.pk}"
