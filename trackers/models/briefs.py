"""Briefs: what is put together about an account, deal, contact or lead, and what each run said."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from credits.amounts import ZERO, AmountField
from credits.identifiers import new_id
from credits.models import UsageAction
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.asks import PEOPLE, EntityType
from trackers.models.conversations import Conversation, Utterance
from trackers.models.people import Contact, CustomerAccount, Deal
from trackers.models.trackers import Tracker
from trackers.periods import LABELS, Period

SECTIONS_MAX = 12


class SectionKind(models.TextChoices):
    """Where a section's content comes from; results of trackers are free."""

    CONVERSATIONS = "CONVERSATIONS", "Calls and e-mails"
    TRACKER = "TRACKER", "Results of a tracker"
    WEB = "WEB", "Web search"


class Brief(models.Model):
    """A template of sections about one type of entity; published, programs may run it.

    ``edit_number`` counts saved changes, so that a form opened before somebody else's change is
    refused; who made the last one, and when, is beside it. The audit trail has them all.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="briefs")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    entity_type = models.CharField("about", max_length=10, choices=EntityType.choices)
    is_published = models.BooleanField("published", default=False, editable=False)
    edit_number = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    changed_at = models.DateTimeField(editable=False)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_brief"),
            models.UniqueConstraint(
                fields=["company", "name"], name="brief_name_is_unique_in_a_company"
            ),
            models.CheckConstraint(
                condition=Q(entity_type__in=EntityType.values), name="brief_entity_type_is_known"
            ),
            models.CheckConstraint(
                condition=Q(changed_at__gte=F("created_at")),
                name="brief_is_changed_after_it_was_made",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BriefSection(models.Model):
    """One part of a brief, in its place: an open-ended question, a tracker, or a web search.

    A web search adds the entity's name to its words.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="+", db_constraint=False)
    brief = TenantKey(Brief, related_name="sections", on_delete=models.CASCADE)
    position = models.PositiveSmallIntegerField("place")
    kind = models.CharField(
        max_length=20, choices=SectionKind.choices, default=SectionKind.CONVERSATIONS
    )
    title = models.CharField(max_length=200)
    question = models.TextField("question or search words", blank=True)
    tracker = TenantKey(Tracker, null=True, blank=True, related_name="brief_sections")

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_briefsection"),
            models.UniqueConstraint(
                fields=["brief", "position"], name="brief_section_has_one_place"
            ),
            models.CheckConstraint(
                condition=Q(kind=SectionKind.TRACKER, tracker__isnull=False, question="")
                | Q(kind__in=[SectionKind.CONVERSATIONS, SectionKind.WEB], tracker=None)
                & ~Q(question=""),
                name="brief_section_has_what_its_kind_needs",
            ),
            models.CheckConstraint(condition=~Q(title=""), name="brief_section_has_a_title"),
        ]
        indexes: ClassVar = [
            # Which briefs use a tracker: asked before it is unpublished or deleted.
            models.Index(
                "tracker", condition=Q(tracker__isnull=False), name="brief_section_by_tracker"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class BriefRun(models.Model):
    """One brief put together about one entity: what was read, and what it used.

    The span ``since <= t < until`` is what the period meant then. ``conversation_ids`` are the
    calls and e-mails read, and ``facts`` what they say without being understood. ``credits`` is
    what its sections used; it may be below ``estimate``, which was held first, never above.
    ``usage_ref`` is the use of 0 of a run without a section that is metered by itself. Not
    finished after a while, its process died. Erased, facts and texts hold no words.

    ``remaining`` is what its caller was told is left. ``is_replay`` is no column: whether the key
    of a request had been used before.
    """

    is_replay: bool = False

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="brief_runs")
    brief = TenantKey(Brief, related_name="runs")
    entity_type = models.CharField(max_length=10, choices=EntityType.choices)
    account = TenantKey(CustomerAccount, null=True, related_name="+")
    deal = TenantKey(Deal, null=True, related_name="+")
    contact = TenantKey(Contact, null=True, related_name="+")
    period = models.CharField(
        max_length=40, choices=[(name.value, label) for name, label in LABELS.items()]
    )
    since = models.DateTimeField(null=True)
    until = models.DateTimeField()
    action = models.CharField(max_length=20, choices=UsageAction.choices)
    conversation_ids = ArrayField(models.UUIDField(), default=list)
    calls = models.PositiveIntegerField()
    emails = models.PositiveIntegerField()
    facts = ArrayField(models.TextField(), default=list)
    estimate = AmountField()
    credits = AmountField(default=ZERO)
    remaining = AmountField(null=True)
    usage_ref = models.UUIDField(null=True)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    is_finished = models.BooleanField(default=False)
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_briefrun"),
            models.CheckConstraint(
                condition=Q(
                    entity_type=EntityType.ACCOUNT, account__isnull=False, deal=None, contact=None
                )
                | Q(entity_type=EntityType.DEAL, account=None, deal__isnull=False, contact=None)
                | Q(entity_type__in=PEOPLE, account=None, deal=None, contact__isnull=False),
                name="brief_run_is_about_what_its_type_says",
            ),
            models.CheckConstraint(
                condition=Q(period__in=list(Period)), name="brief_run_period_is_known"
            ),
            models.CheckConstraint(
                condition=Q(credits__gte=0, credits__lte=F("estimate"))
                & (
                    Q(action=UsageAction.MANUAL, estimate=0)
                    | Q(action__in=[UsageAction.API_REQUEST, UsageAction.MCP_REQUEST])
                ),
                name="brief_run_costs_no_more_than_its_estimate",
            ),
            models.CheckConstraint(
                condition=Q(action=UsageAction.MANUAL, started_by__isnull=False)
                | ~Q(action=UsageAction.MANUAL),
                name="brief_run_by_hand_names_its_person",
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None) | Q(facts__len=0),
                name="brief_run_that_is_erased_holds_no_facts",
            ),
        ]
        indexes: ClassVar = [
            # The list of a company's runs, newest first.
            models.Index("company", F("started_at").desc(), "id", name="brief_run_newest_first"),
            # A brief's own runs, newest first.
            models.Index("brief", F("started_at").desc(), name="brief_run_of_brief"),
            # How many a person has run since a local midnight.
            models.Index(
                *("started_by", "started_at"),
                condition=Q(action=UsageAction.MANUAL),
                name="brief_run_by_hand_of_person",
            ),
            # Erasing a person: what was put together about them.
            models.Index(
                "contact", condition=Q(contact__isnull=False), name="brief_run_about_contact"
            ),
            # Erasing a conversation: what was put together from it.
            GinIndex(fields=["conversation_ids"], name="brief_run_by_conversation"),
        ]

    def __str__(self) -> str:
        return f"Brief run {self.pk}"

    @property
    def entity_row(self) -> CustomerAccount | Deal | Contact:
        """Return the account, deal or contact it is about."""
        row = self.account or self.deal or self.contact
        assert row is not None
        return row

    @property
    def entity_name(self) -> str:
        return str(self.entity_row)


