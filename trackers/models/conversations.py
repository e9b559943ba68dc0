"""Calls and e-mails, who took part, and what was said at which text revision."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from credits.identifiers import new_id
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.people import CustomerAccount, Deal, Team, TeamMember


class ConversationKind(models.TextChoices):
    CALL = "CALL", "Call"
    EMAIL = "EMAIL", "E-mail"


class Affiliation(models.TextChoices):
    """Which side of a conversation somebody is on."""

    COMPANY = "COMPANY", "Company"
    NON_COMPANY = "NON_COMPANY", "Customer"


class Conversation(models.Model):
    """A call or e-mail thread, unique by external id.

    Team, owner, account type and deal stage are as they were when it arrived; filters read
    these. ``text_digest`` names the text revision: kind, duration, sides and utterances.
    The counts are of utterances with a letter or digit, by side, of the current revision, so
    that an estimate needs no text.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="conversations")
    external_id = models.CharField(max_length=200)
    source = models.CharField(max_length=60, blank=True)
    kind = models.CharField(max_length=10, choices=ConversationKind.choices)
    title = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField()
    duration_seconds = models.PositiveIntegerField()
    team = TenantKey(Team, null=True, related_name="+")
    owner = TenantKey(TeamMember, null=True, related_name="+")
    account = TenantKey(CustomerAccount, null=True, related_name="conversations")
    deal = TenantKey(Deal, null=True, related_name="conversations")
    account_type = models.CharField(max_length=100, blank=True)
    deal_stage = models.CharField(max_length=100, blank=True)
    arrived_at = models.DateTimeField()
    text_revision = models.PositiveSmallIntegerField(default=1)
    text_digest = models.BinaryField(max_length=32)
    metadata_digest = models.BinaryField(max_length=32)
    company_text_count = models.PositiveIntegerField()
    non_company_text_count = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_conversation"),
            models.UniqueConstraint(
                fields=["company", "external_id"],
                name="conversation_external_id_is_unique_in_a_company",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=ConversationKind.values), name="conversation_kind_is_known"
            ),
        ]
        indexes: ClassVar = [
            # Lists, estimates and backfills: one kind of one company over a span of time.
            models.Index("company", "kind", "started_at", "id", name="conversation_by_start"),
            # Results of one account, and of one deal.
            models.Index(
                "account",
                condition=Q(account__isnull=False),
                name="conversation_by_account",
            ),
            models.Index("deal", condition=Q(deal__isnull=False), name="conversation_by_deal"),
        ]

    def __str__(self) -> str:
        return self.title or self.external_id


class Participant(models.Model):
    """Somebody who took part in a conversation; linked to a team member by e-mail only."""

    company = CompanyKey(related_name="+", db_constraint=False)
    conversation = TenantKey(Conversation, related_name="participants")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    affiliation = models.CharField(max_length=20, choices=Affiliation.choices)
    team_member = TenantKey(TeamMember, null=True, related_name="participations")

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_participant"),
            models.UniqueConstraint(
                fields=["conversation", "external_id"],
                name="participant_is_unique_in_a_conversation",
            ),
            models.CheckConstraint(
                condition=Q(affiliation__in=Affiliation.values),
                name="participant_affiliation_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.external_id


class Utterance(models.Model):
    """One turn of speech or one paragraph of an e-mail, at one text revision."""

    company = CompanyKey(related_name="+", db_constraint=False)
    conversation = TenantKey(Conversation, related_name="utterances")
    revision = models.PositiveSmallIntegerField()
    position = models.PositiveIntegerField()
    external_id = models.CharField(max_length=200)
    speaker = TenantKey(Participant, related_name="+")
    affiliation = models.CharField(max_length=20, choices=Affiliation.choices)
    start_seconds = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    text = models.TextField()

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_utterance"),
            models.UniqueConstraint(
                fields=["conversation", "revision", "position"],
                name="utterance_has_one_place_in_a_revision",
            ),
            models.CheckConstraint(
                condition=Q(affiliation__in=Affiliation.values),
                name="utterance_affiliation_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"Utterance {self.position}"
