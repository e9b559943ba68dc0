"""Imports by upload: choose files, look at what they hold and would cost, then confirm."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from credits import balances, shown
from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan
from credits.admin.scoped import CompanyScopedAdmin
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.models import User
from credits.roles import Act
from trackers import uploads
from trackers.importers.formats import MixedFiles
from trackers.importers.reading import MemoryFile, TooManyRows
from trackers.models import ImportFormat, ImportUpload
from trackers.uploads import (
    AlreadyImported,
    NothingUploaded,
    TooManyFiles,
    UploadGone,
    UploadPreview,
    UploadTooLarge,
)

BAD_LINES_SHOWN_MAX = 50
REFUSALS = (NothingUploaded, TooManyFiles, UploadTooLarge, TooManyRows, MixedFiles)


class FilesWidget(UnfoldAdminFileFieldWidget):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or several files."""

    widget = FilesWidget

    def clean(self, data: Any, initial: Any = None) -> Any:
        chosen = data if isinstance(data, list | tuple) and data else [data or None]
        return [super(FilesField, self).clean(one, initial) for one in chosen]


class UploadForm(forms.Form):
    chosen = FilesField(
        label="Files",
        error_messages={
            "required": "Choose a file.",
            "empty": str(NothingUploaded.__doc__),
            "max_length": "Give the file a shorter name, of at most %(max)d characters.",
        },
    )
    import_format = forms.ChoiceField(
        label="What they hold",
        required=False,
        choices=[("", "Tell it from the files"), *ImportFormat.choices],
        widget=UnfoldAdminSelectWidget,
    )


class Confirm(acting.Act):
    """Import what was uploaded."""

    needs = Act.IMPORT_CONVERSATIONS
    heading = "Import"
    button = "Import"
    verb = "imported"
    refusals = (UploadGone, AlreadyImported, TooManyRows, CompanyClosed)

    def __init__(self, *, request: HttpRequest, row: ImportUpload) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_importupload_changelist")

    def before(self, form: ActForm) -> Done | None:
        is_done = self.row.finished_at is not None
        return Done(_page_of(self.row), "") if is_done else None

    def plan(self, form: ActForm) -> Plan:
        found = uploads.look(upload=self.row, now=self.now)
        hidden = len(found.bad_lines) - BAD_LINES_SHOWN_MAX
        left_out = [f"Left out: {bad}." for bad in found.bad_lines[:BAD_LINES_SHOWN_MAX]]
        if hidden > 0:
            left_out.append(f"Left out: {hidden:,} more.")
        facts = _directory_facts(found) if found.directory else self._facts(found)
        return Plan(
            facts=(
                ("Rows that can be read", shown.count(found.readable, metric="readable")),
                ("Rows left out", shown.count(len(found.bad_lines), metric="left-out")),
                *facts,
            ),
            notes=(*found.notes, *left_out),
            is_possible=found.readable > 0,
        )

    def do(self, form: ActForm) -> Done:
        done = uploads.take_in(upload=self.row, by=self.by, now=self.now)
        return Done(
            _page_of(done), f"Imported: {done.created_count:,} new, {_changed(done):,} changed."
        )

    def _facts(self, found: UploadPreview) -> list[tuple[str, Any]]:
        assert self.company is not None
        report = found.report
        facts: list[tuple[str, Any]] = [
            ("Not here yet", shown.count(report.created, metric="created")),
            ("With a changed text", shown.count(report.revised, metric="revised")),
            ("With changed details", shown.count(report.updated, metric="updated")),
            ("Unchanged", shown.count(report.unchanged + found.repeats, metric="unchanged")),
        ]
        if report.erased:
            facts.append(
                ("Erased earlier, not taken in", shown.count(report.erased, metric="erased"))
            )
        return [
            *facts,
            ("New for published trackers", shown.count(found.new, metric="new")),
            ("History, read only by a backfill", shown.count(found.history, metric="history")),
            ("Credits to scan what is new", shown.amount(found.credits, metric="cost")),
            (
                "Credits available",
                shown.amount(balances.now(company=self.company).available, metric="available"),
            ),
        ]


def _directory_facts(found: UploadPreview) -> list[tuple[str, Any]]:
    report = found.directory
    assert report is not None
    return [
        ("New accounts", shown.count(report.accounts_created, metric="accounts-created")),
        (
            "Accounts with another type",
            shown.count(report.accounts_changed, metric="accounts-changed"),
        ),
        ("New deals", shown.count(report.deals_created, metric="deals-created")),
        ("Deals in another stage", shown.count(report.deals_changed, metric="deals-changed")),
        ("Unchanged", shown.count(report.unchanged, metric="unchanged")),
    ]


