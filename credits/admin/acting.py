"""Acts in two steps: a form, then a page that says in numbers what it will do (SPEC §2, STYLE 30).

A subclass of ``Act`` says what one act asks for, what it will do, and does it. What a page showed
comes back with its confirmation as a fingerprint: when a figure has moved since, the page is
shown again and nothing is done. An act without anything to fill in starts at its second step.
The key made with the empty form goes through both steps, so that a second submit of either, or a
reload, finds what the first one did.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from credits import amounts, ledger, shown
from credits.admin import live
from credits.current_company import scope_of
from credits.models import REASON_LENGTH_MIN, Company, User
from credits.roles import Act as Allowed

STEP_CONFIRM = "confirm"
STEP_CHANGE = "change"
_RANGE = "Enter an amount above 0 and at most 1,000,000,000 credits."
AMOUNT_REFUSED: dict[str, Any] = {
    "no_number": "Enter a number, such as 50000 or 12.5.",
    "too_much": _RANGE,
    "too_little": _RANGE,
}


class ActForm(forms.Form):
    """What one act asks for; its key goes through both steps and makes a second submit known."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    # Headings of a long form, each with the names of its fields; none for a short one.
    sections: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    # The field that is asked for on the second page, as a tick beside what its plan offers.
    offered: ClassVar[str] = ""

    def __init__(self, data: Any = None, *, company: Company | None) -> None:
        super().__init__(data, initial={"key": uuid.uuid4()})
        self.company = company

    def grouped_fields(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields a person fills in, under their headings."""
        if not self.sections:
            return [("", self.visible_fields())]
        return [(heading, [self[name] for name in names]) for heading, names in self.sections]

    def ledger_key(self, name: str, **about: Any) -> ledger.Key:
        """Return the form's key with the digest of what was typed, and of what it is about."""
        body = {field: value for field, value in self.cleaned_data.items() if field != "key"}
        return ledger.Key.of(f"{name} form {self.cleaned_data['key']}", **about, **body)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an act will do: facts as (name, value), and notes that a person should read first.

    ``under_way`` says what becomes of work that goes on while the page is open: its counts move
    all the time, so they are no part of what is confirmed.
    ``offer`` is the sentence beside the tick of the form's ``offered`` field; empty for none.
    """

    facts: tuple[tuple[str, Any], ...]
    notes: tuple[str, ...] = ()
    under_way: tuple[str, ...] = ()
    is_possible: bool = True
    offer: str = ""

    def fingerprint(self, company: Company | None) -> str:
        """Stand for every figure on the page but those under way; begins with the company."""
        shown_facts = [str(fact) for fact in self.facts]
        digest = ledger.Key.of("plan", facts=shown_facts, notes=self.notes, offer=self.offer)
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
    # What it will do is shown beside the form, too, and follows it.
    is_live: ClassVar[bool] = False
    # What stands above the form, and below it.
    intro: ClassVar[str] = ""
    hint: ClassVar[str] = ""
    # “Nothing is done yet”, “The figures have moved”.
    verb: ClassVar[str] = "done"
    figures: ClassVar[str] = "figures have"
    # The steps that link back to where the person came from.
    steps_with_back: ClassVar[tuple[str, ...]] = ("form", "confirmation")
    # What the operation may answer a person with; anything else is a fault of ours.
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    # The fields that some of them are about.
    refused_fields: ClassVar[Mapping[type[Exception], str]] = {}
    used_before: ClassVar[str] = (
        "This form was used before with other values; open it anew to do more."
    )

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

    def question(self) -> str:
        """Return the title of the second step."""
        return self.title()

    def label(self) -> str:
        """Return the words of the second step's button: what pressing it does."""
        return self.button

    def fresh(self) -> ActForm:
        """Return the empty form, filled in with what is likely."""
        return self.form_class(company=self.company)

    def bound(self) -> ActForm:
        return self.form_class(self.request.POST, company=self.company)

    def check(self) -> None:
        """Raise what makes the act impossible whatever the form says: no form is shown then."""

    def before(self, form: ActForm) -> Done | None:
        """Return where a form that was submitted before led to; None for one that was not."""
        return None

    def plan(self, form: ActForm) -> Plan | None:
        """Return what it will do; None, with errors on the form, for what would be refused.

        An act without fields has no form to put an error on: it raises one of ``refusals``.
        """
        raise NotImplementedError

    def do(self, form: ActForm) -> Done:
        """Do it. One of ``refusals`` is shown on the form."""
        raise NotImplementedError


def view(page: ModelAdmin[Any], act: Act) -> HttpResponse:
    """Answer both steps; only a confirmation whose figures still hold does anything."""
    request = act.request
    scope = scope_of(request)
    company_id = None if act.company is None else act.company.pk
    if company_id is not None and not scope.covers(company_id):
        raise PermissionDenied
    if not scope.may(act.needs, company_id=company_id):
        raise scope.refusal(act.needs, company_id=company_id)
    if request.method != "POST":
        return _first_page(page, act)
    form = act.bound()
    if act.is_live and live.is_look(request):
        return _look(act, form)
    step = request.POST.get("step", "")
    if not form.is_valid() or step == STEP_CHANGE:
        return _form_page(page, act, form)
    try:
        return _answer(page, act, form, is_confirmed=step == STEP_CONFIRM)
    except act.refusals as refusal:
        form.add_error(act.refused_fields.get(type(refusal)), str(refusal))
    except ledger.IdempotencyConflict:
        form.add_error(None, act.used_before)
    return _form_page(page, act, form)


def view_of_company(
    page: ModelAdmin[Any], act: type[Act], request: HttpRequest, *, noun: str
) -> HttpResponse:
    """Answer an act on the current company; ask those who look at all to choose one first."""
    scope = scope_of(request)
    if scope.company is None and scope.may(act.needs):
        messages.warning(request, f"Choose a company first: {noun} belongs to one.")
        changelist = f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist"
        return HttpResponseRedirect(reverse(changelist))
    return view(page, act(request=request, company=scope.company))


def pages_of_row(acts: Mapping[str, type[Act]]) -> dict[str, Callable[..., HttpResponse]]:
    """Return the pages of acts that are made with ``row``, for ``CompanyScopedAdmin``."""
    return {name: partial(_view_of_row, act=act) for name, act in acts.items()}


def _view_of_row(
    page: ModelAdmin[Any], request: HttpRequest, pk: UUID, *, act: type[Any]
) -> HttpResponse:
    """Answer an act on one row; 404 for one that is not in scope."""
    row = page.get_queryset(request).select_related("company").filter(pk=pk).first()
    if row is None:
        raise Http404(f"There is no such {page.opts.verbose_name}.")
    return view(page, act(request=request, row=row))


def _first_page(page: ModelAdmin[Any], act: Act) -> HttpResponse:
    """Show the form; where there is nothing to fill in, what the act will do.

    A refusal at this step is one sentence on the page the person came from: there is no form yet
    that could show it.
    """
    try:
        act.check()
        form = act.fresh()
        plan = None if form.visible_fields() else act.plan(form)
    except act.refusals as refusal:
        messages.warning(act.request, str(refusal))
        return HttpResponseRedirect(act.back_url)
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
        # Of two submits at once, the first may be what moved them.
        done = act.before(form)
        return _leave(act.request, done) if done else _confirmation(page, act, form, plan, notice)
    return _leave(act.request, act.do(form))


def _look(act: Act, form: ActForm) -> HttpResponse:
    """Show the figures of the second step alone, or why there are none."""
    plan = None
    try:
        plan = act.plan(form) if form.is_valid() else None
    except act.refusals as refusal:
        form.add_error(None, str(refusal))
    if plan is None:
        return live.refusal(act.request, live.problem(form))
    return TemplateResponse(act.request, "admin/credits/act_figures.html", {"plan": plan})


class AmountField(forms.CharField):
    """Credits as people type them, an exact amount once cleaned; None for an empty field."""

    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
    default_error_messages: ClassVar = AMOUNT_REFUSED

    def __init__(
        self, *, is_signed: bool = False, may_be_zero: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rule = {"is_signed": is_signed, "may_be_zero": may_be_zero}

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        return clean_amount(typed, words=self.error_messages, **self.rule) if typed else None


def clean_amount(
    typed: str | Decimal,
    *,
    is_signed: bool = False,
    may_be_zero: bool = False,
    words: Mapping[str, Any] = AMOUNT_REFUSED,
) -> Decimal:
    """Return what was typed as an exact amount of credits.

    It is above 0, unless ``is_signed`` lets a minus take credits away, or ``may_be_zero``.

    :raises ValidationError: in one sentence.
    """
    try:
        number = Decimal(typed)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise forms.ValidationError(words["no_number"])
    if abs(number) > amounts.ACT_MAX:
        raise forms.ValidationError(words["too_much"])
    if not (number > 0 or (number < 0 and is_signed) or (number == 0 and may_be_zero)):
        raise forms.ValidationError(words["too_little"])
    try:
        return amounts.exact(number)
    except amounts.InexactAmount as error:
        raise forms.ValidationError(str(error)) from error


def amount_field(label: str = "Credits", **kwargs: Any) -> AmountField:
    """Return a field for an amount of credits as people type it."""
    help_text = "At most three decimal places, such as 50000 or 12.5."
    return AmountField(label=label, **{"help_text": help_text} | kwargs)


def reason_field(**kwargs: Any) -> forms.CharField:
    """Return a field for a reason of at least 10 characters."""
    usual: dict[str, Any] = {
        "min_length": REASON_LENGTH_MIN,
        "max_length": 500,
        "help_text": "Why, in at least 10 characters. It is kept.",
    }
    return forms.CharField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), **usual | kwargs)


