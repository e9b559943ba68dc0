"""Long reports: how far each is, its file, and what a person may do about it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from credits import exports, shown
from credits.admin import downloads
from credits.admin.scoped import ReadOnlyAdmin
from credits.current_company import scope_of
from credits.downloads import FileDownload
from credits.models import ExportJob, ExportState
from credits.models.exports import OPEN_EXPORT_STATES
from credits.reports import registry
from credits.reports.files import CONTENT_TYPES
from credits.reports.registry import NoSuchReport
from credits.roles import Act

TONES = {
    ExportState.QUEUED: shown.QUIET,
    ExportState.PREPARING: shown.INFO,
    ExportState.READY: shown.GOOD,
    ExportState.FAILED: shown.CRITICAL,
    ExportState.CANCELLED: shown.QUIET,
}
REFUSALS = (
    exports.AlreadyEnded,
    exports.StillPreparing,
    exports.TooManyExports,
    NoSuchReport,
)


@admin.register(ExportJob)
class ExportJobAdmin(ReadOnlyAdmin):
    """The exports of the last seven days, newest first; the page follows those that go on."""

    empty_words = "Reports that take longer than a moment appear here when they are asked for."
    view_act = Act.EXPORT_REPORTS
    ordering = ("-requested_at", "-id")
    sortable_by = ()
    list_display = ("report_title", "days", "shown_format", "state_now", "rows", "size", "asked")
    list_select_related = ("requested_by", "cancelled_by")
    list_filter = ("state", "file_format")
    fields = ("report_title",)
    change_form_template = "admin/credits/export_job.html"
    list_before_template = "admin/credits/export_jobs.html"

    class Media:
        js: ClassVar = ("credits/exports.js",)

    def get_urls(self) -> list[Any]:
        pages = {"download": download, "cancel": cancel, "rerun": rerun}
        return [*self.pages_of_row("job_id", pages), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | {"title": "Export jobs"})

    def name_of(self, row: Any) -> str:
        return f"{_title(row)}, {_days(row)}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        obj = context["original"]
        context |= {
            "job": obj,
            "facts": _facts(obj),
            "state": state(obj),
            "is_open": obj.state in OPEN_EXPORT_STATES,
            "may_cancel": may_cancel(request, obj),
            "is_downloadable": exports.is_downloadable(obj, timezone.now()),
            "percent": _percent(obj),
            "reason": obj.reason,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="report")
    def report_title(self, job: ExportJob) -> str:
        return _title(job)

    @display(description="days")
    def days(self, job: ExportJob) -> str:
        return _days(job)

    @display(description="format")
    def shown_format(self, job: ExportJob) -> str:
        return job.file_format.upper()

    @display(description="state")
    def state_now(self, job: ExportJob) -> SafeString:
        return format_html(
            '<span data-follow="{}-state">{}{}{}</span>',
            job.pk,
            state(job),
            _file_link(job),
            _mail_trouble(job),
        )

    @display(description="rows")
    def rows(self, job: ExportJob) -> SafeString:
        return shown.count(job.row_count, metric="export-rows")

    @display(description="size")
    def size(self, job: ExportJob) -> SafeString:
        return format_html('<span data-follow="{}-size">{}</span>', job.pk, _size(job))

    @display(description="asked for")
    def asked(self, job: ExportJob) -> SafeString:
        return _asked(job)


def download(model_admin: Any, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Give the file to people of its company who may have reports."""
    job = _found(model_admin, request, job_id)
    if not exports.is_downloadable(job, timezone.now()):
        messages.warning(request, "There is no file to download: run the export again.")
        return redirect("admin:credits_exportjob_change", job.pk)
    try:
        file = open(exports.path_of(job), "rb")  # noqa: SIM115 - The answer closes it.
    except FileNotFoundError:
        messages.error(request, "The file is not in the folder of exports any more: run it again.")
        return redirect("admin:credits_exportjob_change", job.pk)
    extension, choice = job.file_name.rpartition(".")[2], exports.choice_of(job)
    downloads.record(
        request,
        name=job.report,
        label=_title(job),
        details=choice.facts | {"export_job": str(job.pk)},
    )
    return FileDownload(
        file,
        as_attachment=True,
        filename=choice.file_name(job.company, extension),
        content_type=CONTENT_TYPES[extension],
    )


