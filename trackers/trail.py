"""What the audit trail says of acts on trackers' work."""

from __future__ import annotations

from credits import audit
from credits.audit import Action, Actor
from credits.models import User
from trackers.models import Backfill


def backfill(action: Action, backfill: Backfill, *, by: User | Actor) -> None:
    """Write an act down; how far it had come is in the scans, which nobody edits."""
    figures = {
        "from": backfill.from_at,
        "to": backfill.to_at,
        "conversations": backfill.conversation_count,
        "estimate": backfill.estimate,
        "ceiling": backfill.ceiling,
    }
    audit.record(
        action=action,
        by=by,
        company=backfill.company_id,
        subject=audit.Subject(
            audit.type_of(Backfill),
            str(backfill.pk),
            f"of {backfill.tracker.name}, version {backfill.version.number}",
        ),
        after=figures if action == Action.STARTED else None,
    )