@admin.register(ImportUpload)
class ImportUploadAdmin(CompanyScopedAdmin):
    """What was uploaded: kept for an hour until it is confirmed, then what it did."""

    is_audited_by_operation = True
    empty_words = "Imports appear here when somebody uploads files with calls and e-mails."
    view_act = Act.IMPORT_CONVERSATIONS
    change_act = Act.IMPORT_CONVERSATIONS
    ordering = ("-uploaded_at", "-id")
    sortable_by = ()
    list_display = ("uploaded", "format_shown", "by", "state", "created", "changed", "left_out")
    list_select_related = ("company", "uploaded_by")
    fields = (
        "uploaded",
        "format_shown",
        "by",
        "state",
        "created",
        "changed",
        "unchanged",
        "erased",
        "left_out",
        "scans",
    )
    readonly_fields = fields

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        pages = acting.pages_of_row({"confirm": Confirm})
        return [*self.pages_of_row("pk", pages), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Take files in and lead to the page that says what they hold."""
        if not self.has_add_permission(request):
            raise scope_of(request).refusal(Act.IMPORT_CONVERSATIONS)
        is_sent = request.method == "POST"
        form = UploadForm(request.POST, request.FILES) if is_sent else UploadForm()
        if is_sent and (upload := _kept(request, form)) is not None:
            return HttpResponseRedirect(
                reverse("admin:trackers_importupload_confirm", args=[upload.pk])
            )
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": "Import",
            "form": form,
            "megabytes": settings.IMPORT_MEGABYTES,
            "rows": f"{settings.IMPORT_ROWS:,}",
            "back_url": reverse("admin:trackers_importupload_changelist"),
        }
        return TemplateResponse(request, "admin/trackers/import_upload.html", context)

    @display(description="uploaded")
    def uploaded(self, upload: ImportUpload) -> str:
        return shown.instant(upload.uploaded_at, upload.company)

    @display(description="what it holds")
    def format_shown(self, upload: ImportUpload) -> str:
        return upload.get_import_format_display()

    @display(description="by")
    def by(self, upload: ImportUpload) -> str:
        return upload.uploaded_by.get_full_name()

    @display(description="state")
    def state(self, upload: ImportUpload) -> SafeString | str:
        if upload.finished_at is not None:
            return shown.status("Imported")
        if not uploads.is_kept(upload, timezone.now()):
            return shown.status("Expired")
        link = reverse("admin:trackers_importupload_confirm", args=[upload.pk])
        return format_html('<a class="credits-link" href="{}">Look and import</a>', link)

    @display(description="new")
    def created(self, upload: ImportUpload) -> str:
        return shown.count(upload.created_count, metric="created")

    @display(description="changed")
    def changed(self, upload: ImportUpload) -> str:
        return shown.count(_changed(upload), metric="changed")

    @display(description="unchanged")
    def unchanged(self, upload: ImportUpload) -> str:
        return shown.count(upload.unchanged_count, metric="unchanged")

    @display(description="erased earlier, not taken in")
    def erased(self, upload: ImportUpload) -> str:
        return shown.count(upload.erased_count, metric="erased")

    @display(description="left out")
    def left_out(self, upload: ImportUpload) -> str:
        return shown.count(upload.left_out_count, metric="left-out")

    @display(description="scans queued")
    def scans(self, upload: ImportUpload) -> str:
        return shown.count(upload.scan_count, metric="scans")


def _kept(request: HttpRequest, form: UploadForm) -> ImportUpload | None:
    """Keep what was uploaded; None, with an error on the form, for what is refused."""
    if not form.is_valid():
        return None
    company = scope_of(request).company
    assert company is not None
    assert isinstance(request.user, User)
    chosen: list[UploadedFile[Any]] = form.cleaned_data["chosen"]
    try:
        if sum(file.size or 0 for file in chosen) > uploads.bytes_max():
            raise UploadTooLarge
        return uploads.keep(
            company=company,
            files=[MemoryFile(file.name or "", file.read()) for file in chosen],
            import_format=form.cleaned_data["import_format"],
            by=request.user,
            now=timezone.now(),
        )
    except REFUSALS as refusal:
        form.add_error("chosen", str(refusal))
        return None


def _changed(upload: ImportUpload) -> int:
    return upload.revised_count + upload.updated_count


def _page_of(upload: ImportUpload) -> str:
    return reverse("admin:trackers_importupload_change", args=[upload.pk])