def cancel(model_admin: Any, request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Say how far the export is; then end it."""
    job = _found(model_admin, request, job_id)
    if not may_cancel(request, job):
        raise PermissionDenied
    if request.method == "POST":
        try:
            exports.cancel(
                job_id=job.pk,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except REFUSALS as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, "Cancelled. What was prepared is thrown away.")
        return redirect("admin:credits_exportjob_change", job.pk)
    return _page(
        model_admin,
        request,
        job,
        "Cancel",
        is_possible=job.state in OPEN_EXPORT_STATES,
        rows_done=shown.count(job.rows_done, metric="export-rows-done"),
        row_count=shown.count(job.row_count, metric="export-rows"),
    )


def rerun(model_admin: Any, request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Say how many rows the same report has now; then ask for it again."""
    job = _found(model_admin, request, job_id)
    try:
        if request.method == "POST":
            again = exports.rerun(
                job=job,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
                address=request.build_absolute_uri,
            )
            return redirect("admin:credits_exportjob_change", again.pk)
        row_count = exports.count_again(job)
    except REFUSALS as refusal:
        messages.warning(request, str(refusal))
        return redirect("admin:credits_exportjob_change", job.pk)
    return _page(
        model_admin,
        request,
        job,
        "Run again",
        is_possible=job.state not in OPEN_EXPORT_STATES,
        row_count=shown.count(row_count, metric="export-rows"),
    )


def state(job: ExportJob) -> SafeString:
    """Show the state in words: how far it is, until when its file is there, why it failed."""
    words = {
        ExportState.PREPARING: f"Preparing {job.rows_done:,} of {job.row_count:,} rows",
        ExportState.READY: _until(job),
        ExportState.CANCELLED: f"Cancelled by {job.cancelled_by.get_short_name()}"
        if job.cancelled_by
        else "",
    }
    label = words.get(ExportState(job.state)) or str(job.get_state_display())
    code = job.state.lower()
    if job.state == ExportState.READY and not exports.is_downloadable(job, timezone.now()):
        label, code = "Removed after seven days", "removed"
    return shown.status(label, code=code, tone=TONES[ExportState(job.state)])


def _until(job: ExportJob) -> str:
    if job.expires_at is None:
        return ""
    local = job.expires_at.astimezone(shown.zone_of(job.company)).date()
    return f"Ready until {local.day} {local:%b}"


def _file_link(job: ExportJob) -> str:
    """Return what comes after the state: the file, or why there is none."""
    if exports.is_downloadable(job, timezone.now()):
        url = reverse("admin:credits_exportjob_download", args=[job.pk])
        return format_html(' <a class="credits-link" href="{}">Download</a>', url)
    return f" {job.reason}" if job.reason else ""


def _facts(job: ExportJob) -> list[tuple[str, Any]]:
    ticks = {
        "free use included": job.has_free_use,
        "one row per tracker and day": job.is_daily,
        "with a byte-order mark": job.has_bom,
    }
    how = ", ".join([job.file_format.upper(), *(name for name, is_on in ticks.items() if is_on)])
    return [
        ("Days", _days(job)),
        ("Format", how),
        ("Rows", shown.count(job.row_count, metric="export-rows")),
        ("Size", _size(job)),
        ("Asked for", _asked(job)),
        ("Ended", shown.instant(job.finished_at, job.company)),
        ("E-mail", mail(job)),
    ]


def mail(job: ExportJob) -> SafeString:
    """Say whether the person who asked was told by e-mail, and if not, why and what comes next."""
    to = job.requested_by.email
    if job.mailed_at is not None:
        sent = shown.instant(job.mailed_at, job.company)
        return _mail_status("mailed", format_html("Sent to {} on {}", to, sent))
    if job.mail_handed_at is not None:
        words = f"It is not known whether it reached {to}; it is not sent twice."
        return _mail_status("mail-unknown", words)
    if job.mail_due_at is not None and job.mail_trouble:
        again = shown.instant(job.mail_due_at, job.company)
        words = format_html("Not sent to {} yet. {} Next try: {}", to, job.mail_trouble, again)
        return _mail_status("mail-postponed", words)
    if job.mail_trouble:
        return _mail_status("mail-not-sent", f"Not sent to {to}. {job.mail_trouble}")
    if job.page_url and job.state != ExportState.CANCELLED:
        when = "when it has ended" if job.state in OPEN_EXPORT_STATES else "in a moment"
        return _mail_status("mail-due", f"Goes to {to} {when}.")
    return _mail_status("no-mail", shown.NOTHING)


def _mail_status(code: str, words: str) -> SafeString:
    return format_html('<span data-status="{}">{}</span>', code, words)


def _mail_trouble(job: ExportJob) -> str:
    """Return a line about an e-mail that was not sent; empty when there is nothing to say."""
    is_lost = job.mail_handed_at is not None and job.mailed_at is None
    if not job.mail_trouble and not is_lost:
        return ""
    return format_html(' <span class="credits-kind">E-mail: {}</span>', mail(job))


def _title(job: ExportJob) -> str:
    return registry.title_of(job.report)


def _days(job: ExportJob) -> str:
    return exports.choice_of(job).days.as_range


def _size(job: ExportJob) -> str:
    return shown.NOTHING if job.byte_count is None else filesizeformat(job.byte_count)


def _asked(job: ExportJob) -> SafeString:
    who = job.requested_by.get_short_name()
    return format_html("<span>{} by {}</span>", shown.instant(job.requested_at, job.company), who)


def _percent(job: ExportJob) -> int:
    """Return how much is prepared; a range that grew meanwhile is never more than all of it."""
    return min(100, 100 * job.rows_done // job.row_count) if job.row_count else 0


def may_cancel(request: HttpRequest, job: ExportJob) -> bool:
    """Tell whether the person may cancel the export: their own, or by their role any."""
    is_own = job.requested_by_id == request.user.pk
    return is_own or scope_of(request).may(Act.CANCEL_EXPORTS)


def _found(model_admin: Any, request: HttpRequest, job_id: UUID) -> ExportJob:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    rows = model_admin.get_queryset(request).select_related("company", "requested_by")
    found: ExportJob = get_object_or_404(rows, pk=job_id)
    if not scope_of(request).covers(found.company_id):
        raise PermissionDenied
    return found


def _page(
    model_admin: Any, request: HttpRequest, job: ExportJob, heading: str, **more: Any
) -> HttpResponse:
    context = model_admin.admin_site.each_context(request) | {
        "title": f"{heading}: {model_admin.name_of(job)}",
        "content_title": heading,
        "job": job,
        "name": model_admin.name_of(job),
        "heading": heading,
        **more,
    }
    name = "cancel" if heading == "Cancel" else "rerun"
    return render(request, f"admin/credits/export_{name}.html", context)
