"""The four acts of correction: cancel and void a grant, adjust, refund a use."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget

from credits import amounts, balances, charging, grants, ledger, shown, zones
from credits.admin import acting, correcting
from credits.admin.acting import ActForm, AmountField, Done, Plan, reason_note
from credits.admin.correcting import CorrectionAct, CorrectionForm, Fact
from credits.admin.days import DayField
from credits.admin.scoped import ReadOnlyAdmin
from credits.current_company import scope_of
from credits.models import Company, CreditGrant, Operation, UsageEvent
from credits.roles import Act as Allowed

AMOUNT_REFUSED = {
    "no_number": "Enter a number, such as 2000 or 12.5.",
    "too_much": "Enter at most 1,000,000,000.0 credits at once.",
}


class GrantAct(CorrectionAct):
    """A correction of one grant."""

    subject: CreditGrant

    def __init__(self, *, request: HttpRequest, row: CreditGrant) -> None:
        super().__init__(request=request, company=row.company)
        self.subject = row


class Cancel(GrantAct):
    """Take back a grant that has not started."""

    operation = Operation.CANCEL
    heading = "Cancel this grant?"
    button = "Cancel the grant"
    intro = (
        "It has not started, so the balance stays as it is and nothing is written to the ledger."
    )

    def check(self) -> None:
        balances.now(company=self.company)
        self.subject.refresh_from_db()
        if self.subject.cancelled_at is not None:
            raise grants.AlreadyCancelled(grants.AlreadyCancelled.__doc__)
        if self.subject.granted_at is not None:
            raise grants.GrantAlreadyStarted(grants.GrantAlreadyStarted.__doc__)

    def plan(self, form: ActForm) -> Plan:
        self.check()
        starts = shown.instant(self.subject.effective_at, self.company)
        return Plan(
            facts=(
                ("Will not be added", shown.amount(self.subject.amount, metric="cancelled")),
                ("It would have started", starts),
                self._balance(amounts.ZERO),
            ),
            notes=(reason_note(form),),
        )

    def call(self, form: ActForm, key: ledger.Key) -> Done:
        grants.cancel(grant=self.subject, by=self.by, reason=form.cleaned_data["reason"], key=key)
        amount = amounts.grouped(self.subject.amount)
        return Done(self.back_url, f"The grant of {amount} credits is cancelled.")


class Void(GrantAct):
    """Take back what was not used of a grant."""

    operation = Operation.VOID
    heading = "Void this grant?"
    button = "Void the grant"
    intro = "What was used stays used. What is held and comes back later is voided as it comes."

    def check(self) -> None:
        grants.void_preview(grant=self.subject)

    def plan(self, form: ActForm) -> Plan:
        preview = grants.void_preview(grant=self.subject)
        used = format_html(
            "{} of {}",
            shown.amount(preview.used, metric="void-used"),
            shown.amount(preview.amount, metric="grant-amount"),
        )
        return Plan(
            facts=(
                ("Taken back", shown.amount(preview.taken, metric="void-taken")),
                ("Already used", used),
                ("Held by work under way", shown.amount(preview.held, metric="void-held")),
                self._balance(-preview.taken),
            ),
            notes=(reason_note(form),),
        )

    def call(self, form: ActForm, key: ledger.Key) -> Done:
        reason = form.cleaned_data["reason"]
        voided = grants.void(grant=self.subject, by=self.by, reason=reason, key=key).voided
        return Done(self.back_url, f"Voided: {amounts.grouped(voided)} credits taken back.")


class AdjustmentForm(CorrectionForm):
    """An amount up or down; from which grant, or until when."""

    amount = AmountField(
        label="Credits",
        is_signed=True,
        help_text="12.5 adds credits, -12.5 takes them; at most three decimal places.",
        error_messages=AMOUNT_REFUSED | {"too_little": "Enter an amount other than 0."},
    )
    grant = forms.ModelChoiceField(
        CreditGrant.objects.none(),
        required=False,
        label="Take from",
        empty_label="What is spent next",
        widget=UnfoldAdminSelectWidget,
        help_text="Only when credits are taken.",
    )
    last = DayField(
        label="Last day",
        required=False,
        help_text="Only when credits are added. Empty: they do not expire.",
    )

    def __init__(self, data: Any = None, *, company: Company | None) -> None:
        super().__init__(data, company=company)
        field = self.fields["grant"]
        assert isinstance(field, forms.ModelChoiceField)
        offered = CreditGrant.objects.filter(company=company, is_open=True)
        field.queryset = offered.select_related("company").order_by("-pk")
        field.label_from_instance = _grant_in_words  # type: ignore[method-assign,assignment]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        amount = values.get("amount")
        if amount is not None and amount > 0 and values.get("grant"):
            self.add_error("grant", "Credits are added as a grant of their own; choose none.")
        if amount is not None and amount < 0 and values.get("last"):
            self.add_error("last", "Only credits that are added expire; leave it empty.")
        return values

    @property
    def expires_at(self) -> datetime | None:
        last = self.cleaned_data["last"]
        return zones.days(last, last, shown.zone_of(self.company))[1] if last else None


class Adjust(CorrectionAct):
    """Add credits or take them away."""

    operation = Operation.ADJUST
    heading = button = "Adjust credits"
    intro = "Credits can be taken only where they are neither used nor held."
    form_class = AdjustmentForm

    @property
    def subject(self) -> Company:  # type: ignore[override]
        return self.company

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_creditgrant_changelist")

    def fresh(self) -> ActForm:
        form = super().fresh()
        form.initial["grant"] = self.request.GET.get("grant")
        return form

    def plan(self, form: Any) -> Plan:
        amount: Decimal = form.cleaned_data["amount"]
        now = balances.now(company=self.company)
        if amount > 0:
            if form.expires_at is not None and form.expires_at <= now.instant:
                raise grants.GrantExpiresBeforeItStarts(grants.GrantExpiresBeforeItStarts.__doc__)
            where: Fact = ("Expires after", shown.last_day(form.expires_at, self.company))
        else:
            where = self._taken_from(form.cleaned_data["grant"], -amount, now.available)
        changed = shown.amount(amount, metric="adjustment", is_signed=True)
        return Plan(
            facts=(("Adjustment", changed), where, self._balance(amount)),
            notes=(reason_note(form),),
        )

    def _taken_from(self, grant: CreditGrant | None, amount: Decimal, available: Decimal) -> Fact:
        free = available if grant is None else grant.remaining - grant.held
        if amount > free:
            raise grants.AdjustmentExceedsAvailable(required=amount, available=free)
        name = "what is spent next" if grant is None else _grant_in_words(grant)
        left = shown.amount(free - amount, metric="left-to-take")
        return "Taken from", format_html("{}; {} stay available there", name, left)

    def call(self, form: Any, key: ledger.Key) -> Done:
        entry = grants.adjust(
            company=self.company,
            amount=form.cleaned_data["amount"],
            by=self.by,
            reason=form.cleaned_data["reason"],
            grant=form.cleaned_data["grant"],
            expires_at=form.expires_at,
            key=key,
        )
        done = "added" if entry.amount > 0 else "taken"
        amount = amounts.grouped(abs(entry.amount))
        return Done(self.back_url, f"{amount} credits {done}, entry #{entry.sequence}.")


class RefundForm(CorrectionForm):
    """How much of a charge; whether what expires at once comes again."""

    amount = AmountField(
        label="Credits",
        required=False,
        help_text="Empty: all that is left of the charge.",
        error_messages=AMOUNT_REFUSED | {"too_little": "Enter an amount above 0."},
    )
    replace_expired = forms.BooleanField(required=False, widget=forms.HiddenInput)
    offered = "replace_expired"


class Refund(CorrectionAct):
    """Give back a charge or a part of it."""

    operation = Operation.REFUND
    heading = "Refund this charge?"
    button = "Refund"
    intro = "Credits go back to the grants they came from, the one drawn last first."
    form_class = RefundForm
    subject: UsageEvent

    def __init__(self, *, request: HttpRequest, row: UsageEvent) -> None:
        super().__init__(request=request, company=row.company)
        self.subject = row

    def check(self) -> None:
        charging.refund_preview(usage_event=self.subject)

    def plan(self, form: ActForm) -> Plan:
        preview = charging.refund_preview(
            usage_event=self.subject, amount=form.cleaned_data["amount"]
        )
        refunded = format_html(
            "{} of {} charged, {} refunded before",
            shown.amount(preview.amount, metric="refund"),
            shown.amount(preview.charged, metric="refund-charged"),
            shown.amount(preview.refunded_before, metric="refunded-before"),
        )
        parts = [(_grant_in_words(part.grant), _part_in_words(part)) for part in preview.parts]
        offer = ""
        if preview.expires_at_once:
            expired = amounts.grouped(preview.expires_at_once)
            offer = f"Give the {expired} credits that expire at once again, for 30 days"
        return Plan(
            facts=(("Refund", refunded), *parts, self._balance(preview.stays)),
            notes=(reason_note(form),),
            offer=offer,
        )

    def call(self, form: ActForm, key: ledger.Key) -> Done:
        entry = charging.refund(
            usage_event=self.subject,
            amount=form.cleaned_data["amount"],
            by=self.by,
            reason=form.cleaned_data["reason"],
            replace_expired=form.cleaned_data["replace_expired"],
            key=key,
        )
        amount = amounts.grouped(entry.amount)
        return Done(self.back_url, f"{amount} credits refunded, entry #{entry.sequence}.")


class RefundingMixin(ReadOnlyAdmin):
    """The admin of usage events: each leads to its refund, and shows what was refunded of it."""

    def get_urls(self) -> list[Any]:
        refund = acting.pages_of_row({"refund": Refund})
        return [*self.pages_of_row("pk", refund), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        event = kwargs.get("obj")
        context |= {
            "may_correct": scope_of(request).may(Allowed.CORRECT_CREDITS),
            "may_refund": event is not None and event.entry_id is not None,
            "corrections": [] if event is None else correcting.corrections_shown(usage_event=event),
        }
        return super().render_change_form(request, context, *args, **kwargs)


def _part_in_words(part: Any) -> str:
    fate = ", voided at once" if part.is_voided else ""
    if part.is_expired:
        fate = ", expires at once"
    return format_html(
        "{}{}", shown.amount(part.amount, metric="refund-part", is_signed=True), fate
    )


def _grant_in_words(grant: CreditGrant) -> str:
    end = "no end" if grant.expires_at is None else f"until {_last_day(grant)}"
    return f"{grant.get_source_display()} of {amounts.grouped(grant.amount)}, {end}"


def _last_day(grant: CreditGrant) -> str:
    assert grant.expires_at is not None
    zone = shown.zone_of(grant.company)
    return shown.day(shown.last_day_before(grant.expires_at, zone))
