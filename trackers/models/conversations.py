"""Calls and e-mails, who took part, and what was said at which text revision."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q, TextField
from django.db.models.functions import Cast, Right

from credits.identifiers import new_id
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.people import Contact, CustomerAccount, Deal, Team, TeamMember

ERASED_ID_PREFIX = "erased:"


def uuid_tail() -> Right:
    """Return the end of a row's UUID, in which all is chance: 64 bits and their hyphen."""
    return Right(Cast("id", TextField()), 17)


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
    that an estimate needs no text; the seconds are when the first and last of them begin, null
    where none does or no time was given. ``language`` is a code of two or three letters, empty
    where the record did not say. Erased (``trackers.erasure``), a row holds no words: kind,
    duration class and date stay, and a digest in the place of the external id.
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
    company_first_seconds = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    company_last_seconds = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    non_company_first_seconds = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    non_company_last_seconds = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    language = models.CharField(max_length=3, blank=True)
    erased_at = models.DateTimeField(null=True, editable=False)

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
            models.CheckConstraint(
                condition=Q(company_first_seconds=None, company_last_seconds=None)
                | Q(
                    company_first_seconds__isnull=False,
                    company_last_seconds__isnull=False,
                    company_last_seconds__gte=F("company_first_seconds"),
                ),
                name="conversation_company_speaks_first_then_last",
            ),
            models.CheckConstraint(
                condition=Q(non_company_first_seconds=None, non_company_last_seconds=None)
                | Q(
                    non_company_first_seconds__isnull=False,
                    non_company_last_seconds__isnull=False,
                    non_company_last_seconds__gte=F("non_company_first_seconds"),
                ),
                name="conversation_customer_speaks_first_then_last",
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None)
                | Q(
                    external_id__startswith=ERASED_ID_PREFIX,
                    title="",
                    owner=None,
                    account=None,
                    deal=None,
                    company_text_count=0,
                    non_company_text_count=0,
                ),
                name="conversation_that_is_erased_holds_no_words",
            ),
        ]
        indexes: ClassVar = [
            # Lists, estimates and backfills: one kind of one company over a span of time.
            models.Index("company", "kind", "started_at", "id", name="conversation_by_start"),
            # Programs that name calls by the number of their id (trackers/api/gong/numbers.py).
            models.Index("company", uuid_tail(), name="conversation_by_number"),
            # Trackers' filters, over any span of time: the few conversations of a team, an owner,
            # an account type or a deal stage among many.
            models.Index(
                *("company", "team", "started_at"),
                condition=Q(team__isnull=False),
                name="conversation_by_team",
            ),
            models.Index(
                *("company", "owner", "started_at"),
                condition=Q(owner__isnull=False),
                name="conversation_by_owner",
            ),
            models.Index(
                *("company", "account_type", "started_at"),
                condition=~Q(account_type=""),
                name="conversation_by_account_type",
            ),
            models.Index(
                *("company", "deal_stage", "started_at"),
                condition=~Q(deal_stage=""),
                name="conversation_by_deal_stage",
            ),
            # Results of one account, and of one deal.
            models.Index(
                "account",
                condition=Q(account__isnull=False),
                name="conversation_by_account",
            ),
            models.Index("deal", condition=Q(deal__isnull=False), name="conversation_by_deal"),
        ]

    def __str__(self) -> str:
        if self.erased_at is not None:
            return f"Erased {self.get_kind_display().lower()}"
        return self.title or self.external_id


class Participant(models.Model):
    """Somebody who took part in a conversation; linked by e-mail only.

    One of the company is linked to a team member, one of the customer's side to a contact.
    ``external_id`` is what the text calls who speaks; ``party_id`` is another id that the system
    which the call came from has for them, empty where there is none.
    """

    company = CompanyKey(related_name="+", db_constraint=False)
    conversation = TenantKey(Conversation, related_name="participants")
    external_id = models.CharField(max_length=200)
    # In the database, too: what was started before the upgrade writes on without it.
    party_id = models.CharField(max_length=200, blank=True, default="", db_default="")
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    affiliation = models.CharField(max_length=20, choices=Affiliation.choices)
    team_member = TenantKey(TeamMember, null=True, related_name="participations")
    contact = TenantKey(Contact, null=True, related_name="participations")

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_participant", within="conversation"),
            models.UniqueConstraint(
                fields=["conversation", "external_id"],
                name="participant_is_unique_in_a_conversation",
            ),
            models.CheckConstraint(
                condition=Q(affiliation__in=Affiliation.values),
                name="participant_affiliation_is_known",
            ),
        ]
        indexes: ClassVar = [
            # Trackers' filters by user: where somebody took part.
            models.Index(
                *("team_member", "conversation"),
                condition=Q(team_member__isnull=False),
                name="participant_by_team_member",
            ),
            # What is asked about a contact: where they took part.
            models.Index(
                *("contact", "conversation"),
                condition=Q(contact__isnull=False),
                name="participant_by_contact",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.external_id


class Utterance(models.Model):
    """One turn of speech or one paragraph of an e-mail, at one text revision.

    Who speaks took part in this conversation.
    """

    company = CompanyKey(related_name="+", db_constraint=False)
    conversation = TenantKey(Conversation, related_name="utterances")
    revision = models.PositiveSmallIntegerField()
    position = models.PositiveIntegerField()
    external_id = models.CharField(max_length=200)
    speaker = TenantKey(Participant, within="conversation", related_name="+")
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
