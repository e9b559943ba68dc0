"""Export and import of tracker configuration, from the list of trackers.

An import is shown before it is done: row by row, what it would do, by doing it and rolling back.
The confirmation brings the file back, signed for this person and company, with a digest of what
was shown; when the same rows would do something else by now, they are shown again instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from import_export.admin import ExportMixin
from tablib import Dataset
from unfold import widgets
from unfold.contrib.import_export.forms import ExportForm

from credits.admin.downloads import AuditedExport
from credits.current_company import scope_of
from credits.roles import Act
from trackers.transfer import files
from trackers.transfer.files import BadFile
from trackers.transfer.resource import COLUMNS, SAME, Outcome, TrackerResource

SALT = "import of trackers"
SHOWN_FOR_SECONDS = 3600
TOO_OLD = "This preview is no longer good. Choose the file again."
LOOK_AGAIN = "Something changed since you looked. Nothing was imported; this is what it does now."


class FileForm(forms.Form):
    """The file to look at."""

    file = forms.FileField(
        label="File",
        widget=widgets.UnfoldAdminFileFieldWidget(),
        help_text=f"CSV (UTF-8) or JSON, as exported here: at most {files.ROWS_MAX} trackers and "
        f"{files.BYTES_MAX // 1024} kB.",
    )


@dataclass(slots=True)
class Preview:
    """What an import would do: its rows, and the file to send back with the confirmation."""

    outcomes: list[Outcome] = field(default_factory=list)
    token: str = ""

    @property
    def taken(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.what and one.what != SAME]

    @property
    def refused(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.reason]

    @property
    def unchanged(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.what == SAME]


class TrackerFilesMixin(AuditedExport, ExportMixin):
    """Adds both addresses to the admin of trackers."""

    resource_classes: ClassVar = [TrackerResource]
    export_formats: ClassVar = [files.TrackersCSV, files.TrackersJSON]
    export_form_class: Any = ExportForm
    to_encoding = "utf-8"
    import_export_change_list_template = "admin/import_export/change_list_import_export.html"

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.import_page)
        return [path("import/", page, name="trackers_tracker_import"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        extra = (extra_context or {}) | {"has_import_permission": self.may_import(request)}
        return super().changelist_view(request, extra)

    def has_export_permission(self, request: HttpRequest) -> bool:
        # A file names one company's teams and people.
        scope = scope_of(request)
        return scope.company is not None and scope.may(Act.VIEW_TRACKERS)

    def may_import(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request))

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"company": scope_of(request).company}

    def get_export_filename(self, request: HttpRequest, queryset: Any, file_format: Any) -> str:
        company = scope_of(request).company
        assert company is not None  # has_export_permission
        return f"trackers-{company.slug}.{file_format.get_extension()}"

    def import_page(self, request: HttpRequest) -> HttpResponse:
        """Take a file, show what it would do, and do it when that is confirmed."""
        if not self.may_import(request):
            raise PermissionDenied
        form, preview, problems = FileForm(), None, []
        try:
            if request.method == "POST" and "token" in request.POST:
                dataset, seen = _reopened(request)
                if _import(request, dataset, seen):
                    return redirect("admin:trackers_tracker_changelist")
                preview, problems = _preview(request, dataset), [LOOK_AGAIN]
            elif request.method == "POST":
                form = FileForm(request.POST, request.FILES)
                if form.is_valid():
                    # A byte more than allowed tells that there is more.
                    content = form.cleaned_data["file"].read(files.BYTES_MAX + 1)
                    preview = _preview(request, files.read(content, known=COLUMNS))
        except BadFile as refusal:
            problems = [str(refusal)]
        context = self.admin_site.each_context(request) | {
            "title": "Import trackers",
            "content_title": "Import trackers",
            "form": form,
            "preview": preview,
            "problems": problems,
            "columns": COLUMNS,
        }
        return render(request, "admin/trackers/tracker/import.html", context)


def _resource(request: HttpRequest) -> TrackerResource:
    company, user = scope_of(request).company, request.user
    return TrackerResource(company=company, by=user, now=timezone.now())  # type: ignore[arg-type]


def _preview(request: HttpRequest, dataset: Dataset) -> Preview:
    """Do the import and roll it back."""
    resource = _resource(request)
    with transaction.atomic():
        resource.import_data(dataset, use_transactions=False)
        transaction.set_rollback(True)
    content = {"rows": [list(row) for row in dataset], "seen": resource.digest}
    token = signing.dumps(content, salt=_salt(request), compress=True)
    return Preview(outcomes=resource.outcomes, token=token)


def _reopened(request: HttpRequest) -> tuple[Dataset, str]:
    """Return the rows that were shown to this person for this company, and their digest.

    :raises BadFile: they were not, or too long ago.
    """
    try:
        content = signing.loads(
            request.POST["token"], salt=_salt(request), max_age=SHOWN_FOR_SECONDS
        )
    except signing.BadSignature as error:
        raise BadFile(TOO_OLD) from error
    dataset = Dataset(headers=list(COLUMNS))
    for row in content["rows"]:
        dataset.append(row)
    return dataset, content["seen"]


def _import(request: HttpRequest, dataset: Dataset, seen: str) -> bool:
    """Do what was shown; tell False, with nothing done, if that would be something else by now."""
    resource = _resource(request)
    with transaction.atomic():
        resource.import_data(dataset, use_transactions=False)
        is_as_shown = resource.digest == seen
        transaction.set_rollback(not is_as_shown)
    if is_as_shown:
        done = Preview(outcomes=resource.outcomes)
        messages.success(
            request,
            f"Trackers imported: {len(done.taken)}; left out: {len(done.refused)}; unchanged: "
            f"{len(done.unchanged)}. Nothing was published, and nothing costs anything yet.",
        )
    return is_as_shown


def _salt(request: HttpRequest) -> str:
    company = scope_of(request).company
    assert company is not None  # may_import
    return f"{SALT} {company.pk} {request.user.pk}"
