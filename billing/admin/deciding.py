"""Acts on purchases that add no credits: request, approve, cancel, reverse."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget

from billing import purchases, voiding
from billing.admin.acting import Act
from billing.models import OPEN_STATES, Purchase, PurchaseState
from credits import amounts, balances, shown
from credits.admin.acting import (
    ActForm,
    Done,
    Plan,
    amount_field,
    balance_change,
    reason_field,
    reason_note,
)
from credits.admin.days import DayField
from credits.models import Company, LedgerEntry
from credits.roles import Act as Allowed


class PurchaseAct(Act):
    """An act on one purchase."""

    company: Company

    def __init__(self, *, request: HttpRequest, row: Purchase) -> None:
        super().__init__(request=request, company=row.company)
        self.purchase = row

    @classmethod
    def is_open(cls, purchase: Purchase) -> bool:
        """Tell whether the purchase is in a state that this act leaves."""
        raise NotImplementedError

    @property
    def back_url(self) -> str:
        return reverse("admin:billing_purchase_change", args=[self.purchase.pk])

    def title(self) -> str:
        return f"{self.heading} purchase #{self.purchase.number} of {self.company}"

    def check(self) -> None:
        if not self.is_open(self.purchase):
            raise self.refusal()

    def refusal(self) -> purchases.PurchaseRefused:
        """Return what is said of a purchase whose state this act does not leave."""
        return purchases.AlreadyDecided(self.purchase)

    def plan(self, form: ActForm) -> Plan | None:
        if not self.is_open(self.purchase):
            raise self.refusal()
        return self.what_it_does(form)

    def what_it_does(self, form: ActForm) -> Plan | None:
        raise NotImplementedError

    def facts(self) -> tuple[tuple[str, Any], ...]:
        """Return what every act on a purchase repeats: how much, who asked, for which days."""
        purchase = self.purchase
        return (
            ("Credits", shown.amount(purchase.amount, metric="purchase-amount")),
            ("Requested by", purchase.requested_by.get_full_name()),
            ("Order reference", purchase.order_reference or shown.NOTHING),
        )


class RequestForm(ActForm):
    """What a company's admin asks for."""

    amount = amount_field()
    starts_on = DayField(
        label="Needed from", required=False, help_text="Empty: as soon as possible."
    )
    note = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="What it is for, for whoever decides.",
    )


class Request(Act):
    """A company's admin asks for more credits; nothing is bought by that."""

    company: Company
    needs = Allowed.REQUEST_CREDITS
    form_class = RequestForm
    heading = "Request more credits"
    button = "Send request"
    hint = "A request buys nothing: your provider decides on it."

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_page")

    def plan(self, form: ActForm) -> Plan | None:
        amount, starts_on = form.cleaned_data["amount"], form.cleaned_data["starts_on"]
        left = balances.now(company=self.company).remaining
        return Plan(
            facts=(
                ("Credits", shown.amount(amount, metric="purchase-amount")),
                ("Needed from", shown.day(starts_on) if starts_on else "as soon as possible"),
                ("Remaining now", shown.amount(left, metric="remaining")),
            ),
            notes=(
                form.cleaned_data["note"] or "No note.",
                "Your provider is shown this request and decides on it. Nothing changes before.",
            ),
        )

    def do(self, form: ActForm) -> Done:
        values = form.cleaned_data
        purchase = purchases.request(
            company=self.company,
            amount=values["amount"],
            by=self.by,
            now=self.now,
            starts_on=values["starts_on"],
            note=values["note"],
            key=form.ledger_key("request"),
        )
        return _requested(purchase)

    def before(self, form: ActForm) -> Done | None:
        text = form.ledger_key("request").text
        found = Purchase.objects.filter(company=self.company, request_key=text).first()
        return None if found is None else self.do(form)


def _requested(purchase: Purchase) -> Done:
    return Done(
        reverse("admin:billing_purchase_change", args=[purchase.pk]),
        f"{amounts.grouped(purchase.amount)} credits requested, as purchase #{purchase.number}.",
    )


