"""Granting credits in two steps: a form, then a page that says in numbers what it will do.

The key made with the empty form goes through both steps, so that a second submit of either, or a
reload, finds the first grant instead of making another.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credits import amounts, audit, balances, grants, ledger, shown, zones
from credits.admin.days import DayField
from credits.audit import Action
from credits.current_company import scope_of
from credits.identifiers import new_id
from credits.models import Company, CreditGrant, IdempotencyRecord, Operation, Source, User

# Far above any grant, and far below what a pool's balance can hold.
GRANT_AMOUNT_MAX = Decimal(1_000_000_000)
REASON_LENGTH_MAX = 500
STEP_CONFIRM = "confirm"
STEP_CHANGE = "change"


class GrantForm(forms.Form):
    """A grant as people describe it: local days, the last one included."""

    source = forms.ChoiceField(
        choices=[(source, source.label) for source in (Source.ADJUSTMENT, Source.INTRODUCTORY)],
        initial=Source.ADJUSTMENT,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="Introductory credits come once per company, ever.",
    )
    amount = forms.CharField(
        label="Credits",
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="At most three decimal places, such as 2000 or 12.5.",
    )
    first = DayField(
        label="Usable from", required=False, help_text="Empty, or a day already past: from now."
    )
    last = DayField(
        label="Last day",
        required=False,
        help_text="The last day they can be spent. Empty: they do not expire.",
    )
    reason = forms.CharField(
        required=False,
        max_length=REASON_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Why; required for an adjustment.",
    )
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, company: Company) -> None:
        super().__init__(data, initial={"key": uuid.uuid4()})
        self.company = company
        self.zone = ZoneInfo(company.time_zone)

    def clean_amount(self) -> Decimal:
        try:
            typed = Decimal(self.cleaned_data["amount"])
        except InvalidOperation as error:
            raise forms.ValidationError("Enter a number, such as 2000 or 12.5.") from error
        if not typed.is_finite():
            raise forms.ValidationError("Enter a number, such as 2000 or 12.5.")
        if abs(typed) > GRANT_AMOUNT_MAX:
            raise forms.ValidationError(
                f"Enter at most {amounts.grouped(GRANT_AMOUNT_MAX)} credits in one grant."
            )
        try:
            amount = amounts.exact(typed)
        except amounts.InexactAmount as error:
            raise forms.ValidationError(str(error)) from error
        if amount <= 0:
            raise forms.ValidationError("Enter an amount above 0.")
        return amount

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
        return zones.start_of_day(first, self.zone) if first else None

    @property
    def expires_at(self) -> datetime | None:
        last: date | None = self.cleaned_data["last"]
        return zones.days(last, last, self.zone)[1] if last else None

    @property
    def ledger_key(self) -> ledger.Key:
        names = ("source", "amount", "first", "last", "reason")
        body = {name: self.cleaned_data[name] for name in names}
        return ledger.Key.of(f"grant form {self.cleaned_data['key']}", **body)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a grant will do, in numbers; ``starts_at`` is None for one that is usable now.

    ``before`` and ``after`` are the credits remaining at its start, as things stand.
    """

    company: Company
    now: Decimal
    before: Decimal
    after: Decimal
    starts_at: datetime | None
    expires_at: datetime | None

    @property
    def fingerprint(self) -> str:
        """Stand for every figure on the page; begins with the company."""
        return f"{self.company.pk}:{self.now}:{self.before}:{self.after}:{self.starts_at}"


def view(request: HttpRequest, page: ModelAdmin[CreditGrant]) -> HttpResponse:
    """Answer both steps; only a confirmation whose figures still hold grants anything."""
    if not page.has_add_permission(request):
        raise PermissionDenied
    company = scope_of(request).company
    if company is None:
        messages.warning(request, "Choose a company first: a grant belongs to one.")
        return HttpResponseRedirect(reverse("admin:credits_creditgrant_changelist"))
    form = GrantForm(request.POST if request.method == "POST" else None, company=company)
    step = request.POST.get("step")
    if not form.is_valid() or step == STEP_CHANGE:
        return _form_page(request, page, form)
    if step == STEP_CONFIRM and _is_done(company, form.ledger_key):
        # A second submit: the ledger answers with the first grant, or refuses another body.
        return _issue(request, page, form)
    plan = _plan(form)
    if not _is_possible(form, plan):
        return _form_page(request, page, form)
    notice = _moved(request, plan) if step == STEP_CONFIRM else ""
    if step == STEP_CONFIRM and not notice:
        return _issue(request, page, form)
    return _confirmation(request, page, form, plan, notice)


