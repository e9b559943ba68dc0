"""The page that runs a brief by hand: free, after it said in numbers what it will read."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from credits import rating, shown, zones
from credits.admin.acting import ActForm, Done, Plan
from credits.admin.scoped import RowField
from credits.companies import CompanyClosed
from credits.idempotency import InFlight
from credits.ledger import Key
from credits.models import Company, IdempotencyRecord, UsageAction
from trackers import running_briefs
from trackers.admin.briefs_acts import BriefAct
from trackers.entities import Entity
from trackers.models import (
    PEOPLE,
    Brief,
    BriefRun,
    Contact,
    CustomerAccount,
    Deal,
    EntityType,
)
from trackers.periods import LABELS, Period, PeriodRefused, Span
from trackers.requesters import Requester
from trackers.running_briefs import BriefRefused

_FIELDS = {EntityType.ACCOUNT: "account", EntityType.DEAL: "deal"}


class RunForm(ActForm):
    """About whom or what, and over which time."""

    period = forms.ChoiceField(
        label="Calls and e-mails of",
        choices=[(name.value, label) for name, label in LABELS.items()],
        initial=Period.LAST_90DAYS,
        widget=UnfoldAdminSelectWidget,
    )
    first_day = forms.DateField(
        label="First day",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-11-01"}),
        help_text="For “From … to …” only.",
        error_messages={"invalid": "Write a day like 2026-11-01."},
    )
    last_day = forms.DateField(
        label="Last day",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-11-30"}),
        error_messages={"invalid": "Write a day like 2026-11-30."},
    )
    field_order = ("key", "entity", "period", "first_day", "last_day")

    def __init__(self, data: Any = None, *, company: Company, brief: Brief) -> None:
        super().__init__(data, company=company)
        self.initial["period"] = Period.LAST_90DAYS
        self.brief = brief
        self.of_company = company
        self.span: Span | None = None
        entity_type = EntityType(brief.entity_type)
        column = BriefRun._meta.get_field(_FIELDS.get(entity_type, "contact"))
        self.fields["entity"] = RowField(
            _rows(company, entity_type),
            label=entity_type.label,
            widget=AutocompleteSelect(column, admin.site),
            error_messages={
                "required": f"Choose the {entity_type.label.lower()} it is to be about.",
                "invalid_choice": f"Choose one of your company's {entity_type.label.lower()}s.",
            },
        )
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("period") and not {"first_day", "last_day"} & self.errors.keys():
            self._limit(Period(values["period"]), values.get("first_day"), values.get("last_day"))
        return values

    @property
    def entity(self) -> Entity:
        row = self.cleaned_data["entity"]
        return Entity(type=EntityType(self.brief.entity_type), id=row.pk, name=str(row))

    @property
    def run_key(self) -> Key:
        """Return the form's key with what was chosen: a second submit finds the first run."""
        assert self.span is not None
        return Key.of(
            f"brief form {self.cleaned_data['key']}",
            brief=str(self.brief.pk),
            entity=str(self.entity.id),
            period=str(self.span),
        )

    def _limit(self, period: Period, first: Any, last: Any) -> None:
        try:
            if period != Period.CUSTOM_RANGE:
                self.span = Span(period)
                return
            if first is None or last is None or last < first:
                raise PeriodRefused
            since, until = zones.days(first, last, ZoneInfo(self.of_company.time_zone))
            self.span = Span(period, since, until)
        except (PeriodRefused, OverflowError):
            self.add_error("first_day", "Write a first day and a last day that is not before it.")


class Run(BriefAct):
    """Put a brief together by hand."""

    heading = "Run this brief"
    button = "Run"
    verb = "read"
    hint = "Runs on these pages are free."
    refusals = (BriefRefused, CompanyClosed, InFlight)
    company: Company

    def fresh(self) -> ActForm:
        return RunForm(company=self.company, brief=self.row)

    def bound(self) -> ActForm:
        return RunForm(self.request.POST, company=self.company, brief=self.row)

    @property
    def requester(self) -> Requester:
        return Requester(company=self.company, action=UsageAction.MANUAL, user=self.by)

    def before(self, form: ActForm) -> Done | None:
        assert isinstance(form, RunForm)
        first = IdempotencyRecord.objects.filter(
            company=self.company, operation=running_briefs.OPERATION, key=form.run_key.text
        ).first()
        return None if first is None else Done(_address(first.result_ref), "")

    def plan(self, form: ActForm) -> Plan | None:
        assert isinstance(form, RunForm)
        assert form.span is not None
        plan = running_briefs.plan_of(
            requester=self.requester,
            brief=self.row,
            entity=form.entity,
            period=form.span,
            now=self.now,
        )
        left = running_briefs.left_today(requester=self.requester, now=self.now)
        read = plan.selection
        by_program = rating.price(plan.work, plan.rates)
        facts = (
            *self.facts,
            (self.row.get_entity_type_display(), form.entity.name),
            ("Period", LABELS[form.span.name]),
            ("Reads", f"{_counted(len(read.calls), len(read.emails))}"),
            ("Credits", shown.amount(plan.credits, metric="run-credits")),
            ("The same by API or MCP", shown.amount(by_program, metric="run-credits-by-api")),
        )
        notes = (
            f"You have {left} of {running_briefs.BY_HAND_DAY_MAX} runs left today.",
            "It may take a minute. What it quotes is shown with its call or e-mail.",
        )
        return Plan(facts=facts, notes=notes, is_possible=left > 0)

    def do(self, form: ActForm) -> Done:
        assert isinstance(form, RunForm)
        assert form.span is not None
        run = running_briefs.run(
            requester=self.requester,
            brief=self.row,
            entity=form.entity,
            period=form.span,
            now=self.now,
            key=form.run_key,
        )
        return Done(_address(run.pk), "")


def _address(run_id: Any) -> str:
    return reverse("admin:trackers_briefrun_change", args=[run_id])


def _counted(calls: int, emails: int) -> str:
    return f"{shown.counted(calls, 'call')}, {shown.counted(emails, 'e-mail')}"


def _rows(company: Company, entity_type: EntityType) -> Any:
    if entity_type == EntityType.ACCOUNT:
        return CustomerAccount.objects.filter(company=company)
    if entity_type == EntityType.DEAL:
        return Deal.objects.filter(company=company)
    assert entity_type in PEOPLE
    people = Contact.objects.filter(company=company, removed_at=None)
    return people.filter(account=None) if entity_type == EntityType.LEAD else people
