"""Narrow what a tracker reads, and take the last change of it back: two steps each."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from unfold import widgets

from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan
from credits.models import Company
from credits.roles import Act
from trackers import changes, configuring, narrowing
from trackers.admin import narrowing_shown
from trackers.admin.forms import FILTER_FIELDS
from trackers.configuring import FilterValue, NotSaved
from trackers.models import FilterField, Narrowing, Team, TeamMember, Tracker
from trackers.narrowing import NotUndone, Reads

LABELS = {FilterField.TEAM: "teams", FilterField.USER: "users"} | {
    FilterField.ACCOUNT_TYPE: "account types",
    FilterField.DEAL_STAGE: "deal stages",
}


def _ticked(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=widgets.UnfoldBooleanWidget)


class NarrowForm(ActForm):
    """Kinds of conversation and filters, as the tracker's own form has them."""

    edit_number = forms.IntegerField(widget=forms.HiddenInput)
    include_calls = _ticked("Calls")
    include_emails = _ticked("E-mails")

    def __init__(self, data: Any = None, *, company: Company | None) -> None:
        super().__init__(data, company=company)
        assert company is not None  # A tracker belongs to one.
        for field, names in FILTER_FIELDS.items():
            options = _options(company, field)
            for name, is_excluded in zip(names, (False, True), strict=True):
                self.fields[name] = _choice(field, options, is_excluded=is_excluded)

    def show(self, tracker: Tracker) -> None:
        """Fill in what the tracker reads now."""
        reads = narrowing.of(tracker)
        self.initial = {
            **self.initial,
            "edit_number": tracker.edit_number,
            "include_calls": reads.calls,
            "include_emails": reads.emails,
        }
        for one in reads.filters:
            self.initial.setdefault(FILTER_FIELDS[one.field][one.is_excluded], []).append(one.value)

    def reads_of(self, tracker: Tracker) -> Reads:
        """Return what the tracker would read; its language is not asked for, and stays."""
        data = self.cleaned_data
        return Reads(
            calls=data["include_calls"],
            emails=data["include_emails"],
            language=tracker.language,
            filters=frozenset(
                FilterValue(field, changes.value_of(field, value), is_excluded)
                for field, names in FILTER_FIELDS.items()
                for name, is_excluded in zip(names, (False, True), strict=True)
                for value in data[name]
            ),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not (cleaned.get("include_calls") or cleaned.get("include_emails")):
            raise ValidationError("Choose calls, e-mails or both.")
        return cleaned


class Narrow(acting.Act):
    """Change what a tracker reads, with what that saves before anything is changed."""

    needs = Act.EDIT_TRACKERS
    form_class = NarrowForm
    heading = "Narrow filters"
    button = "Apply"
    is_live = True
    verb = "changed"
    refusals = (NotSaved,)

    def __init__(self, *, request: HttpRequest, row: Tracker) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_tracker_change", args=[self.row.pk])

    def title(self) -> str:
        return f"{self.heading}: {self.row}"

    def fresh(self) -> ActForm:
        form = NarrowForm(company=self.company)
        form.show(self.row)
        return form

    def plan(self, form: ActForm) -> Plan | None:
        assert isinstance(form, NarrowForm)
        reads = form.reads_of(self.row)
        if reads == narrowing.of(self.row):
            form.add_error(None, "This is what the tracker reads already; nothing would change.")
            return None
        facts = narrowing_shown.facts(self.row, reads, now=self.now)
        return Plan(facts=facts, notes=(narrowing_shown.NOTE,))

    def do(self, form: ActForm) -> Done:
        assert isinstance(form, NarrowForm)
        tracker = narrowing.save(
            tracker=self.row,
            edit_number=form.cleaned_data["edit_number"],
            reads=form.reads_of(self.row),
            by=self.by,
            now=self.now,
        )
        return Done(self.back_url, narrowing_shown.saved(tracker))


class UndoForm(ActForm):
    """Which change is taken back: the one that was shown."""

    change = forms.UUIDField(widget=forms.HiddenInput)


class Undo(acting.Act):
    """Let a tracker read again what it read before the last change of that."""

    needs = Act.EDIT_TRACKERS
    form_class = UndoForm
    heading = "Undo"
    button = "Undo"
    verb = "changed"
    refusals = (NotUndone, NotSaved)

    def __init__(self, *, request: HttpRequest, row: Tracker) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_tracker_history", args=[self.row.pk])

    def title(self) -> str:
        return f"Undo the last change of what “{self.row}” reads"

    def fresh(self) -> ActForm:
        form = UndoForm(company=self.company)
        form.initial["change"] = self._change(self.request.GET.get("change")).pk
        return form

    def plan(self, form: ActForm) -> Plan:
        change = self._change(str(form["change"].value()))
        facts = narrowing_shown.facts(self.row, narrowing.before(change), now=self.now)
        return Plan(facts=facts, notes=(narrowing_shown.NOTE,))

    def do(self, form: ActForm) -> Done:
        tracker = narrowing.undo(narrowing_id=form.cleaned_data["change"], by=self.by, now=self.now)
        return Done(self.back_url, f"“{tracker}” reads again what it read before.")

    def _change(self, wanted: str | None) -> Narrowing:
        """Return the change asked for, the last one by default, if no other came after it."""
        last = changes.last_of(self.row)
        if last is None or wanted not in (None, str(last.pk)):
            raise NotUndone(NotUndone.__doc__)
        return last


def _choice(
    field: FilterField, options: list[tuple[str, str]], *, is_excluded: bool
) -> forms.Field:
    """Return a field for several of a filter's values, or for those that it leaves out."""
    label = f"Leave out {LABELS[field]}" if is_excluded else LABELS[field].capitalize()
    widget = widgets.UnfoldAdminSelect2MultipleWidget()
    return forms.MultipleChoiceField(label=label, required=False, widget=widget, choices=options)


def _options(company: Company, field: FilterField) -> list[tuple[str, str]]:
    """Return the company's own values of a field."""
    match field:
        case FilterField.TEAM:
            return _rows(Team.objects.filter(company=company).order_by("name"))
        case FilterField.USER:
            return _rows(TeamMember.objects.filter(company=company).order_by("name", "email"))
        case FilterField.ACCOUNT_TYPE:
            return _texts(configuring.account_types(company))
        case FilterField.DEAL_STAGE:
            return _texts(configuring.deal_stages(company))


def _rows(rows: Any) -> list[tuple[str, str]]:
    return [(str(row.pk), str(row)) for row in rows]


def _texts(texts: list[str]) -> list[tuple[str, str]]:
    return [(text, text) for text in texts]
