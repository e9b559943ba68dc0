"""The audit trail as a file: what its page shows, one row per event."""

from __future__ import annotations

from typing import Any, ClassVar

from import_export.fields import Field
from import_export.resources import Resource

from credits.models import AuditEvent
from credits.reports.base import CHUNK_ROWS
from credits.reports.columns import Column, TextColumn, harmless


class AuditTrailReport(Resource):
    """Events newest first, times in UTC; erased text is empty."""

    title: ClassVar[str] = "Audit trail"
    slug: ClassVar[str] = "audit-trail"

    time = Column("Time")
    company = TextColumn("Company")
    who = TextColumn("Who")
    who_id = Column("Who ID")
    action = TextColumn("Action")
    subject_type = TextColumn("Subject type")
    subject_id = TextColumn("Subject ID")
    subject = TextColumn("Subject")
    changes = TextColumn("Before → after")
    reason = TextColumn("Reason")
    door = TextColumn("Door")
    address = TextColumn("Address")
    browser = TextColumn("Browser")
    request_id = TextColumn("Request ID")

    class Meta:
        chunk_size = CHUNK_ROWS

    @classmethod
    def get_display_name(cls) -> str:
        return cls.title

    def get_user_visible_fields(self) -> list[Field]:
        return list(self.fields.values())

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        return queryset.select_related("text", "company").order_by("-occurred_at", "-pk")

    def export_field(self, field: Field, instance: Any, **kwargs: Any) -> str:
        cell = str(super().export_field(field, instance, **kwargs))
        return harmless(cell) if isinstance(field, TextColumn) else cell

    def dehydrate_time(self, event: AuditEvent) -> str:
        return event.occurred_at.isoformat()

    def dehydrate_company(self, event: AuditEvent) -> str:
        return "" if event.company is None else event.company.name

    def dehydrate_who(self, event: AuditEvent) -> str:
        return event.text.actor_name or event.get_actor_kind_display()

    def dehydrate_who_id(self, event: AuditEvent) -> str:
        return str(event.actor_ref or "")

    def dehydrate_action(self, event: AuditEvent) -> str:
        return event.get_action_display()

    def dehydrate_subject_type(self, event: AuditEvent) -> str:
        return event.subject_type

    def dehydrate_subject_id(self, event: AuditEvent) -> str:
        return event.subject_id

    def dehydrate_subject(self, event: AuditEvent) -> str:
        return event.text.subject_label

    def dehydrate_changes(self, event: AuditEvent) -> str:
        return "; ".join(
            f"{one['field']}: {one['before'] or ''} → {one['after'] or ''}"
            for one in event.text.changes
        )

    def dehydrate_reason(self, event: AuditEvent) -> str:
        return event.text.reason

    def dehydrate_door(self, event: AuditEvent) -> str:
        return " ".join(part for part in (event.get_door_display(), event.job) if part)

    def dehydrate_address(self, event: AuditEvent) -> str:
        return event.text.ip or ""

    def dehydrate_browser(self, event: AuditEvent) -> str:
        return event.text.user_agent

    def dehydrate_request_id(self, event: AuditEvent) -> str:
        return event.request_id
