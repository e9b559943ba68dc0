"""Acts in two steps: a form, then a page that says in numbers what it will do (SPEC §2, STYLE 30).

A subclass of ``Act`` says what one act asks for, what it will do, and does it. What a page showed
comes back with its confirmation as a fingerprint: when a figure has moved since, the page is
shown again and nothing is done. An act without anything to fill in starts at its second step.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from billing import contracts, purchases, seats, zoning
from credits import amounts, grants, invitations, ledger, shown
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.models import Company, User
from credits.roles import Act as Allowed

STEP_CONFIRM = "confirm"
STEP_CHANGE = "change"
# What an operation may answer a person with; anything else is a fault of ours.
REFUSALS = (
    purchases.PurchaseRefused,
    contracts.ContractRefused,
    seats.SeatsRefused,
    zoning.ZoneRefused,
    invitations.InvitationRefused,
    CompanyClosed,
    grants.GrantExpiresBeforeItStarts,
)
USED_BEFORE = "This form was used before with other values; open it anew to do more."


class ActForm(forms.Form):
    """What one act asks for; its key goes through both steps and makes a second submit known."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    # Headings of a long form, each with the names of its fields; none for a short one.
    sections: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()

    def __init__(self, data: Any = None, *, company: Company | None) -> None:
        super().__init__(data, initial={"key": uuid.uuid4()})
        self.company = company

    def grouped_fields(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields a person fills in, under their headings."""
        if not self.sections:
            return [("", self.visible_fields())]
        return [(heading, [self[name] for name in names]) for heading, names in self.sections]

    def ledger_key(self, name: str) -> ledger.Key:
        """Return the form's key with the digest of what was typed."""
        body = {field: value for field, value in self.cleaned_data.items() if field != "key"}
        return ledger.Key.of(f"{name} form {self.cleaned_data['key']}", **body)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an act will do: facts as (name, value), and notes that a person should read first."""

    facts: tuple[tuple[str, Any], ...]
    notes: tuple[str, ...] = ()
    is_possible: bool = True

    def fingerprint(self, company: Company | None) -> str:
        """Stand for every figure on the page; begins with the company."""
        digest = ledger.Key.of("plan", facts=[str(fact) for fact in self.facts], notes=self.notes)
        return f"{company.pk if company else ''}:{digest.body_sha256.hex()[:16]}"


@dataclass(frozen=True, slots=True)
class Done:
    """Where an act leads to and the sentence shown there."""

    url: str
    sentence: str


class Act:
    """One act a person may do. Subclasses set the words and fill in the methods."""

    needs: ClassVar[Allowed]
    form_class: ClassVar[type[ActForm]] = ActForm
    heading: ClassVar[str]
    button: ClassVar[str]
    is_danger: ClassVar[bool] = False
    hint: ClassVar[str] = ""

    def __init__(self, *, request: HttpRequest, company: Company | None) -> None:
        assert isinstance(request.user, User)
        self.request = request
        self.by: User = request.user
        self.company = company
        self.now = timezone.now()

    @property
    def back_url(self) -> str:
        """Return the page a person goes back to without doing anything."""
        raise NotImplementedError

    def title(self) -> str:
        return f"{self.heading} — {self.company}" if self.company else self.heading

    def fresh(self) -> ActForm:
        """Return the empty form, filled in with what is likely."""
        return self.form_class(company=self.company)

    def bound(self) -> ActForm:
        return self.form_class(self.request.POST, company=self.company)

    def before(self, form: ActForm) -> Done | None:
        """Return where a form that was submitted before led to; None for one that was not."""
        return None

    def plan(self, form: ActForm) -> Plan | None:
        """Return what it will do; None, with errors on the form, for what would be refused."""
        raise NotImplementedError

    def do(self, form: ActForm) -> Done:
        """Do it. One of ``REFUSALS`` is shown on the form."""
        raise NotImplementedError


def view(page: ModelAdmin[Any], act: Act) -> HttpResponse:
    """Answer both steps; only a confirmation whose figures still hold does anything."""
    request = act.request
    scope = scope_of(request)
    covers = act.company is None or scope.covers(act.company.pk)
    if not scope.may(act.needs) or not covers:
        raise PermissionDenied
    if request.method != "POST":
        return _first_page(page, act)
    form = act.bound()
    step = request.POST.get("step", "")
    if not form.is_valid() or step == STEP_CHANGE:
        return _form_page(page, act, form)
    try:
        return _answer(page, act, form, is_confirmed=step == STEP_CONFIRM)
    except REFUSALS as refusal:
        form.add_error(None, str(refusal))
    except ledger.IdempotencyConflict:
        form.add_error(None, USED_BEFORE)
    return _form_page(page, act, form)


def _first_page(page: ModelAdmin[Any], act: Act) -> HttpResponse:
    """Show the form; where there is nothing to fill in, what the act will do."""
    form = act.fresh()
    plan = None if form.visible_fields() else act.plan(form)
    return _confirmation(page, act, form, plan) if plan else _form_page(page, act, form)


def _answer(page: ModelAdmin[Any], act: Act, form: ActForm, *, is_confirmed: bool) -> HttpResponse:
    """Show what a filled-in form will do; do it when that was confirmed and still holds."""
    if is_confirmed and (done := act.before(form)) is not None:
        return _leave(act.request, done)
    plan = act.plan(form)
    if plan is None:
        return _form_page(page, act, form)
    if not is_confirmed or not plan.is_possible:
        return _confirmation(page, act, form, plan)
    if notice := _moved(act, plan):
        return _confirmation(page, act, form, plan, notice)
    return _leave(act.request, act.do(form))


def amount_field(label: str = "Credits", **kwargs: Any) -> forms.CharField:
    """Return a field for an amount as people type it; ``clean_amount`` reads it."""
    return forms.CharField(
        label=label,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        **{"help_text": "At most three decimal places, such as 50000 or 12.5."} | kwargs,
    )


def reason_field(**kwargs: Any) -> forms.CharField:
    return forms.CharField(
        max_length=500,
        min_length=purchases.REASON_LENGTH_MIN,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        **{"help_text": "Why, in at least 10 characters. It is kept."} | kwargs,
    )


def text_field(**kwargs: Any) -> forms.CharField:
    return forms.CharField(widget=UnfoldAdminTextInputWidget, **kwargs)


def _moved(act: Act, plan: Plan) -> str:
    """Say what changed since the person looked; empty when nothing did."""
    seen = act.request.POST.get("seen", "")
    if seen == plan.fingerprint(act.company):
        return ""
    if act.company is not None and not seen.startswith(f"{act.company.pk}:"):
        return f"You are working in {act.company} now. Nothing was done yet; look again."
    return "The figures have moved since you looked. Nothing was done yet; look again."


def _leave(request: HttpRequest, done: Done) -> HttpResponse:
    if done.sentence:
        messages.success(request, done.sentence)
    return HttpResponseRedirect(done.url)


def _form_page(page: ModelAdmin[Any], act: Act, form: ActForm) -> HttpResponse:
    return _render(page, act, "admin/billing/act_form.html", {"form": form})


def _confirmation(
    page: ModelAdmin[Any], act: Act, form: ActForm, plan: Plan, notice: str = ""
) -> HttpResponse:
    context = {
        "form": form,
        "plan": plan,
        "notice": notice,
        "seen": plan.fingerprint(act.company),
        "can_change": bool(form.visible_fields()),
    }
    return _render(page, act, "admin/billing/act_confirmation.html", context)


def _render(
    page: ModelAdmin[Any], act: Act, template: str, context: dict[str, Any]
) -> HttpResponse:
    site, request = page.admin_site, act.request
    request.current_app = site.name
    context |= {"title": act.title(), "act": act, "back_url": act.back_url}
    return TemplateResponse(request, template, site.each_context(request) | context)


def balance_change(before: Decimal, after: Decimal) -> SafeString:
    """Show a balance before and after, for a fact."""
    return shown.number(
        "{} → {}",
        shown.amount(before, metric="balance-before"),
        shown.amount(after, metric="balance-after"),
    )


def clean_amount(typed: str) -> Decimal:
    """Return what was typed as an amount of credits above 0.

    :raises ValidationError: in one sentence.
    """
    try:
        number = Decimal(typed)
    except InvalidOperation as error:
        raise forms.ValidationError("Enter a number, such as 50000 or 12.5.") from error
    if not number.is_finite():
        raise forms.ValidationError("Enter a number, such as 50000 or 12.5.")
    if not 0 < number <= purchases.AMOUNT_MAX:
        raise forms.ValidationError(str(purchases.AmountRefused.__doc__))
    try:
        return amounts.exact(number)
    except amounts.InexactAmount as error:
        raise forms.ValidationError(str(error)) from error
