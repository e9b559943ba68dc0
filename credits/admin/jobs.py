"""What runs by itself, when, and when it last succeeded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from celery.schedules import crontab
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from credits import shown
from credits.admin.shared import SharedAdmin
from credits.models import JobRun
from credits.roles import Act


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """One line of the schedule, with its last success where there was one."""

    name: str
    task: str
    runs: str
    last_success: str
    status: str


@admin.register(JobRun)
class JobRunAdmin(SharedAdmin):
    """The schedule is written in the product; this page only reads it."""

    empty_words = "Jobs appear here when worker and scheduler have run them."
    view_act = Act.VIEW_SCHEDULE
    ordering = ("name",)
    sortable_by = ()
    list_display = ("name", "claimed", "succeeded", "summary")
    fields = list_display
    readonly_fields = list_display
    list_before_template = "admin/credits/schedule.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = (extra_context or {}) | {"title": "Jobs and schedule", "schedule": schedule()}
        return super().changelist_view(request, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        # Django's log of changes is always empty where nobody changes anything.
        context["show_history"] = False
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="last claimed for")
    def claimed(self, run: JobRun) -> str:
        return shown.utc(run.period)

    @display(description="last success")
    def succeeded(self, run: JobRun) -> str:
        return shown.utc(run.succeeded_at)


def schedule() -> list[ScheduledJob]:
    """Return what beat starts, as composed, with each job's last success."""
    succeeded: dict[str, datetime | None] = dict(JobRun.objects.values_list("name", "succeeded_at"))
    return [
        ScheduledJob(
            name=name,
            task=job["task"],
            runs=_in_words(job["schedule"]),
            last_success=shown.utc(succeeded.get(name)),
            status=shown.status("Has run" if succeeded.get(name) else "Never ran"),
        )
        for name, job in sorted(current_app.conf.beat_schedule.items())
    ]


def _in_words(when: Any) -> str:
    if isinstance(when, timedelta):
        return f"every {when.total_seconds():.0f} seconds"
    if not isinstance(when, crontab):
        return f"every {when}"
    line = str(when).removeprefix("<crontab: ").partition(" (")[0]
    return "every minute" if line == "* * * * *" else f"at {line} (UTC)"
