"""Backfills as the API shows them, and what may be said of them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits import limits
from credits.api import pages
from credits.api.fields import AmountField, CodeField, FlagField, IdField, InstantField
from credits.models import LimitSubject, LimitWindow, SpendingLimit
from trackers import backfill_progress, waiting
from trackers.api import estimates
from trackers.models import Backfill, BackfillState

EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b31",
    "tracker_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b15",
    "tracker_name": "Pricing objection",
    "version_number": 2,
    "state": "RUNNING",
    "from_at": "2026-01-01T00:00:00Z",
    "to_at": "2026-11-01T00:00:00Z",
    "conversations": 4120,
    "estimate": "3811.5",
    "ceiling": "3000.0",
    "charged": "1204.5",
    "done": 1302,
    "failed": 0,
    "skipped": 0,
    "waiting": 2718,
    "running": 100,
    "percent": 31,
    "started_at": "2026-11-21T23:10:05.123456Z",
    "started_by": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b18",
    "paused_at": None,
    "ended_at": None,
    "end_reason": "",
}
MET_EXAMPLE = {
    "limit_source": "tracker",
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b19",
    "name": "Pricing objection",
    "window": "DAY",
    "credits": "200.0",
    "goes_on_at": "2026-11-22T00:00:00Z",
}
DETAIL_EXAMPLE = EXAMPLE | {"seconds_left": 184, "met_limit": MET_EXAMPLE}
START_EXAMPLE = {
    "tracker": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b15",
    "from_at": "2026-01-01T00:00:00Z",
    "to_at": "2026-11-01T00:00:00Z",
    "ceiling": "3000",
    "max_credits": "5000",
}
PRICED_EXAMPLE = {
    "dry_run": True,
    "estimate": estimates.EXAMPLE,
    "ceiling": "3000.0",
    "backfill": None,
}


class BackfillParameters(pages.PageParameters):
    """Which backfills."""

    tracker = IdField(required=False, help_text="The id of one tracker.")
    state = CodeField(required=False, choices=BackfillState.choices, help_text="Where it stands.")


class StartInput(serializers.Serializer[Any]):
    """History to read: conversations that start in `from_at` ≤ t < `to_at`."""

    tracker = IdField(help_text="The id of a published tracker.")
    from_at = InstantField(
        required=False, help_text="The start of the oldest conversation, if left out."
    )
    to_at = InstantField(required=False, help_text="Exclusive; now, if left out.")
    ceiling = AmountField(
        required=False, help_text="Stop there; the estimate, if left out or lower."
    )
    max_credits = AmountField(
        required=False, help_text="Refuse, before any work, what may cost more."
    )
    dry_run = FlagField(required=False, default=False, help_text="Only say what it would cost.")

    class Meta:
        ref_name = "BackfillStart"


class BackfillOutput(serializers.Serializer[Any]):
    """A list of conversations, fixed at its start, for one version of a tracker."""

    id = IdField()
    tracker_id = IdField()
    tracker_name = serializers.CharField(source="tracker.name")
    version_number = serializers.IntegerField(source="version.number")
    state = serializers.ChoiceField(
        choices=BackfillState.choices,
        help_text="WAITING: it met zero, and goes on when somebody resumes it.",
    )
    from_at = InstantField()
    to_at = InstantField(help_text="Exclusive.")
    conversations = serializers.IntegerField(source="conversation_count")
    estimate = AmountField()
    ceiling = AmountField(help_text="The most it may cost.")
    charged = AmountField(source="progress.charged", help_text="Credits so far.")
    done = serializers.IntegerField(source="progress.done")
    failed = serializers.IntegerField(source="progress.failed")
    skipped = serializers.IntegerField(source="progress.skipped")
    waiting = serializers.IntegerField(source="progress.waiting")
    running = serializers.IntegerField(source="progress.running")
    percent = serializers.IntegerField(source="progress.percent", help_text="Read, or tried.")
    started_at = InstantField()
    started_by = IdField(
        source="started_by.public_id",
        allow_null=True,
        default=None,
        help_text="A person's public id.",
    )
    paused_at = InstantField(allow_null=True)
    ended_at = InstantField(allow_null=True)
    end_reason = serializers.CharField()

    class Meta:
        ref_name = "Backfill"


class MetLimitOutput(serializers.Serializer[Any]):
    """A limit that something met, and when it goes on by itself; before, if it is raised."""

    limit_source = serializers.ChoiceField(choices=[one.lower() for one in LimitSubject.values])
    id = IdField()
    name = serializers.CharField()
    window = serializers.ChoiceField(choices=LimitWindow.choices)
    credits = AmountField(help_text="What it allows in a window.")
    goes_on_at = InstantField()

    class Meta:
        ref_name = "MetLimit"


class BackfillDetail(BackfillOutput):
    """A backfill with the time it still takes, and the limit that it waits for."""

    seconds_left = serializers.SerializerMethodField(
        help_text="At the pace of the last minute; null while there is none."
    )

    met_limit = serializers.SerializerMethodField(
        help_text="Why it does not go on though it is RUNNING; null where it met no limit."
    )

    class Meta:
        ref_name = "BackfillDetail"

    @extend_schema_field(MetLimitOutput(allow_null=True))
    def get_met_limit(self, backfill: Backfill) -> dict[str, Any] | None:
        if backfill.state != BackfillState.RUNNING:
            return None
        waits = waiting.for_a_limit(now=timezone.now()).filter(backfill=backfill)
        met = waits.order_by("due_at").first()
        if met is None or met.limit_ref is None:
            return None
        limit = SpendingLimit.objects.get(company=backfill.company_id, pk=met.limit_ref)
        return dict(
            MetLimitOutput(
                {
                    "limit_source": limits.source_of(limit),
                    "id": limit.pk,
                    "name": limit.name,
                    "window": limit.window,
                    "credits": limit.credits,
                    "goes_on_at": met.due_at,
                }
            ).data
        )

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_seconds_left(self, backfill: Backfill) -> int | None:
        left = backfill_progress.time_left(backfill, now=timezone.now())
        return None if left is None else round(left.total_seconds())


class BackfillPage(serializers.Serializer[Any]):
    items = BackfillOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class StartedOutput(serializers.Serializer[Any]):
    """What a backfill costs; and the backfill, unless that was all that was asked."""

    dry_run = serializers.BooleanField(help_text="True: nothing was started.")
    estimate = estimates.BackfillEstimate()
    ceiling = AmountField(help_text="The most it may cost.")
    backfill = BackfillDetail(allow_null=True)

    class Meta:
        ref_name = "BackfillStarted"
