"""The two acts that add bought credits: recording an order, and fulfilling what was approved.

The only module that imports ``billing.fulfilment`` (I12): reached by a signed-in person's
confirmation of a page, and by nothing else.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from billing import allocations, fulfilment, purchases
from billing.admin.acting import Act
from billing.admin.deciding import PurchaseAct
from billing.models import Purchase, PurchaseState
from billing.models.purchases import ORDER_REFERENCE_LENGTH_MAX
from credits import amounts, shown
from credits.admin.acting import (
    ActForm,
    Done,
    Plan,
    amount_field,
    balance_change,
    text_field,
)
from credits.admin.days import DayField
from credits.models import Company
from credits.roles import Act as Allowed


class OrderForm(ActForm):
    """What every order needs before its credits are added."""

    order_reference = text_field(
        required=False,
        max_length=ORDER_REFERENCE_LENGTH_MAX,
        help_text="The order's number; one order is recorded once.",
    )
    starts_on = DayField(label="Availability start date")
    ends_on = DayField(
        label="Expiration date",
        required=False,
        help_text="The last day the credits can be spent. Empty: as the contract says.",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        starts_on = values.get("starts_on")
        if starts_on and self.company and not values.get("ends_on"):
            values["ends_on"] = fulfilment.last_day(self.company, starts_on)
        if starts_on and values.get("ends_on") and values["ends_on"] < starts_on:
            self.add_error("ends_on", str(purchases.DaysRefused.__doc__))
        return values


class RecordForm(OrderForm):
    """An order as staff enter it."""

    amount = amount_field()
    note = forms.CharField(
        required=False, max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    replaces = forms.ModelChoiceField(
        queryset=Purchase.objects.none(),
        required=False,
        label="In place of",
        empty_label="no other purchase",
        widget=UnfoldAdminSelectWidget,
        help_text="A purchase that was reversed and is recorded rightly now.",
    )
    field_order = (
        *("amount", "order_reference", "starts_on", "ends_on", "note", "replaces", "key"),
    )

    def __init__(self, data: Any = None, *, company: Company | None) -> None:
        super().__init__(data, company=company)
        field = self.fields["replaces"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Purchase.objects.filter(
            company=company, voided_at__isnull=False, replaced_by=None
        ).order_by("-number")


class Record(Act):
    """Staff enter an order: one act, or above the contract's limit the first of three."""

    company: Company
    needs = Allowed.SELL_CREDITS
    form_class = RecordForm
    heading = "Record purchase"
    button = "Record purchase"

    @property
    def back_url(self) -> str:
        return reverse("admin:billing_purchase_changelist")

    def fresh(self) -> ActForm:
        form = super().fresh()
        form.initial["starts_on"] = allocations.local_day(self.company, self.now)
        return form

    def plan(self, form: ActForm) -> Plan | None:
        values = form.cleaned_data
        if found := purchases.recorded(self.company, values["order_reference"]):
            form.add_error("order_reference", str(purchases.AlreadyRecorded(found)))
            return None
        limit = purchases.approval_limit(self.company, by=self.by)
        notes = [values["note"]] if values["note"] else []
        if limit is not None and values["amount"] > limit:
            notes.append(
                f"This is above the limit of {amounts.grouped(limit)} credits: it is recorded and "
                "waits under “To approve” for somebody else. No credits are added yet."
            )
        return Plan(
            facts=(
                ("Credits", shown.amount(values["amount"], metric="purchase-amount")),
                ("Order reference", values["order_reference"] or shown.NOTHING),
                *_facts(self.company, values["amount"], values["starts_on"], values["ends_on"]),
            ),
            notes=tuple(notes),
        )

    def do(self, form: ActForm) -> Done:
        values = form.cleaned_data
        purchase = fulfilment.record(
            company=self.company,
            amount=values["amount"],
            by=self.by,
            starts_on=values["starts_on"],
            ends_on=values["ends_on"],
            now=self.now,
            order_reference=values["order_reference"],
            note=values["note"],
            replaces=values["replaces"],
            key=form.ledger_key("purchase"),
        )
        sentence = f"Purchase #{purchase.number} is recorded."
        if purchase.state == PurchaseState.REQUESTED:
            sentence = f"Purchase #{purchase.number} is recorded and waits to be approved."
        return Done(reverse("admin:billing_purchase_change", args=[purchase.pk]), sentence)

    def before(self, form: ActForm) -> Done | None:
        text = form.ledger_key("purchase").text
        found = Purchase.objects.filter(company=self.company, request_key=text).first()
        return None if found is None else self.do(form)