def _plan(form: GrantForm) -> Plan:
    company, amount = form.company, form.cleaned_data["amount"]
    current = balances.now(company=company)
    starts_at, before = form.effective_at, current.remaining
    if starts_at is not None and starts_at <= current.instant:
        starts_at = None
    if starts_at is not None:
        before = balances.at(company=company, instant=starts_at).remaining
    return Plan(
        company=company,
        now=current.remaining,
        before=before,
        after=before + amount,
        starts_at=starts_at,
        expires_at=form.expires_at,
    )


def _is_possible(form: GrantForm, plan: Plan) -> bool:
    """Tell what the ledger would refuse before asking a person to confirm it."""
    introductory = CreditGrant.objects.filter(
        company=form.company, source=Source.INTRODUCTORY, cancelled_at=None
    )
    if form.cleaned_data["source"] == Source.INTRODUCTORY and introductory.exists():
        form.add_error("source", str(grants.AlreadyIntroduced.__doc__))
    if plan.expires_at is not None and plan.expires_at <= (plan.starts_at or timezone.now()):
        form.add_error("last", str(grants.GrantExpiresBeforeItStarts.__doc__))
    return not form.errors


def _moved(request: HttpRequest, plan: Plan) -> str:
    """Say what changed since the person looked; empty when nothing did."""
    seen = request.POST.get("seen", "")
    if seen == plan.fingerprint:
        return ""
    if not seen.startswith(f"{plan.company.pk}:"):
        return f"You are working in {plan.company} now. Nothing was granted yet; look again."
    return "The balance has moved since you looked. Nothing was granted yet; look again."


def _is_done(company: Company, key: ledger.Key) -> bool:
    return IdempotencyRecord.objects.filter(
        company=company, operation=Operation.ISSUE, key=key.text
    ).exists()


def _issue(request: HttpRequest, page: ModelAdmin[CreditGrant], form: GrantForm) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    values = form.cleaned_data
    try:
        with transaction.atomic():
            grant_id = _record(form, user)
            grant = grants.issue(
                company=form.company,
                source=Source(values["source"]),
                amount=values["amount"],
                by=user,
                effective_at=form.effective_at,
                expires_at=form.expires_at,
                reason=values["reason"],
                key=form.ledger_key,
                grant_id=grant_id,
            )
            if grant.pk != grant_id:
                # A second submit at the same time: the first one's line says it all.
                transaction.set_rollback(True)
    except grants.AlreadyIntroduced as error:
        form.add_error("source", str(error))
    except grants.GrantExpiresBeforeItStarts as error:
        form.add_error("last", str(error))
    except ledger.IdempotencyConflict:
        form.add_error(None, "This form was used for another grant; open it anew to grant more.")
    else:
        messages.success(
            request, f"{amounts.grouped(grant.amount)} credits granted to {form.company}."
        )
        return HttpResponseRedirect(reverse("admin:credits_creditgrant_change", args=[grant.pk]))
    return _form_page(request, page, form)


def _record(form: GrantForm, user: User) -> uuid.UUID:
    """Write the grant down in the audit trail, before the ledger is called; return its id."""
    values, grant_id = form.cleaned_data, new_id()
    source = Source(values["source"])
    audit.record(
        action=Action.GRANTED,
        by=user,
        company=form.company,
        subject=audit.Subject(
            audit.type_of(CreditGrant),
            str(grant_id),
            f"of {amounts.grouped(values['amount'])} credits",
        ),
        after={
            "credits": values["amount"],
            "source": source,
            "first_day": values["first"],
            "last_day": values["last"],
        },
        reason=values["reason"],
    )
    return grant_id


def _form_page(
    request: HttpRequest, page: ModelAdmin[CreditGrant], form: GrantForm
) -> HttpResponse:
    context = {"title": f"Grant credits to {form.company}", "form": form}
    return _render(request, page, "admin/credits/grant_form.html", context)


def _confirmation(
    request: HttpRequest,
    page: ModelAdmin[CreditGrant],
    form: GrantForm,
    plan: Plan,
    notice: str,
) -> HttpResponse:
    context = {
        "title": f"Grant credits to {form.company}?",
        "form": form,
        "company": form.company,
        "notice": notice,
        "seen": plan.fingerprint,
        "source": Source(form.cleaned_data["source"]).label,
        "amount": shown.amount(form.cleaned_data["amount"], metric="grant-amount"),
        "before": shown.amount(plan.before, metric="balance-before"),
        "after": shown.amount(plan.after, metric="balance-after"),
        "starts_at": plan.starts_at and shown.instant(plan.starts_at, form.company),
        "last_day": plan.expires_at and shown.last_day(plan.expires_at, form.company),
        "reason": form.cleaned_data["reason"],
    }
    return _render(request, page, "admin/credits/grant_confirmation.html", context)


def _render(
    request: HttpRequest, page: ModelAdmin[CreditGrant], template: str, context: dict[str, Any]
) -> HttpResponse:
    site = page.admin_site
    request.current_app = site.name
    return TemplateResponse(request, template, site.each_context(request) | context)
