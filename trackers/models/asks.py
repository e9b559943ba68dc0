"""Questions about an account, deal, contact or lead, and what was answered."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from credits.amounts import ZERO, AmountField
from credits.identifiers import new_id
from credits.models import Company, UsageAction
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.conversations import Conversation, Utterance
from trackers.models.people import Contact, CustomerAccount, Deal
from trackers.periods import LABELS, Period

QUESTION_LENGTH_MAX = 2000


class EntityType(models.TextChoices):
    """What can be asked about; a lead is a contact without an account."""

    ACCOUNT = "ACCOUNT", "Account"
    DEAL = "DEAL", "Deal"
    CONTACT = "CONTACT", "Contact"
    LEAD = "LEAD", "Lead"


PEOPLE = (EntityType.CONTACT, EntityType.LEAD)


class AskRequest(models.Model):
    """One question, its answer, and what it used.

    The span ``since <= t < until`` is what the period meant when it was asked. ``credits`` is
    what it used, ``saved`` what it would have used had the answer of ``reused_from`` not been
    given again. ``usage_ref`` is the usage event's id. ``reuse_digest`` is the same for requests
    that read the same and ask the same. ``conversation_ids`` are what was read, newest first,
    calls before e-mails; empty for a question of before they were kept. Erased, it holds no words.

    ``remaining`` is what could be spent after it, as its caller was told. ``is_replay`` is no
    column: whether this is the answer to an earlier request with the same key.
    """

    is_replay: bool = False

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="ask_requests")
    entity_type = models.CharField(max_length=10, choices=EntityType.choices)
    account = TenantKey(CustomerAccount, null=True, related_name="+")
    deal = TenantKey(Deal, null=True, related_name="+")
    contact = TenantKey(Contact, null=True, related_name="+")
    period = models.CharField(
        max_length=40, choices=[(name.value, label) for name, label in LABELS.items()]
    )
    since = models.DateTimeField(null=True)
    until = models.DateTimeField()
    question = models.TextField(max_length=QUESTION_LENGTH_MAX)
    answer = models.TextField()
    is_found = models.BooleanField()
    analyzer = models.CharField(max_length=100)
    conversation_ids = ArrayField(models.UUIDField(), default=list)
    calls = models.PositiveIntegerField()
    emails = models.PositiveIntegerField()
    credits = AmountField()
    saved = AmountField(default=ZERO)
    remaining = AmountField(null=True)
    action = models.CharField(max_length=20, choices=UsageAction.choices)
    usage_ref = models.UUIDField(unique=True)
    reused_from = TenantKey("self", null=True, related_name="reuses")
    reuse_digest = models.BinaryField(max_length=32)
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "question"
        constraints: ClassVar = [
            target_of_composite_keys("trackers_askrequest"),
            models.CheckConstraint(
                condition=Q(
                    entity_type=EntityType.ACCOUNT, account__isnull=False, deal=None, contact=None
                )
                | Q(entity_type=EntityType.DEAL, account=None, deal__isnull=False, contact=None)
                | Q(entity_type__in=PEOPLE, account=None, deal=None, contact__isnull=False),
                name="ask_is_about_what_its_type_says",
            ),
            models.CheckConstraint(
                condition=Q(period__in=list(Period)), name="ask_period_is_known"
            ),
            models.CheckConstraint(
                condition=Q(since=None) | Q(since__lte=F("until")),
                name="ask_span_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(
                    action__in=[UsageAction.API_REQUEST, UsageAction.MCP_REQUEST],
                    credits__gte=0,
                    reused_from=None,
                    saved=0,
                )
                | Q(action=UsageAction.MANUAL, credits=0, reused_from=None, saved=0)
                | Q(action=UsageAction.REUSED, credits=0, reused_from__isnull=False, saved__gte=0),
                name="ask_costs_what_its_action_says",
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None) | Q(question="", answer=""),
                name="ask_that_is_erased_holds_no_words",
            ),
        ]
        indexes: ClassVar = [
            # The list of a company's questions, newest first.
            models.Index("company", F("asked_at").desc(), "id", name="ask_newest_first"),
            # An answer to give again.
            models.Index("company", "reuse_digest", F("asked_at").desc(), name="ask_to_reuse"),
            # Erasing an answer: those that gave it again.
            models.Index(
                "reused_from", condition=Q(reused_from__isnull=False), name="ask_that_reuses"
            ),
            # Erasing a person: what was asked about them.
            models.Index("contact", condition=Q(contact__isnull=False), name="ask_about_contact"),
        ]

    def __str__(self) -> str:
        return f"Question {self.pk}"

    @property
    def subject(self) -> CustomerAccount | Deal | Contact:
        """Return what the question is about."""
        found = self.account or self.deal or self.contact
        assert found is not None  # A constraint holds it.
        return found


class AskCitation(models.Model):
    """A passage that an answer cites: what was said, where it begins and ends in its utterance.

    The passage it was found in has the utterances ``first_position`` to ``last_position`` of the
    revision that was read.
    """

    company = CompanyKey(related_name="+", db_constraint=False)
    ask = TenantKey(AskRequest, related_name="citations", on_delete=models.CASCADE)
    rank = models.PositiveSmallIntegerField()
    conversation = TenantKey(Conversation, related_name="+")
    utterance = TenantKey(Utterance, related_name="+")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    first_position = models.PositiveIntegerField()
    last_position = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ask", "rank"], name="ask_citation_has_its_rank"),
            models.CheckConstraint(
                condition=Q(rank__gt=0, end__gt=F("start"))
                & Q(last_position__gte=F("first_position")),
                name="ask_citation_is_a_passage",
            ),
        ]
        indexes: ClassVar = [
            # Erasing a conversation: the answers that cite it.
            models.Index("conversation", name="ask_citation_of_conversation"),
            models.Index("utterance", name="ask_citation_of_utterance"),
        ]

    def __str__(self) -> str:
        return f"Citation {self.rank}"

    @property
    def quote(self) -> str:
        return self.utterance.text[self.start : self.end]


class AnswerReuse(models.Model):
    """Whether a company lets an identical question have its answer again for 0 credits.

    No row is off, as is the default.
    """

    company = models.OneToOneField(
        Company, on_delete=models.PROTECT, primary_key=True, related_name="answer_reuse"
    )
    is_on = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"Answer reuse {self.pk}"
