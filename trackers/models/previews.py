"""Trying a tracker before it is published, and what people say of its findings."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from credits.identifiers import new_id
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.conversations import Conversation, Utterance
from trackers.models.scans import Confidence, Verdict
from trackers.models.trackers import Tracker, TrackerVersion

PREVIEW_CONVERSATIONS_MAX = 10


class Preview(models.Model):
    """One trial of a tracker's question on a few conversations: free, metered as a use of 0.

    ``conversation_count`` counts against the day's limits from ``begun_at`` on. Finished if and
    only if it names its usage event, which stays when the results are erased. ``asked`` is the
    digest of the question, because a draft's question may change.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="previews")
    tracker = TenantKey(Tracker, related_name="previews")
    version = TenantKey(TrackerVersion, related_name="+")
    asked = models.BinaryField(max_length=32)
    conversation_count = models.PositiveSmallIntegerField()
    begun_at = models.DateTimeField()
    begun_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    finished_at = models.DateTimeField(null=True)
    usage_ref = models.UUIDField(null=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_preview"),
            models.CheckConstraint(
                condition=Q(
                    conversation_count__gte=1, conversation_count__lte=PREVIEW_CONVERSATIONS_MAX
                ),
                name="preview_reads_one_to_ten_conversations",
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None, usage_ref=None)
                | Q(finished_at__isnull=False, usage_ref__isnull=False),
                name="preview_is_finished_if_and_only_if_it_is_metered",
            ),
        ]
        indexes: ClassVar = [
            # What a company, and each of its trackers, has tried since a local midnight.
            models.Index("company", "begun_at", name="preview_by_day"),
            # A tracker's trials of the question it asks now, newest first.
            models.Index("tracker", F("begun_at").desc(), name="preview_newest_of_tracker"),
        ]

    def __str__(self) -> str:
        return f"Preview {self.pk}"


class PreviewResult(models.Model):
    """What a preview found in one conversation, at one text revision."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="+", db_constraint=False)
    preview = TenantKey(Preview, related_name="results", on_delete=models.CASCADE)
    conversation = TenantKey(Conversation, related_name="+")
    revision = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    confidence = models.CharField(max_length=10, choices=Confidence.choices)
    score = models.DecimalField(max_digits=7, decimal_places=6)
    answer = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_previewresult"),
            models.UniqueConstraint(
                fields=["preview", "conversation"], name="preview_reads_a_conversation_once"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=Verdict.values, confidence__in=Confidence.values),
                name="preview_result_verdict_is_known",
            ),
        ]
        indexes: ClassVar = [
            # Erasure: what previews kept of a conversation.
            models.Index("conversation", name="preview_result_conversation"),
        ]

    def __str__(self) -> str:
        return f"Preview result {self.pk}"


class PreviewQuote(models.Model):
    """A passage that a preview's result rests on, as ``Quote`` is of a scan."""

    company = CompanyKey(related_name="+", db_constraint=False)
    result = TenantKey(PreviewResult, related_name="quotes", on_delete=models.CASCADE)
    rank = models.PositiveSmallIntegerField()
    utterance = TenantKey(Utterance, related_name="+")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["result", "rank"], name="preview_quote_rank_is_unique"),
            models.CheckConstraint(
                condition=Q(end__gt=F("start")), name="preview_quote_is_not_empty"
            ),
        ]
        indexes: ClassVar = [
            # Erasure: what rests on an utterance that goes.
            models.Index("utterance", name="preview_quote_by_utterance"),
        ]

    def __str__(self) -> str:
        return f"Preview quote {self.pk}"


class Review(models.Model):
    """A person's word on what one conversation's text holds, given on a finding about it.

    ``verdict`` and ``score`` are what was found, ``is_yes`` what the person says; the passage is
    the best quote that was shown, if any. Never edited: another word on the same text and
    question replaces it. While ``is_learned`` its passage is among the tracker's examples or
    counter-examples, as a reference only, so that erasing the conversation takes it along.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="reviews")
    tracker = TenantKey(Tracker, related_name="reviews")
    version = TenantKey(TrackerVersion, related_name="+")
    asked = models.BinaryField(max_length=32)
    conversation = TenantKey(Conversation, related_name="+")
    revision = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    score = models.DecimalField(max_digits=7, decimal_places=6)
    is_yes = models.BooleanField()
    utterance = TenantKey(Utterance, null=True, related_name="+")
    start = models.PositiveIntegerField(null=True)
    end = models.PositiveIntegerField(null=True)
    is_learned = models.BooleanField(default=False)
    judged_at = models.DateTimeField()
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tracker", "asked", "conversation", "revision"],
                condition=Q(replaced_at=None),
                name="review_in_force_is_one_per_question_and_text",
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=Verdict.values), name="review_verdict_is_known"
            ),
            models.CheckConstraint(
                condition=Q(utterance=None, start=None, end=None)
                | Q(
                    utterance__isnull=False,
                    start__isnull=False,
                    end__isnull=False,
                    end__gt=F("start"),
                ),
                name="review_names_a_passage_or_none",
            ),
            models.CheckConstraint(
                condition=Q(is_learned=False) | Q(utterance__isnull=False),
                name="review_that_taught_has_a_passage",
            ),
        ]
        indexes: ClassVar = [
            # Every reading: the phrases that reviews taught a tracker.
            models.Index("tracker", condition=Q(is_learned=True), name="review_learned"),
            # Erasure: what was said of a conversation.
            models.Index("conversation", name="review_by_conversation"),
            models.Index("utterance", name="review_by_utterance"),
        ]

    def __str__(self) -> str:
        return f"Review {self.pk}"

    @property
    def is_right(self) -> bool:
        """Tell whether the finding was as the person says; unsure never is."""
        return self.verdict == (Verdict.YES if self.is_yes else Verdict.NO)


class ConversationVectors(models.Model):
    """What an analyzer computed of one text revision whatever is asked, so that it is done once.

    Opaque bytes of the analyzer that ``model`` names by its weights; others compute their own.
    """

    company = CompanyKey(related_name="+", db_constraint=False)
    conversation = TenantKey(Conversation, related_name="+", on_delete=models.CASCADE)
    revision = models.PositiveSmallIntegerField()
    model = models.CharField(max_length=64)
    vectors = models.BinaryField()

    class Meta:
        verbose_name_plural = "conversation vectors"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation", "revision"], name="vectors_are_stored_once_per_text"
            ),
        ]

    def __str__(self) -> str:
        return f"Vectors {self.pk}"