def reason_note(form: ActForm) -> str:
    return f"Reason: {form.cleaned_data['reason']}"


def text_field(**kwargs: Any) -> forms.CharField:
    return forms.CharField(widget=UnfoldAdminTextInputWidget, **kwargs)


def balance_change(before: Decimal, after: Decimal) -> SafeString:
    """Show a balance before and after, for a fact."""
    return shown.number(
        "{} → {}",
        shown.amount(before, metric="balance-before"),
        shown.amount(after, metric="balance-after"),
    )


def _moved(act: Act, plan: Plan) -> str:
    """Say what changed since the person looked; empty when nothing did."""
    seen = act.request.POST.get("seen", "")
    if seen == plan.fingerprint(act.company):
        return ""
    cause = f"The {act.figures} moved since you looked."
    if act.company is not None and not seen.startswith(f"{act.company.pk}:"):
        cause = f"You are working in {act.company} now."
    return f"{cause} Nothing was {act.verb} yet; look again."


def _leave(request: HttpRequest, done: Done) -> HttpResponse:
    if done.sentence:
        messages.success(request, done.sentence)
    return HttpResponseRedirect(done.url)


def _form_page(page: ModelAdmin[Any], act: Act, form: ActForm) -> HttpResponse:
    return _render(page, act, "form", {"form": form, "title": act.title()})


def _confirmation(
    page: ModelAdmin[Any], act: Act, form: ActForm, plan: Plan, notice: str = ""
) -> HttpResponse:
    context = {
        "form": form,
        "title": act.question(),
        "plan": plan,
        "notice": notice,
        "seen": plan.fingerprint(act.company),
        "can_change": bool(form.visible_fields()),
        "is_offer_taken": bool(form.offered and form[form.offered].value()),
    }
    return _render(page, act, "confirmation", context)


def _render(page: ModelAdmin[Any], act: Act, step: str, context: dict[str, Any]) -> HttpResponse:
    site, request = page.admin_site, act.request
    request.current_app = site.name
    context |= {"act": act, "back_url": act.back_url if step in act.steps_with_back else ""}
    template = f"admin/credits/act_{step}.html"
    return TemplateResponse(request, template, site.each_context(request) | context)
