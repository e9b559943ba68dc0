"""Keys that let a company's programs in, and how many requests each company made."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from credits.identifiers import new_id
from credits.models.integrations import Integration
from credits.models.people import Company, User
from credits.tenancy import CompanyKey, TenantKey, TenantOneToOne, target_of_composite_keys

PREFIX_LENGTH = 8


class Scope(models.TextChoices):
    """What a key may do; each API operation asks for exactly one."""

    BALANCE_READ = "balance:read", "Read the balance"
    GRANTS_READ = "grants:read", "Read grants"
    LEDGER_READ = "ledger:read", "Read ledger entries and what they drew on"
    USAGE_READ = "usage:read", "Read what was used"
    PURCHASES_READ = "purchases:read", "Read purchases"
    PURCHASES_REQUEST = "purchases:request", "Request a purchase, which a person then decides"
    RATES_READ = "rates:read", "Read the rate card"
    LIMITS_READ = "limits:read", "Read limits and how much of them is used"
    LIMITS_WRITE = "limits:write", "Set and end limits"
    TRACKERS_READ = "trackers:read", "Read trackers, backfills and what they would cost"
    TRACKERS_WRITE = "trackers:write", "Change, publish and unpublish trackers, and run backfills"
    RESULTS_READ = "results:read", "Read what trackers found"
    CONVERSATIONS_READ = "conversations:read", "Read calls and e-mails, with what was said"
    CONVERSATIONS_WRITE = "conversations:write", "Send calls and e-mails in"
    TEAM_READ = "team:read", "Read the company's team members"
    ASK = "ask", "Ask about accounts, deals, contacts and leads; this uses credits"
    BRIEF = "brief", "Run briefs; this uses credits"


class ApiKey(models.Model):
    """One program's way in, usable until ``expires_at`` or ``revoked_at``, whichever is first.

    The secret is shown once; the row keeps its SHA-256. ``prefix`` is the visible part that finds
    the row. An empty ``networks`` allows every address. ``last_used_at`` is right to a minute.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="api_keys")
    integration = TenantKey(Integration, null=True, blank=True, related_name="api_keys")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True, editable=False)
    secret_sha256 = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope.choices))
    networks = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    replaces = TenantOneToOne("self", null=True, related_name="replaced_by")

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        constraints: ClassVar = [
            target_of_composite_keys("credits_apikey"),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values, scopes__len__gt=0),
                name="api_key_scopes_are_known_and_some",
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gte=F("created_at")),
                name="api_key_expires_after_it_was_made",
            ),
            models.CheckConstraint(
                condition=Q(revoked_by=None) | Q(revoked_at__isnull=False),
                name="api_key_names_who_revoked_it_only_when_revoked",
            ),
        ]
        indexes: ClassVar = [
            # The list of a company's keys, newest first, and those that closing it revokes.
            models.Index("company", F("created_at").desc(), "id", name="api_key_newest_first"),
        ]

    def __str__(self) -> str:
        return f"API key {self.pk}"


class RequestTally(models.Model):
    """How many API requests one company made: lately, and on one day in UTC.

    ``recent_at`` holds the instants of the last requests that were let in, oldest first, as many
    as may come in one second. Refused requests leave no trace.
    """

    company = models.OneToOneField(
        Company, on_delete=models.PROTECT, primary_key=True, related_name="request_tally"
    )
    recent_at = ArrayField(models.DateTimeField())
    day = models.DateField()
    day_count = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(day_count__gt=0), name="request_tally_counts_from_one"
            ),
        ]

    def __str__(self) -> str:
        return f"Request tally of company {self.company_id}"
