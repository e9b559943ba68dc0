"""Correcting the books in two steps, like granting: a form, then what it will do in numbers.

The key made with the empty form goes through both steps, so that a second submit of either finds
the first correction. Each act is a ``CorrectionPage``; this module leads a person through it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from credits import amounts, audit, charging, corrections, grants, ledger
from credits.admin.granting import GRANT_AMOUNT_MAX, REASON_LENGTH_MAX, STEP_CHANGE, STEP_CONFIRM
from credits.audit import Action
from credits.current_company import scope_of
from credits.models import (
    REASON_LENGTH_MIN,
    Company,
    Correction,
    CreditGrant,
    IdempotencyRecord,
    Operation,
    UsageEvent,
    User,
)
from credits.roles import Act

# What the ledger may answer instead of doing it; each is one sentence for the person.
REFUSALS = (
    grants.GrantAlreadyStarted,
    grants.GrantNotStarted,
    grants.AlreadyCancelled,
    grants.AlreadyVoided,
    grants.GrantExpired,
    grants.GrantUsedUp,
    grants.GrantExpiresBeforeItStarts,
    grants.AdjustmentExceedsAvailable,
    charging.NothingCharged,
    charging.AlreadyRefunded,
    charging.RefundExceedsCharge,
)

# What the audit trail says of each, and what its subject is.
AUDITED: dict[Operation, tuple[Action, type[Model]]] = {
    Operation.CANCEL: (Action.CANCELLED, CreditGrant),
    Operation.VOID: (Action.VOIDED, CreditGrant),
    Operation.ADJUST: (Action.ADJUSTED, Company),
    Operation.REFUND: (Action.REFUNDED, UsageEvent),
}


class CorrectionForm(forms.Form):
    """Why; what every correction asks for. ``company`` is whose books are corrected."""

    reason = forms.CharField(
        max_length=REASON_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=f"Why, in at least {REASON_LENGTH_MIN} characters.",
    )
    key = forms.UUIDField(widget=forms.HiddenInput)

    field_order = ("amount", "grant", "last")

    def __init__(self, data: Any = None, *, company: Company, **initial: Any) -> None:
        super().__init__(data, initial={"key": uuid.uuid4()} | initial)
        self.company = company

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if len(reason) < REASON_LENGTH_MIN:
            raise forms.ValidationError(str(corrections.ReasonMissing.__doc__))
        return reason

    def ledger_key(self, operation: Operation, subject: object) -> ledger.Key:
        values = {name: value for name, value in self.cleaned_data.items() if name != "key"}
        text = f"{operation.lower()} form {self.cleaned_data['key']}"
        return ledger.Key.of(text, subject=str(subject), **values)


class AmountInput(forms.CharField):
    """Credits as people type them; ``is_signed`` lets a minus take credits away."""

    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def __init__(self, *, is_signed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_signed = is_signed

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        if not typed:
            return None
        try:
            number = Decimal(typed)
        except InvalidOperation as error:
            raise forms.ValidationError("Enter a number, such as 2000 or 12.5.") from error
        if not number.is_finite():
            raise forms.ValidationError("Enter a number, such as 2000 or 12.5.")
        if abs(number) > GRANT_AMOUNT_MAX:
            most = amounts.grouped(GRANT_AMOUNT_MAX)
            raise forms.ValidationError(f"Enter at most {most} credits at once.")
        try:
            amount = amounts.exact(number)
        except amounts.InexactAmount as error:
            raise forms.ValidationError(str(error)) from error
        if amount == 0 and self.is_signed:
            raise forms.ValidationError("Enter an amount other than 0.")
        if amount <= 0 and not self.is_signed:
            raise forms.ValidationError("Enter an amount above 0.")
        return amount


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a confirmation: what, and its figures as shown."""

    label: str
    figures: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a correction will do, in numbers. ``offer`` is a tick that the person may set."""

    facts: tuple[Fact, ...]
    notes: tuple[str, ...] = ()
    offer: str = ""


class CorrectionPage:
    """One act on one subject; ``plan`` says what ``correct`` will do, or raises what it would."""

    operation: ClassVar[Operation]
    title: ClassVar[str]
    button: ClassVar[str]
    intro: ClassVar[str]
    form_class: ClassVar[type[CorrectionForm]] = CorrectionForm
    # What a form begins with.
    initial: dict[str, Any]

    def __init__(self, *, company: Company, subject: object, back: str) -> None:
        self.company = company
        self.subject = subject
        self.back = back
        self.initial = {}

    def check(self) -> None:
        """Raise what makes the act impossible whatever the form says."""

    def plan(self, form: Any) -> Plan:
        raise NotImplementedError

    def correct(self, form: Any, *, by: User, key: ledger.Key) -> str:
        """Do it; return what to tell the person."""
        raise NotImplementedError


def answer(request: HttpRequest, site: Any, page: CorrectionPage) -> HttpResponse:
    """Answer both steps; only a confirmation whose figures still hold corrects anything."""
    scope = scope_of(request)
    if not scope.may(Act.CORRECT_CREDITS) or not scope.covers(page.company.pk):
        raise PermissionDenied
    if request.method != "POST":
        try:
            page.check()
        except REFUSALS as refusal:
            messages.warning(request, str(refusal))
            return HttpResponseRedirect(page.back)
        return _form_page(
            request, site, page, page.form_class(company=page.company, **page.initial)
        )
    form = page.form_class(request.POST, company=page.company)
    step = request.POST.get("step")
    if not form.is_valid() or step == STEP_CHANGE:
        return _form_page(request, site, page, form)
    key = form.ledger_key(page.operation, page.subject)
    try:
        if step == STEP_CONFIRM and _is_done(page, key):
            # A second submit: the ledger answers with the first correction, or a conflict.
            return _correct(request, page, form, key)
        plan = page.plan(form)
        if step == STEP_CONFIRM and request.POST.get("seen", "") == _fingerprint(page, plan):
            return _correct(request, page, form, key)
    except (*REFUSALS, ledger.IdempotencyConflict) as refusal:
        form.add_error(None, str(refusal))
        return _form_page(request, site, page, form)
    return _confirmation(request, site, page, form, plan, has_moved=step == STEP_CONFIRM)


def corrections_shown(**about: object) -> list[Correction]:
    """Return what was corrected of a grant or a use, newest first."""
    found = Correction.objects.filter(**about).select_related("company", "entry", "by")
    return list(found.order_by("-pk"))


def _is_done(page: CorrectionPage, key: ledger.Key) -> bool:
    return IdempotencyRecord.objects.filter(
        company=page.company, operation=page.operation, key=key.text
    ).exists()


def _correct(
    request: HttpRequest, page: CorrectionPage, form: CorrectionForm, key: ledger.Key
) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    with transaction.atomic():
        _record(page, form, user, key)
        told = page.correct(form, by=user, key=key)
    messages.success(request, told)
    return HttpResponseRedirect(page.back)


def _record(page: CorrectionPage, form: CorrectionForm, user: User, key: ledger.Key) -> None:
    """Write the act down in the audit trail, before the ledger is called; a replay is no act."""
    with connection.cursor() as cursor:
        # Of two submits at once, the second waits here and then finds the first.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key.text])
    if _is_done(page, key):
        return
    action, model = AUDITED[page.operation]
    audit.record(
        action=action,
        by=user,
        company=page.company,
        subject=audit.Subject(audit.type_of(model), str(page.subject)),
        after={
            name: value
            for name, value in form.cleaned_data.items()
            if name not in ("key", "reason")
        },
        reason=form.cleaned_data["reason"],
    )


def _fingerprint(page: CorrectionPage, plan: Plan) -> str:
    """Stand for every figure on the page: what a person agreed to."""
    figures = "|".join(fact.figures for fact in plan.facts)
    return ledger.Key.of("seen", company=page.company.pk, figures=figures).body_sha256.hex()


def _form_page(
    request: HttpRequest, site: Any, page: CorrectionPage, form: CorrectionForm
) -> HttpResponse:
    return _render(request, site, page, "admin/credits/correction_form.html", {"form": form})


def _confirmation(
    request: HttpRequest,
    site: Any,
    page: CorrectionPage,
    form: CorrectionForm,
    plan: Plan,
    *,
    has_moved: bool,
) -> HttpResponse:
    context = {
        "form": form,
        "plan": plan,
        "seen": _fingerprint(page, plan),
        "notice": "The figures have moved since you looked. Nothing was done yet; look again."
        if has_moved
        else "",
        "reason": form.cleaned_data["reason"],
    }
    return _render(request, site, page, "admin/credits/correction_confirmation.html", context)


def _render(
    request: HttpRequest, site: Any, page: CorrectionPage, template: str, context: dict[str, Any]
) -> HttpResponse:
    request.current_app = site.name
    shared = {"title": page.title, "page": page, "company": page.company}
    return TemplateResponse(request, template, site.each_context(request) | shared | context)
