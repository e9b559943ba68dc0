"""What a tracker asks, of which conversations, and since when."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from credits.amounts import ZERO, AmountField
from credits.identifiers import new_id
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys
from trackers.models.people import Team, TeamMember


class TrackerState(models.TextChoices):
    DRAFT = "DRAFT", "Draft"
    PUBLISHED = "PUBLISHED", "Published"
    UNPUBLISHED = "UNPUBLISHED", "Unpublished"


class TrackerKind(models.TextChoices):
    """How a tracker finds what it looks for; only a question is charged. Never changes."""

    QUESTION = "QUESTION", "Question"
    KEYWORD = "KEYWORD", "Keywords"
    PRETRAINED = "PRETRAINED", "Pretrained"


FREE_KINDS = (TrackerKind.KEYWORD, TrackerKind.PRETRAINED)


class Side(models.TextChoices):
    """Whose words a question is about."""

    ANY = "ANY", "Anyone"
    REP = "REP", "Our rep"
    CUSTOMER = "CUSTOMER", "Customer"


class Part(models.TextChoices):
    """Which part of a call is read, by when an utterance begins; e-mails are read whole."""

    WHOLE = "WHOLE", "The whole call"
    FIRST = "FIRST", "The first minutes"
    LAST = "LAST", "The last minutes"


class AnswerType(models.TextChoices):
    YES_NO = "YES_NO", "Yes or no"
    CATEGORY = "CATEGORY", "One of several choices"
    TEXT = "TEXT", "Quoted text"


class Tracker(models.Model):
    """What is asked of conversations, and the settings that never make an item payable again.

    ``language`` is a code of two or three letters, empty for any. ``edit_number`` counts saved
    changes, so that a form opened before somebody else's change is refused.
    ``first_published_at`` divides new conversations from history. ``campaign_end_date`` is a day
    in the company's zone, the last on which the answers are wanted; null without a campaign.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="trackers")
    kind = models.CharField(
        max_length=20, choices=TrackerKind.choices, default=TrackerKind.QUESTION, editable=False
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    state = models.CharField(
        max_length=20,
        choices=TrackerState.choices,
        default=TrackerState.DRAFT,
        editable=False,
    )
    include_calls = models.BooleanField("calls", default=True)
    include_emails = models.BooleanField("e-mails", default=False)
    language = models.CharField(max_length=3, blank=True)
    examples = ArrayField(models.CharField(max_length=500), default=list, blank=True)
    counter_examples = ArrayField(models.CharField(max_length=500), default=list, blank=True)
    threshold = models.DecimalField(
        max_digits=7, decimal_places=6, null=True, blank=True, editable=False
    )
    catch_up = models.BooleanField(
        "catch up by itself",
        default=False,
        help_text="When credits come, read what waited for them without asking.",
    )
    campaign_end_date = models.DateField(
        "campaign's last day",
        null=True,
        blank=True,
        help_text="For what is asked only as long as a campaign runs. After that day the product "
        "suggests to unpublish the tracker; nothing stops by itself.",
    )
    current_version = TenantKey(
        "trackers.TrackerVersion", null=True, editable=False, related_name="+"
    )
    edit_number = models.PositiveIntegerField(default=1, editable=False)
    first_published_at = models.DateTimeField(null=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    unpublished_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )

    history = HistoricalRecords(history_change_reason_field=models.TextField(null=True))

    class Meta:
        verbose_name = "AI tracker"
        constraints: ClassVar = [
            target_of_composite_keys("trackers_tracker"),
            models.UniqueConstraint(
                fields=["company", "name"], name="tracker_name_is_unique_in_a_company"
            ),
            # Versions point here with their kind, so that neither changes without the other.
            models.UniqueConstraint(fields=["id", "kind"], name="tracker_kind_is_its_versions"),
            models.CheckConstraint(
                condition=Q(kind__in=TrackerKind.values), name="tracker_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=TrackerState.values), name="tracker_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state=TrackerState.DRAFT, first_published_at=None, current_version=None)
                | ~Q(state=TrackerState.DRAFT)
                & Q(first_published_at__isnull=False, current_version__isnull=False),
                name="tracker_published_once_has_a_version_and_a_date",
            ),
            models.CheckConstraint(
                condition=Q(include_calls=True) | Q(include_emails=True),
                name="tracker_reads_calls_or_emails",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def version_in_force(self) -> TrackerVersion:
        """Return the version that is or was published; only drafts have none."""
        assert self.current_version is not None
        return self.current_version

    @property
    def new_since(self) -> datetime:
        """Return from when on conversations are new for the tracker; drafts have no such date."""
        assert self.first_published_at is not None
        return self.first_published_at


class TrackerVersion(models.Model):
    """What makes a finding: question, details, answer type, whose words, part of the call.

    A version of a keyword tracker has ``terms`` instead, and its question says them; one of a
    pretrained tracker names what was shipped, whose question and side it copies. ``kind`` is its
    tracker's.

    Unpublished it is the tracker's draft and may change; published it never changes again, and
    a conversation's text is charged at most once for it. ``calibration`` holds the analyzer's
    corpus statistics; null until the next batch computes them. ``month_estimate`` is what a month
    of it was said to cost, in credits, when it was published; null where the conversations of
    the company did not reach a month back then, and of versions older than this field.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="+")
    tracker = TenantKey(Tracker, related_name="versions")
    kind = models.CharField(
        max_length=20, choices=TrackerKind.choices, default=TrackerKind.QUESTION, editable=False
    )
    number = models.PositiveIntegerField()
    question = models.TextField()
    details = models.TextField("additional details", blank=True)
    answer_type = models.CharField(
        max_length=20, choices=AnswerType.choices, default=AnswerType.YES_NO
    )
    choices = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    side = models.CharField("whose words", max_length=20, choices=Side.choices, default=Side.ANY)
    part = models.CharField(
        "part of the call", max_length=20, choices=Part.choices, default=Part.WHOLE
    )
    part_minutes = models.PositiveSmallIntegerField(null=True)
    terms = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    related_forms = models.BooleanField("other forms of a word", default=False)
    pretrained = models.CharField(max_length=40, blank=True)
    calibration = models.JSONField(null=True, editable=False)
    month_estimate = AmountField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_trackerversion"),
            models.UniqueConstraint(
                fields=["tracker", "number"], name="version_number_is_unique_in_a_tracker"
            ),
            models.UniqueConstraint(
                fields=["tracker"],
                condition=Q(published_at=None),
                name="tracker_has_one_draft_version",
            ),
            models.CheckConstraint(condition=~Q(question=""), name="version_has_a_question"),
            models.CheckConstraint(
                condition=Q(month_estimate=None)
                | Q(month_estimate__gte=0, published_at__isnull=False),
                name="version_is_estimated_when_it_is_published",
            ),
            models.CheckConstraint(
                condition=Q(side__in=Side.values, answer_type__in=AnswerType.values),
                name="version_side_and_answer_type_are_known",
            ),
            models.CheckConstraint(
                condition=Q(part=Part.WHOLE, part_minutes=None)
                | Q(
                    part__in=[Part.FIRST, Part.LAST],
                    part_minutes__isnull=False,
                    part_minutes__gt=0,
                ),
                name="version_part_has_its_minutes",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=TrackerKind.QUESTION, terms__len=0, related_forms=False, pretrained=""
                )
                | Q(kind=TrackerKind.KEYWORD, terms__len__gt=0, pretrained="")
                | Q(kind=TrackerKind.PRETRAINED, terms__len=0, related_forms=False)
                & ~Q(pretrained=""),
                name="version_has_what_its_kind_has",
            ),
        ]

    def __str__(self) -> str:
        return f"Version {self.number}"

    @property
    def is_free(self) -> bool:
        """Tell whether reading costs nothing, whatever is read."""
        return self.kind in FREE_KINDS


class FilterField(models.TextChoices):
    TEAM = "TEAM", "Team"
    USER = "USER", "User"
    ACCOUNT_TYPE = "ACCOUNT_TYPE", "Account type"
    DEAL_STAGE = "DEAL_STAGE", "Deal stage"


class TrackerFilter(models.Model):
    """One value of a tracker's filters: any of the values of a field, and between fields.

    With ``is_excluded`` conversations with this value are left out instead.
    """

    company = CompanyKey(related_name="+", db_constraint=False)
    tracker = TenantKey(Tracker, related_name="filters", on_delete=models.CASCADE)
    field = models.CharField(max_length=20, choices=FilterField.choices)
    is_excluded = models.BooleanField(default=False)
    team = TenantKey(Team, null=True, related_name="+")
    member = TenantKey(TeamMember, null=True, related_name="+")
    text = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(field=FilterField.TEAM, team__isnull=False, member=None, text="")
                | Q(field=FilterField.USER, team=None, member__isnull=False, text="")
                | Q(
                    field__in=[FilterField.ACCOUNT_TYPE, FilterField.DEAL_STAGE],
                    team=None,
                    member=None,
                )
                & ~Q(text=""),
                name="filter_value_fits_its_field",
            ),
            models.UniqueConstraint(
                fields=["tracker", "field", "is_excluded", "team", "member", "text"],
                nulls_distinct=False,
                name="filter_names_a_value_once",
            ),
        ]

    def __str__(self) -> str:
        return f"Filter {self.pk}"


class BackfillState(models.TextChoices):
    """Where a backfill stands: paused by a person, or waiting since it met zero."""

    RUNNING = "RUNNING", "Running"
    PAUSED = "PAUSED", "Paused"
    WAITING = "WAITING", "Waiting for credits"
    STOPPED = "STOPPED", "Stopped"
    DONE = "DONE", "Done"


LIVE_BACKFILL_STATES = [BackfillState.RUNNING, BackfillState.PAUSED, BackfillState.WAITING]


class Backfill(models.Model):
    """A scan of history for one version: a list of conversations fixed at launch.

    Conversations that start in ``from_at <= t < to_at``. ``ceiling`` is the most it may cost;
    ``claimed`` is at least what is spent and under way, see Note [Claimed at most].
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="backfills")
    tracker = TenantKey(Tracker, related_name="backfills")
    version = TenantKey(TrackerVersion, related_name="backfills")
    state = models.CharField(
        max_length=20, choices=BackfillState.choices, default=BackfillState.RUNNING
    )
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    conversation_count = models.PositiveIntegerField()
    estimate = models.DecimalField("estimated credits", max_digits=18, decimal_places=3)
    ceiling = models.DecimalField("ceiling in credits", max_digits=18, decimal_places=3)
    claimed = AmountField(default=ZERO, db_default=ZERO, editable=False)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    paused_at = models.DateTimeField(null=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    end_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_backfill"),
            models.UniqueConstraint(
                fields=["tracker"],
                condition=Q(state__in=LIVE_BACKFILL_STATES),
                name="tracker_has_one_backfill_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(to_at__gt=F("from_at")), name="backfill_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(ceiling__gte=0, estimate__gte=0),
                name="backfill_ceiling_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(state__in=LIVE_BACKFILL_STATES, ended_at=None)
                | Q(
                    state__in=[BackfillState.STOPPED, BackfillState.DONE],
                    ended_at__isnull=False,
                ),
                name="backfill_has_an_end_when_it_ended",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=BackfillState.PAUSED, paused_at__isnull=False, paused_by__isnull=False
                )
                | ~Q(state=BackfillState.PAUSED) & Q(paused_at=None, paused_by=None),
                name="backfill_is_paused_by_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"Backfill {self.pk}"