class ResultState(models.TextChoices):
    """How far a section of a run came; only a done one costs anything."""

    PENDING = "PENDING", "Under way"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"
    SKIPPED = "SKIPPED", "Not available"


class BriefResult(models.Model):
    """What one section of a run said, as the section was then; ``section_ref`` is its id.

    ``text`` are its sentences; what it quotes and which pages it found stands beside it. A section
    of conversations or the web that is done names its usage event, whatever that cost;
    ``reservation_ref`` held its price. One that failed or was not available says why and costs 0.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="+", db_constraint=False)
    run = TenantKey(BriefRun, related_name="results", on_delete=models.CASCADE)
    position = models.PositiveSmallIntegerField()
    section_ref = models.UUIDField()
    kind = models.CharField(max_length=20, choices=SectionKind.choices)
    title = models.CharField(max_length=200)
    question = models.TextField(blank=True)
    tracker_ref = models.UUIDField(null=True)
    state = models.CharField(
        max_length=10, choices=ResultState.choices, default=ResultState.PENDING
    )
    text = ArrayField(models.TextField(), default=list)
    reason = models.CharField(max_length=300, blank=True)
    analyzer = models.CharField(max_length=100, blank=True)
    estimate = AmountField(default=ZERO)
    credits = AmountField(default=ZERO)
    calls = models.PositiveIntegerField(default=0)
    emails = models.PositiveIntegerField(default=0)
    web_searches = models.PositiveIntegerField(default=0)
    reservation_ref = models.UUIDField(null=True)
    usage_ref = models.UUIDField(null=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_briefresult"),
            models.UniqueConstraint(fields=["run", "position"], name="brief_result_has_one_place"),
            models.CheckConstraint(
                condition=Q(kind=SectionKind.TRACKER, usage_ref=None, credits=0)
                | Q(
                    kind__in=[SectionKind.CONVERSATIONS, SectionKind.WEB],
                    state=ResultState.DONE,
                    usage_ref__isnull=False,
                )
                | Q(
                    kind__in=[SectionKind.CONVERSATIONS, SectionKind.WEB],
                    state__in=[ResultState.PENDING, ResultState.FAILED, ResultState.SKIPPED],
                    usage_ref=None,
                    credits=0,
                ),
                name="brief_result_is_charged_when_done",
            ),
            models.CheckConstraint(
                condition=Q(credits__gte=0, credits__lte=F("estimate")),
                name="brief_result_costs_no_more_than_its_estimate",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[ResultState.FAILED, ResultState.SKIPPED]) & ~Q(reason="")
                | Q(state__in=[ResultState.PENDING, ResultState.DONE], reason=""),
                name="brief_result_says_why_it_is_missing",
            ),
        ]
        indexes: ClassVar = [
            # What a section used, for what could be saved.
            models.Index("section_ref", name="brief_result_of_section"),
        ]

    def __str__(self) -> str:
        return self.title


class BriefCitation(models.Model):
    """A passage that a section quotes: ``text[start:end]`` of one utterance, best rank first."""

    company = CompanyKey(related_name="+", db_constraint=False)
    result = TenantKey(BriefResult, related_name="citations", on_delete=models.CASCADE)
    rank = models.PositiveSmallIntegerField()
    conversation = TenantKey(Conversation, related_name="+")
    utterance = TenantKey(Utterance, related_name="+")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["result", "rank"], name="brief_citation_has_its_rank"),
            models.CheckConstraint(
                condition=Q(end__gt=F("start")), name="brief_citation_is_not_empty"
            ),
        ]
        indexes: ClassVar = [
            # Erasing a conversation: what quotes it.
            models.Index("conversation", name="brief_citation_of_conversation"),
            models.Index("utterance", name="brief_citation_of_utterance"),
        ]

    def __str__(self) -> str:
        return f"Citation {self.rank}"

    @property
    def quote(self) -> str:
        return self.utterance.text[self.start : self.end]


class BriefPage(models.Model):
    """A page that a section's web search found, best rank first."""

    company = CompanyKey(related_name="+", db_constraint=False)
    result = TenantKey(BriefResult, related_name="pages", on_delete=models.CASCADE)
    rank = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=300)
    url = models.URLField(max_length=1000)
    excerpt = models.CharField(max_length=600, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["result", "rank"], name="brief_page_has_its_rank"),
        ]

    def __str__(self) -> str:
        return self.title