class Fulfil(PurchaseAct):
    """Add an approved purchase's credits."""

    needs = Allowed.SELL_CREDITS
    form_class = OrderForm
    heading = "Fulfil"
    button = "Add the credits"

    @classmethod
    def is_open(cls, purchase: Purchase) -> bool:
        return purchase.state == PurchaseState.APPROVED

    def refusal(self) -> purchases.PurchaseRefused:
        if self.purchase.state == PurchaseState.REQUESTED:
            return purchases.NotApproved(self.purchase)
        return super().refusal()

    @property
    def is_second_person_missing(self) -> bool:
        return purchases.is_above(self.purchase) and self.purchase.approved_by == self.by

    def check(self) -> None:
        super().check()
        if self.is_second_person_missing:
            limit = self.purchase.approval_limit or Decimal(0)
            raise purchases.SecondPersonNeeded(self.purchase, limit)

    def fresh(self) -> ActForm:
        form = super().fresh()
        purchase = self.purchase
        form.initial["starts_on"] = purchase.starts_on or allocations.local_day(
            self.company, self.now
        )
        form.initial["ends_on"] = purchase.ends_on
        form.initial["order_reference"] = purchase.order_reference
        return form

    def what_it_does(self, form: ActForm) -> Plan | None:
        values = form.cleaned_data
        found = purchases.recorded(self.company, values["order_reference"])
        if found is not None and found != self.purchase:
            form.add_error("order_reference", str(purchases.AlreadyRecorded(found)))
            return None
        limit = self.purchase.approval_limit or Decimal(0)
        is_missing = self.is_second_person_missing
        return Plan(
            facts=(
                *self.facts()[:2],
                ("Order reference", values["order_reference"] or shown.NOTHING),
                *_facts(self.company, self.purchase.amount, values["starts_on"], values["ends_on"]),
            ),
            notes=(str(purchases.SecondPersonNeeded(self.purchase, limit)),) if is_missing else (),
            is_possible=not is_missing,
        )

    def do(self, form: ActForm) -> Done:
        values = form.cleaned_data
        fulfilment.fulfil(
            purchase=self.purchase,
            by=self.by,
            starts_on=values["starts_on"],
            ends_on=values["ends_on"],
            now=self.now,
            order_reference=values["order_reference"],
        )
        amount = amounts.grouped(self.purchase.amount)
        return Done(self.back_url, f"{amount} credits added to {self.company}.")

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if self.purchase.fulfilled_by == self.by else None


def _facts(
    company: Company, amount: Decimal, starts_on: date, ends_on: date
) -> tuple[tuple[str, Any], ...]:
    """Say the days, and the balance at the start of them before and after."""
    found = fulfilment.preview(company=company, amount=amount, starts_on=starts_on, ends_on=ends_on)
    when = shown.instant(found.starts_at, company) if found.starts_at else "now"
    change = shown.number("{} {}", balance_change(found.before, found.after), f"({when})")
    if found.starts_at is not None:
        change = shown.number("{} on {}", balance_change(found.before, found.after), when)
    return (
        ("Availability start date", shown.day(starts_on)),
        ("Expiration date", shown.day(ends_on)),
        (f"Balance of {company}", change),
    )
