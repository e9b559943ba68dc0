"""The act that grants credits to a company."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminRadioSelectWidget

from credits import amounts, balances, grants, ledger, shown, trail, zones
from credits.admin.acting import (
    ActForm,
    Done,
    Plan,
    amount_field,
    balance_change,
    reason_field,
    reason_note,
)
from credits.admin.booking import LedgerAct
from credits.admin.days import DayField
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.models import Company, CreditGrant, Operation, Source
from credits.roles import Act as Allowed


class GrantForm(ActForm):
    """A grant as people describe it: local days, the last one included."""

    company: Company
    source = forms.ChoiceField(
        choices=[(source, source.label) for source in (Source.ADJUSTMENT, Source.INTRODUCTORY)],
        initial=Source.ADJUSTMENT,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="Introductory credits come once per company, ever.",
    )
    amount = amount_field(
        help_text="At most three decimal places, such as 2000 or 12.5.",
        error_messages={
            "no_number": "Enter a number, such as 2000 or 12.5.",
            "too_much": "Enter at most 1,000,000,000.0 credits in one grant.",
            "too_little": "Enter an amount above 0.",
        },
    )
    first = DayField(
        label="Usable from", required=False, help_text="Empty, or a day already past: from now."
    )
    last = DayField(
        label="Last day",
        required=False,
        help_text="The last day they can be spent. Empty: they do not expire.",
    )
    reason = reason_field(
        required=False, min_length=None, help_text="Why; required for an adjustment."
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if (
            values.get("source") == Source.ADJUSTMENT
            and not values.get("reason")
            and not self.errors
        ):
            self.add_error("reason", "Write why: an adjustment needs a reason.")
        first, last = values.get("first"), values.get("last")
        if first and last and last < first:
            self.add_error(
                "last",
                f"The grant would expire after {shown.day(last)}, before it starts on "
                f"{shown.day(first)}.",
            )
        return values

    @property
    def effective_at(self) -> datetime | None:
        first: date | None = self.cleaned_data["first"]
        return zones.start_of_day(first, shown.zone_of(self.company)) if first else None

    @property
    def expires_at(self) -> datetime | None:
        last: date | None = self.cleaned_data["last"]
        return zones.days(last, last, shown.zone_of(self.company))[1] if last else None


class Grant(LedgerAct):
    """Give a company credits."""

    needs = Allowed.GRANT_CREDITS
    operation = Operation.ISSUE
    form_class = GrantForm
    heading = button = "Grant credits"
    verb = "granted"
    figures = "balance has"
    steps_with_back = ()
    refusals = (grants.AlreadyIntroduced, grants.GrantExpiresBeforeItStarts, CompanyClosed)
    refused_fields: ClassVar = {
        grants.AlreadyIntroduced: "source",
        grants.GrantExpiresBeforeItStarts: "last",
    }
    used_before = "This form was used for another grant; open it anew to grant more."

    def __init__(self, *, request: HttpRequest, company: Company | None) -> None:
        super().__init__(request=request, company=company)
        self.grant_id = new_id()

    def title(self) -> str:
        return f"Grant credits to {self.company}"

    def question(self) -> str:
        return f"{self.title()}?"

    def plan(self, form: Any) -> Plan | None:
        values, company = form.cleaned_data, self.company
        found = balances.at_start(company=company, starts_at=form.effective_at)
        if not self._is_possible(form, found.instant):
            return None
        change = balance_change(found.remaining, found.remaining + values["amount"])
        when, last_day = "now", "never"
        if found.instant == form.effective_at:
            when = format_html("on {}", shown.instant(found.instant, company))
        if form.expires_at is not None:
            last_day = format_html("after {}", shown.last_day(form.expires_at, company))
        return Plan(
            facts=(
                (
                    Source(values["source"]).label,
                    shown.amount(values["amount"], metric="grant-amount"),
                ),
                (f"Balance of {company}", format_html("{} {}", change, when)),
                ("Expires", last_day),
            ),
            notes=(reason_note(form),) if values["reason"] else (),
        )

    def _is_possible(self, form: GrantForm, starts_at: datetime) -> bool:
        """Tell what the ledger would refuse before asking a person to confirm it."""
        introductory = CreditGrant.objects.filter(
            company=self.company, source=Source.INTRODUCTORY, cancelled_at=None
        )
        if form.cleaned_data["source"] == Source.INTRODUCTORY and introductory.exists():
            form.add_error("source", str(grants.AlreadyIntroduced.__doc__))
        if form.expires_at is not None and form.expires_at <= starts_at:
            form.add_error("last", str(grants.GrantExpiresBeforeItStarts.__doc__))
        return not form.errors

    def key(self, form: ActForm) -> ledger.Key:
        return form.ledger_key("grant")

    def write_line(self, form: ActForm) -> None:
        values = form.cleaned_data
        trail.granted(
            grant_id=self.grant_id,
            company=self.company,
            source=Source(values["source"]),
            amount=values["amount"],
            by=self.by,
            first_day=values["first"],
            last_day=values["last"],
            reason=values["reason"],
        )

    def call(self, form: Any, key: ledger.Key) -> Done:
        values = form.cleaned_data
        grant = grants.issue(
            company=self.company,
            source=Source(values["source"]),
            amount=values["amount"],
            by=self.by,
            effective_at=form.effective_at,
            expires_at=form.expires_at,
            reason=values["reason"],
            key=key,
            grant_id=self.grant_id,
        )
        return Done(
            reverse("admin:credits_creditgrant_change", args=[grant.pk]),
            f"{amounts.grouped(grant.amount)} credits granted to {self.company}.",
        )
