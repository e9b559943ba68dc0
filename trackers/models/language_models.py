"""Who switched the language model on, how its server is doing, and every request to it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from credits.identifiers import new_id
from credits.models import Company
from credits.tenancy import CompanyKey


class LlmSwitch(models.Model):
    """Whether a company lets its texts be sent to the site's language model.

    No row is off, as is the default.
    """

    company = models.OneToOneField(
        Company, on_delete=models.PROTECT, primary_key=True, related_name="llm_switch"
    )
    is_on = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"Language model switch {self.pk}"


class LlmMode(models.TextChoices):
    """How the model is held to a form of answer."""

    JSON_SCHEMA = "JSON_SCHEMA", "Schema, strict"
    JSON_OBJECT = "JSON_OBJECT", "JSON with a schema"
    PROMPT = "PROMPT", "Words alone"


class LlmEndpoint(models.Model):
    """What all processes know of one server and model: how to speak to it, and how it is doing.

    ``digest`` names the address and the model. After ``failure_count`` failures in a row it is
    left alone until ``resume_at``; so it is when it asked to wait.
    """

    digest = models.CharField(primary_key=True, max_length=64)
    model = models.CharField(max_length=200)
    mode = models.CharField(max_length=20, choices=LlmMode.choices, blank=True)
    has_completion_tokens = models.BooleanField(default=False)
    has_temperature = models.BooleanField(default=True)
    failure_count = models.PositiveIntegerField(default=0)
    resume_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(mode="") | Q(mode__in=LlmMode.values), name="llm_mode_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.model


class LlmPurpose(models.TextChoices):
    """What a request was made for."""

    TRACKER = "TRACKER", "Tracker"
    PREVIEW = "PREVIEW", "Test of a tracker"
    ASK = "ASK", "Ask anything"
    BRIEF = "BRIEF", "Brief"
    CONNECTION = "CONNECTION", "Test of the connection"


class LlmOutcome(models.TextChoices):
    """How a request ended."""

    RUNNING = "RUNNING", "Under way, or its process died"
    OK = "OK", "Answered"
    MODE_REFUSED = "MODE_REFUSED", "Form of answer not known there"
    MALFORMED = "MALFORMED", "Answer not in the form asked for"
    TRUNCATED = "TRUNCATED", "Answer cut off"
    TOO_LONG = "TOO_LONG", "Text too long"
    REFUSED = "REFUSED", "Declined to answer"
    RATE_LIMITED = "RATE_LIMITED", "Asked too often"
    SERVER_ERROR = "SERVER_ERROR", "Error of the server"
    TIMEOUT = "TIMEOUT", "Not answered in time"
    UNREACHABLE = "UNREACHABLE", "Not reached"
    REJECTED = "REJECTED", "Refused by the server"


class LlmAttempt(models.Model):
    """One request to a language model: what it used and how it ended, and no word of any text.

    Apart from credits: a company pays for results, whoever runs the site for requests.
    ``run_ref`` is what shares a cap: a backfill, a batch of new conversations, a question, a
    brief's run. Without a company it is a test of the connection.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(null=True, related_name="llm_attempts")
    purpose = models.CharField(max_length=20, choices=LlmPurpose.choices)
    run_ref = models.UUIDField()
    model = models.CharField(max_length=200)
    mode = models.CharField(max_length=20, choices=LlmMode.choices)
    outcome = models.CharField(max_length=20, choices=LlmOutcome.choices)
    tokens_in = models.PositiveIntegerField()
    tokens_out = models.PositiveIntegerField()
    is_estimated = models.BooleanField()
    request_id = models.CharField(max_length=200, blank=True)
    latency_ms = models.PositiveIntegerField(null=True)
    begun_at = models.DateTimeField()

    class Meta:
        verbose_name = "model request"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(company__isnull=False) | Q(purpose=LlmPurpose.CONNECTION),
                name="llm_attempt_without_company_is_a_test",
            ),
            models.CheckConstraint(
                condition=Q(outcome=LlmOutcome.RUNNING, latency_ms=None)
                | ~Q(outcome=LlmOutcome.RUNNING) & Q(latency_ms__isnull=False),
                name="llm_attempt_that_ended_took_its_time",
            ),
        ]
        indexes: ClassVar = [
            # The list, newest first, of a company; and what it used today.
            models.Index("company", F("begun_at").desc(), "id", name="llm_attempt_newest_first"),
            # The list of all companies.
            models.Index(F("begun_at").desc(), "id", name="llm_attempt_of_all"),
            # What a run used so far.
            models.Index("run_ref", name="llm_attempt_of_run"),
        ]

    def __str__(self) -> str:
        return f"Model request {self.pk}"

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out