class Approve(PurchaseAct):
    """Agree to a purchase; above the contract's limit as a second person."""

    needs = Allowed.APPROVE_PURCHASES
    heading = button = "Approve"

    @classmethod
    def is_open(cls, purchase: Purchase) -> bool:
        return purchase.state == PurchaseState.REQUESTED

    def what_it_does(self, form: ActForm) -> Plan | None:
        limit = purchases.limit_of(self.purchase, by=self.by)
        is_above = limit is not None and self.purchase.amount > limit
        notes = ["Approving adds no credits yet: the purchase is then fulfilled."]
        if is_above and self.purchase.requested_by == self.by:
            notes = [str(purchases.SecondPersonNeeded(self.purchase, limit or Decimal(0)))]
        elif is_above:
            notes.append("It is above the limit: somebody other than you has to fulfil it.")
        return Plan(
            facts=(
                *self.facts(),
                ("A second person above", shown.amount(limit, metric="approval-limit")),
            ),
            notes=tuple(notes),
            is_possible=not (is_above and self.purchase.requested_by == self.by),
        )

    def do(self, form: ActForm) -> Done:
        purchases.approve(purchase=self.purchase, by=self.by, now=self.now)
        return Done(self.back_url, f"Purchase #{self.purchase.number} is approved.")

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if self.purchase.approved_by == self.by else None


class ReasonForm(ActForm):
    reason = reason_field()


class Cancel(PurchaseAct):
    """Withdraw a purchase that added nothing yet."""

    needs = Allowed.SELL_CREDITS
    form_class = ReasonForm
    heading = "Cancel"
    button = "Cancel purchase"
    is_danger = True

    @classmethod
    def is_open(cls, purchase: Purchase) -> bool:
        return purchase.state in OPEN_STATES

    def what_it_does(self, form: ActForm) -> Plan | None:
        return Plan(
            facts=self.facts(),
            notes=("No credits were added, so none are taken back.", reason_note(form)),
        )

    def do(self, form: ActForm) -> Done:
        reason = form.cleaned_data["reason"]
        purchases.cancel(purchase=self.purchase, by=self.by, reason=reason, now=self.now)
        return Done(self.back_url, f"Purchase #{self.purchase.number} is cancelled.")

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if self.purchase.cancelled_by == self.by else None


class Void(PurchaseAct):
    """Reverse a purchase recorded by mistake: take back what is left of it."""

    needs = Allowed.SELL_CREDITS
    form_class = ReasonForm
    heading = "Reverse"
    button = "Take back"
    is_danger: ClassVar[bool] = True

    @classmethod
    def is_open(cls, purchase: Purchase) -> bool:
        return purchase.state == PurchaseState.FULFILLED and purchase.voided_at is None

    def refusal(self) -> purchases.PurchaseRefused:
        if self.purchase.voided_at is not None:
            return voiding.AlreadyReversed(voiding.AlreadyReversed.__doc__)
        if self.purchase.state in OPEN_STATES:
            return voiding.NotFulfilled(voiding.NotFulfilled.__doc__)
        return super().refusal()

    def what_it_does(self, form: ActForm) -> Plan | None:
        found = voiding.preview(purchase=self.purchase)
        before = balances.now(company=self.company).remaining
        notes = [found.sentence, reason_note(form)]
        if found.taken and not found.leaves:
            notes.insert(1, "They have not started, so the balance of today stays as it is.")
        if found.held:
            notes.insert(
                1, "What work under way holds is taken back as soon as that work gives it back."
            )
        return Plan(
            facts=(
                *self.facts(),
                ("Used", shown.amount(found.used, metric="purchase-used")),
                ("Taken back", shown.amount(found.taken, metric="purchase-taken")),
                ("Balance", balance_change(before, before - found.leaves)),
            ),
            notes=tuple(notes),
        )

    def do(self, form: ActForm) -> Done:
        reason = form.cleaned_data["reason"]
        voiding.void(purchase=self.purchase, by=self.by, reason=reason, now=self.now)
        return Done(self.back_url, f"Purchase #{self.purchase.number} is reversed.")

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if self.purchase.voided_by == self.by else None


def entry_links(purchase: Purchase) -> SafeString:
    """Link to the entries about a purchase's grant: its start, and what was taken back."""
    if purchase.grant_id is None:
        return SafeString("")
    entries = LedgerEntry.objects.filter(
        company=purchase.company_id, grant=purchase.grant_id
    ).order_by("sequence")[:20]
    return format_html_join(
        ", ",
        "{}",
        (
            (
                format_html(
                    "{} ({} {})",
                    shown.link(entry, f"#{entry.sequence}"),
                    entry.get_kind_display(),
                    shown.amount(entry.amount, metric="entry-amount", is_signed=True),
                ),
            )
            for entry in entries
        ),
    )


def in_days(starts_on: date, ends_on: date) -> str:
    return f"{shown.day(starts_on)} – {shown.day(ends_on)}"
