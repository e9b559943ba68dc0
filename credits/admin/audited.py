"""Every form of the admin leaves its line in the audit trail, without being asked to.

Django tells ``log_addition``, ``log_change`` and ``log_deletions`` of each act, inside its
transaction, whatever a page overrides for saving. They write to our trail instead of Django's own
log: that one can be edited and deleted, knows neither address nor old values nor company, and two
logs of the same acts would sooner or later differ. So ``LogEntry`` stays empty, and “History”
opens the trail of the one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import BaseForm, ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from unfold.admin import ModelAdmin

from credits import audit
from credits.audit import Action
from credits.models import User

# What Django adds to the forms of an inline.
NO_FIELDS = ("id", "DELETE")


@dataclass(slots=True)
class Changes:
    """What a form changed: its own fields before and after, and the rows in its inlines."""

    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[Action, Model, Changes]] = field(default_factory=list)

    @classmethod
    def of(cls, form: BaseForm, *, is_new: bool = False) -> Changes:
        """Read a form that was saved; of a new row, every field that was filled in."""
        names = list(form.cleaned_data) if is_new else form.changed_data
        names = [name for name in names if name in form.fields and name not in NO_FIELDS]
        return cls(
            before={
                name: _said(form, name, form.get_initial_for_field(form.fields[name], name))
                for name in names
            },
            after={name: _said(form, name, form.cleaned_data[name]) for name in names},
        )


class AuditedAdmin(ModelAdmin):
    """A page whose forms are audited; what an operation records itself, a page leaves to it."""

    is_audited_by_operation: ClassVar[bool] = False
    # What an empty list is waiting for, in one sentence.
    empty_words: ClassVar[str]

    def audit_company(self, row: Any) -> int | None:
        """Return the id of the company an act on the row concerns; None for none."""
        return None

    def audit_label(self, row: Any) -> str:
        """Return what the trail calls a row."""
        return str(row)

    def audit_about(self, row: Any) -> User | None:
        """Return the person whom the row's label or fields name, if they name one."""
        return row if isinstance(row, User) else None

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        changes = Changes.of(form, is_new=add)
        for formset in formsets or ():
            forms = {one.instance.pk: one for one in formset.forms if one.instance.pk}
            for row in formset.new_objects:
                changes.rows.append((Action.ADDED, row, Changes.of(forms[row.pk], is_new=True)))
            for row, _names in formset.changed_objects:
                changes.rows.append((Action.CHANGED, row, Changes.of(forms[row.pk])))
            for row, before in _deleted_by(formset):
                changes.rows.append((Action.DELETED, row, Changes(before=before)))
        return changes

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        self._record(request, Action.ADDED, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        self._record(request, Action.CHANGED, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> None:
        for row in queryset:
            self._record(request, Action.DELETED, row, Changes(before=_fields_of(row)))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Open the audit trail of this one row."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        named = audit.subject_of(row)
        query = urlencode({"subject_type__exact": named.type, "subject_id__exact": named.id})
        return HttpResponseRedirect(f"{reverse('admin:credits_auditevent_changelist')}?{query}")

    def _record(self, request: HttpRequest, action: Action, row: Any, changes: Any) -> None:
        if self.is_audited_by_operation:
            return
        # An inline's row is an act on its own: a membership is the company's, its person is not.
        acts = [(self, action, row, changes)]
        acts += [(self._page_of(one), did, one, what) for did, one, what in changes.rows]
        for page, did, one, what in acts:
            if did == Action.CHANGED and not what.before:
                continue
            named = audit.subject_of(one)
            audit.record(
                action=did,
                by=request.user,  # type: ignore[arg-type]
                company=page.audit_company(one),
                subject=audit.Subject(named.type, named.id, page.audit_label(one)),
                before=what.before,
                after=what.after,
                about=page.audit_about(one),
            )

    def _page_of(self, row: Model) -> AuditedAdmin:
        """Return the page of an inline's model, which knows its company; else this one."""
        page = self.admin_site._registry.get(type(row), self)
        return page if isinstance(page, AuditedAdmin) else self


def _said(form: Any, name: str, value: Any) -> Any:
    """Return a field's value as the form says it: a choice by its label, a row by its name."""
    chosen = form.fields[name]
    if _is_many(value):
        return [str(one) for one in value]
    if isinstance(chosen, ModelChoiceField):
        is_key = value is not None and not isinstance(value, Model)
        return chosen.queryset.filter(pk=value).first() if is_key else value  # type: ignore[union-attr]
    choices = getattr(chosen, "choices", None) or ()
    return next((label for code, label in choices if str(code) == str(value)), value)


def _deleted_by(formset: Any) -> Iterable[tuple[Model, dict[str, Any]]]:
    """Yield the rows that an inline deleted, under the keys they had."""
    for form in formset.deleted_forms if formset.can_delete else ():
        row = form.instance
        # Deleting took the key off this instance; the form still knows it.
        kept = form.cleaned_data.get(formset._pk_field.name)
        if kept is not None:
            yield row if row.pk else kept, _fields_of(row)


def _fields_of(row: Model) -> dict[str, Any]:
    """Return what a row holds, as it is shown, without its key."""
    return {
        column.name: getattr(row, f"get_{column.name}_display", lambda: None)()
        or getattr(row, column.name)
        for column in row._meta.concrete_fields
        if not column.primary_key
    }


def _is_many(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")
