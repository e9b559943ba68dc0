"""The four acts of correction as pages: cancel and void a grant, adjust, refund a use."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from credits import amounts, balances, charging, grants, ledger, shown, zones
from credits.admin import correcting
from credits.admin.correcting import AmountInput, CorrectionForm, CorrectionPage, Fact, Plan
from credits.admin.days import DayField
from credits.current_company import scope_of
from credits.models import Company, CreditGrant, Operation, UsageEvent, User
from credits.roles import Act


class CancelPage(CorrectionPage):
    """Take back a grant that has not started."""

    operation = Operation.CANCEL
    title = "Cancel this grant?"
    button = "Cancel the grant"
    intro = (
        "It has not started, so the balance stays as it is and nothing is written to the ledger."
    )

    def __init__(self, *, grant: CreditGrant, back: str) -> None:
        super().__init__(company=grant.company, subject=grant.pk, back=back)
        self.grant = grant

    def check(self) -> None:
        balances.now(company=self.company)
        self.grant.refresh_from_db()
        if self.grant.cancelled_at is not None:
            raise grants.AlreadyCancelled(grants.AlreadyCancelled.__doc__)
        if self.grant.granted_at is not None:
            raise grants.GrantAlreadyStarted(grants.GrantAlreadyStarted.__doc__)

    def plan(self, form: CorrectionForm) -> Plan:
        self.check()
        starts = shown.instant(self.grant.effective_at, self.company)
        return Plan(
            (
                Fact("Will not be added", shown.amount(self.grant.amount, metric="cancelled")),
                Fact("It would have started", starts),
                _balance(self.company, amounts.ZERO),
            )
        )

    def correct(self, form: CorrectionForm, *, by: User, key: ledger.Key) -> str:
        grants.cancel(grant=self.grant, by=by, reason=form.cleaned_data["reason"], key=key)
        return f"The grant of {amounts.grouped(self.grant.amount)} credits is cancelled."


class VoidPage(CorrectionPage):
    """Take back what was not used of a grant."""

    operation = Operation.VOID
    title = "Void this grant?"
    button = "Void the grant"
    intro = "What was used stays used. What is held and comes back later is voided as it comes."

    def __init__(self, *, grant: CreditGrant, back: str) -> None:
        super().__init__(company=grant.company, subject=grant.pk, back=back)
        self.grant = grant

    def check(self) -> None:
        grants.void_preview(grant=self.grant)

    def plan(self, form: CorrectionForm) -> Plan:
        preview = grants.void_preview(grant=self.grant)
        return Plan(
            (
                Fact("Taken back", shown.amount(preview.taken, metric="void-taken")),
                Fact(
                    "Already used",
                    format_html(
                        "{} of {}",
                        shown.amount(preview.used, metric="void-used"),
                        shown.amount(preview.amount, metric="grant-amount"),
                    ),
                ),
                Fact("Held by work under way", shown.amount(preview.held, metric="void-held")),
                _balance(self.company, -preview.taken),
            )
        )

    def correct(self, form: CorrectionForm, *, by: User, key: ledger.Key) -> str:
        before = grants.void(grant=self.grant, by=by, reason=form.cleaned_data["reason"], key=key)
        return f"Voided: {amounts.grouped(before.voided)} credits taken back."


class AdjustmentForm(CorrectionForm):
    """An amount up or down; from which grant, or until when."""

    amount = AmountInput(
        label="Credits",
        is_signed=True,
        help_text="12.5 adds credits, -12.5 takes them; at most three decimal places.",
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

    def __init__(self, data: Any = None, *, company: Company, **initial: Any) -> None:
        super().__init__(data, company=company, **initial)
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


class AdjustPage(CorrectionPage):
    """Add credits or take them away."""

    operation = Operation.ADJUST
    title = "Adjust credits"
    button = "Adjust credits"
    intro = "Credits can be taken only where they are neither used nor held."
    form_class: ClassVar[type[CorrectionForm]] = AdjustmentForm

    def __init__(self, *, company: Company, back: str) -> None:
        super().__init__(company=company, subject=company.pk, back=back)

    def plan(self, form: AdjustmentForm) -> Plan:
        amount: Decimal = form.cleaned_data["amount"]
        now = balances.now(company=self.company)
        if amount > 0:
            if form.expires_at is not None and form.expires_at <= now.instant:
                raise grants.GrantExpiresBeforeItStarts(grants.GrantExpiresBeforeItStarts.__doc__)
            label, last = "Expires after", shown.last_day(form.expires_at, self.company)
            where = Fact(label, last)
        else:
            where = self._taken_from(form.cleaned_data["grant"], -amount, now.available)
        changed = shown.amount(amount, metric="adjustment", is_signed=True)
        return Plan((Fact("Adjustment", changed), where, _balance(self.company, amount)))

    def _taken_from(self, grant: CreditGrant | None, amount: Decimal, available: Decimal) -> Fact:
        free = available if grant is None else grant.remaining - grant.held
        if amount > free:
            raise grants.AdjustmentExceedsAvailable(required=amount, available=free)
        name = "what is spent next" if grant is None else _grant_in_words(grant)
        left = shown.amount(free - amount, metric="left-to-take")
        return Fact("Taken from", format_html("{}; {} stay available there", name, left))

    def correct(self, form: AdjustmentForm, *, by: User, key: ledger.Key) -> str:
        entry = grants.adjust(
            company=self.company,
            amount=form.cleaned_data["amount"],
            by=by,
            reason=form.cleaned_data["reason"],
            grant=form.cleaned_data["grant"],
            expires_at=form.expires_at,
            key=key,
        )
        done = "added" if entry.amount > 0 else "taken"
        return f"{amounts.grouped(abs(entry.amount))} credits {done}, entry #{entry.sequence}."


class RefundForm(CorrectionForm):
    """How much of a charge; whether what expires at once comes again."""

    amount = AmountInput(
        label="Credits", required=False, help_text="Empty: all that is left of the charge."
    )
    replace_expired = forms.BooleanField(required=False, widget=forms.HiddenInput)


class RefundPage(CorrectionPage):
    """Give back a charge or a part of it."""

    operation = Operation.REFUND
    title = "Refund this charge?"
    button = "Refund"
    intro = "Credits go back to the grants they came from, the one drawn last first."
    form_class: ClassVar[type[CorrectionForm]] = RefundForm

    def __init__(self, *, event: UsageEvent, back: str) -> None:
        super().__init__(company=event.company, subject=event.pk, back=back)
        self.event = event

    def check(self) -> None:
        charging.refund_preview(usage_event=self.event)

    def plan(self, form: RefundForm) -> Plan:
        preview = charging.refund_preview(
            usage_event=self.event, amount=form.cleaned_data["amount"]
        )
        facts = [
            Fact(
                "Refund",
                format_html(
                    "{} of {} charged, {} refunded before",
                    shown.amount(preview.amount, metric="refund"),
                    shown.amount(preview.charged, metric="refund-charged"),
                    shown.amount(preview.refunded_before, metric="refunded-before"),
                ),
            )
        ]
        facts += [
            Fact(
                _grant_in_words(part.grant),
                format_html(
                    "{}{}",
                    shown.amount(part.amount, metric="refund-part", is_signed=True),
                    ", expires at once"
                    if part.is_expired
                    else (", voided at once" if part.is_voided else ""),
                ),
            )
            for part in preview.parts
        ]
        facts.append(_balance(self.company, preview.stays))
        offer = ""
        if preview.expires_at_once:
            expired = amounts.grouped(preview.expires_at_once)
            offer = f"Give the {expired} credits that expire at once again, for 30 days"
        return Plan(tuple(facts), offer=offer)

    def correct(self, form: RefundForm, *, by: User, key: ledger.Key) -> str:
        entry = charging.refund(
            usage_event=self.event,
            amount=form.cleaned_data["amount"],
            by=by,
            reason=form.cleaned_data["reason"],
            replace_expired=form.cleaned_data["replace_expired"],
            key=key,
        )
        return f"{amounts.grouped(entry.amount)} credits refunded, entry #{entry.sequence}."


class RefundingMixin(ModelAdmin):
    """The admin of usage events: each leads to its refund, and shows what was refunded of it."""

    def get_urls(self) -> list[URLPattern]:
        refund = self.admin_site.admin_view(self.refund_view)
        own = path("<uuid:pk>/refund/", refund, name="credits_usageevent_refund")
        return [own, *super().get_urls()]

    def refund_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        event = self.get_queryset(request).select_related("company").filter(pk=pk).first()
        if event is None:
            raise Http404
        back = reverse("admin:credits_usageevent_change", args=[pk])
        return correcting.answer(request, self.admin_site, RefundPage(event=event, back=back))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        event = kwargs.get("obj")
        context |= {
            "may_correct": scope_of(request).may(Act.CORRECT_CREDITS),
            "may_refund": event is not None and event.entry_id is not None,
            "corrections": [] if event is None else correcting.corrections_shown(usage_event=event),
        }
        return super().render_change_form(request, context, *args, **kwargs)


def _balance(company: Company, change: Decimal) -> Fact:
    remaining = balances.now(company=company).remaining
    return Fact(
        f"Balance of {company}",
        format_html(
            "{} → {}",
            shown.amount(remaining, metric="balance-before"),
            shown.amount(remaining + change, metric="balance-after"),
        ),
    )


def _grant_in_words(grant: CreditGrant) -> str:
    end = "no end" if grant.expires_at is None else f"until {_last_day(grant)}"
    return f"{grant.get_source_display()} of {amounts.grouped(grant.amount)}, {end}"


def _last_day(grant: CreditGrant) -> str:
    assert grant.expires_at is not None
    zone = shown.zone_of(grant.company)
    return shown.day(shown.last_day_before(grant.expires_at, zone))
