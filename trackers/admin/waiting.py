"""What waits for credits, and the dialog in which a person decides about it (UX §1f, F4–F6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminRadioSelectWidget

from credits import amounts, balances, rating, shown
from credits.admin import acting
from credits.admin.acting import ActForm, AmountField, Done, Plan
from credits.amounts import ZERO, approximate
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.models import Company
from credits.roles import Act as Allowed
from trackers import backfill_progress, waiting
from trackers.models import Backfill, BackfillState, Scan
from trackers.waiting import Choice, Decision, NothingWaits, Queue, QueueMoved, Selection


@require_safe
@never_cache
def waiting_page(request: HttpRequest) -> HttpResponse:
    """Show what waits in the current company, by tracker, and the backfills that met zero."""
    scope = scope_of(request)
    if not scope.may(Allowed.VIEW_TRACKERS):
        raise PermissionDenied
    if scope.company is None:
        messages.warning(request, "Choose a company first: what waits for credits belongs to one.")
        return HttpResponseRedirect(reverse("admin:credits_page"))
    company = scope.company
    balance = balances.now(company=company)
    queues = waiting.queues(company=company)
    whole = _summed(queues)
    # What one tracker waits for is that many conversations anyway.
    each = waiting.conversations(company=company) if len(queues) > 1 else None
    context = {
        **admin.site.each_context(request),
        "title": f"Waiting for credits — {company}",
        "company": company,
        "queues": queues,
        "all": whole,
        "in_words": _conversations(whole),
        "conversations": each,
        "conversations_in_words": each and _conversations(each),
        "available": balance.available,
        "as_of": balance.instant,
        "backfills": _halted(company),
        "may_decide": scope.may(Allowed.EDIT_TRACKERS, company_id=company.pk),
    }
    return TemplateResponse(request, "admin/trackers/waiting.html", context)


def decide_page(request: HttpRequest) -> HttpResponse:
    """Ask what becomes of it, say in numbers what that does, then do it."""
    scope = scope_of(request)
    if scope.company is None and scope.may(Allowed.VIEW_TRACKERS):
        return waiting_page(request)
    page = admin.site.get_model_admin(Scan)
    return acting.view(page, Decide(request=request, company=scope.company))


class DecisionForm(ActForm):
    """The four choices, each with what it needs."""

    company: Company
    choice = forms.ChoiceField(
        label="Process what was skipped over?",
        choices=Choice.choices,
        initial=Choice.NEWEST,
        widget=UnfoldAdminRadioSelectWidget,
    )
    limit = AmountField(
        label="Up to this many credits",
        required=False,
    )
    trackers = forms.MultipleChoiceField(
        label="Trackers",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="For “chosen trackers”. For “skip for good”, tick none to skip all of it.",
        error_messages={
            "invalid_choice": "One of these trackers has nothing waiting any more; tick again."
        },
    )

    def __init__(self, data: Any = None, *, company: Company) -> None:
        super().__init__(data, company=company)
        self.queues = waiting.queues(company=company)
        whole = approximate(_summed(self.queues).credits)
        self.available = balances.now(company=company).available
        self.fields["limit"].help_text = f"For “newest first”. {_available(self.available)}"
        choice, trackers = self.fields["choice"], self.fields["trackers"]
        assert isinstance(choice, forms.ChoiceField)
        assert isinstance(trackers, forms.ChoiceField)
        choice.choices = [
            (code, f"{label} ({whole} credits)" if code == Choice.ALL else label)
            for code, label in Choice.choices
        ]
        trackers.choices = [(str(queue.tracker_id), _in_words(queue)) for queue in self.queues]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        choice = values.get("choice")
        if choice == Choice.NEWEST and not values.get("limit") and "limit" not in self.errors:
            self.add_error("limit", "Enter up to how many credits may be used.")
        if choice == Choice.TRACKERS and not values.get("trackers") and not self.errors:
            self.add_error("trackers", "Tick the trackers that are to be processed.")
        return values

    @property
    def decision(self) -> Decision:
        """Return what was filled in; what another choice would have needed is left out."""
        choice = Choice(self.cleaned_data["choice"])
        is_of_trackers = choice in (Choice.TRACKERS, Choice.SKIP)
        return Decision(
            choice=choice,
            limit=self.cleaned_data["limit"] if choice == Choice.NEWEST else None,
            tracker_ids=frozenset(
                UUID(ref) for ref in self.cleaned_data["trackers"] if is_of_trackers
            ),
        )


class Decide(acting.Act):
    """Queue again what can be paid, or skip it for good."""

    needs = Allowed.EDIT_TRACKERS
    form_class = DecisionForm
    heading = "Decide what waits for credits"
    button = "Read them now"
    intro = (
        "New conversations are read as they arrive. What is listed here waited because it could "
        "not be paid; it is charged only if you choose so."
    )
    verb = "charged or skipped"
    refusals = (NothingWaits, QueueMoved, CompanyClosed)
    company: Company
    is_skip = False

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_waiting")

    def label(self) -> str:
        return str(Choice.SKIP.label) if self.is_skip else self.button

    def check(self) -> None:
        if not waiting.queues(company=self.company):
            raise NothingWaits("Nothing waits for credits, so there is nothing to decide.")

    def fresh(self) -> ActForm:
        form = self.form_class(company=self.company)
        if form.available:
            whole = _summed(form.queues).credits
            form.initial["limit"] = amounts.text(min(whole, form.available))
        return form

    def plan(self, form: Any) -> Plan:
        waiting.reprice(company=self.company, now=self.now)
        decision, available = form.decision, balances.now(company=self.company).available
        self.is_skip = decision.choice == Choice.SKIP
        picked = waiting.preview(company=self.company, decision=decision, available=available)
        queues = waiting.queues(company=self.company)
        meant = [
            queue
            for queue in queues
            if not decision.tracker_ids or queue.tracker_id in decision.tracker_ids
        ]
        return self._plan(decision, picked, whole=_summed(meant))

    def do(self, form: Any) -> Done:
        decision = form.decision
        available = balances.now(company=self.company).available
        picked = waiting.preview(company=self.company, decision=decision, available=available)
        done = waiting.decide(
            company=self.company, decision=decision, shown=picked, by=self.by, now=self.now
        )
        what = _conversations(done)
        if decision.choice == Choice.SKIP:
            return Done(self.back_url, f"Skipped {what}. Nothing was charged for them.")
        price = amounts.grouped(done.credits)
        return Done(self.back_url, f"{what} are queued again, for {price} credits.")

    def _plan(self, decision: Decision, picked: Selection, *, whole: Selection) -> Plan:
        is_skip = decision.choice == Choice.SKIP
        rest = Selection(
            whole.calls - picked.calls,
            whole.emails - picked.emails,
            whole.credits - picked.credits,
            trackers=whole.trackers,
        )
        facts: list[tuple[str, Any]] = [
            ("Choice", decision.choice.label),
            ("Skipped" if is_skip else "Read now", _figures(picked, "picked")),
            (
                "Not charged" if is_skip else "Charged for it",
                shown.amount(picked.credits, metric="picked-credits"),
            ),
        ]
        facts.append(("Goes on waiting", _figures(rest, "rest")))
        return Plan(
            facts=tuple(facts),
            notes=_notes(decision, picked, rest),
            is_possible=picked.count > 0,
        )


def _notes(decision: Decision, picked: Selection, rest: Selection) -> tuple[str, ...]:
    if not picked.count:
        if decision.choice == Choice.SKIP:
            return ("Nothing of this waits any more.",)
        return ("None of it can be paid with what is available. It goes on waiting.",)
    if decision.choice == Choice.SKIP:
        return ("It is not read by itself any more. A backfill can still take it up, priced anew.",)
    if rest.count:
        return (
            "The oldest goes first, trackers in turn."
            if decision.choice != Choice.NEWEST
            else "The newest goes first.",
            "The rest waits until you decide again.",
        )
    return ()


def _summed(queues: list[Queue]) -> Selection:
    return Selection(
        calls=sum(queue.calls for queue in queues),
        emails=sum(queue.emails for queue in queues),
        credits=sum((queue.credits for queue in queues), ZERO),
        trackers=len(queues),
    )


def _figures(what: Selection, metric: str) -> str:
    return format_html(
        '<span data-metric="{}" data-value="{}" data-digest="{}">{}</span>',
        metric,
        what.count,
        # So that a confirmation holds for the very conversations that it was shown for.
        what.digest,
        _conversations(what),
    )


def _conversations(what: Selection) -> str:
    """Say how many calls and e-mails, or readings of them; “nothing” for none."""
    return shown.to_read(what.calls, what.emails, readers=what.trackers)


def _available(credits: Decimal) -> str:
    if not credits:
        return "No credits are available: nothing of it can be read before some come."
    return f"{amounts.grouped(credits)} credits are available."


def _in_words(queue: Queue) -> str:
    what = shown.to_read(queue.calls, queue.emails, readers=1)
    return f"{queue.name}: {what}, {approximate(queue.credits)} credits"


def _halted(company: Company) -> list[dict[str, Any]]:
    """Return the backfills that met zero, with what each still needs."""
    found = Backfill.objects.filter(company=company, state=BackfillState.WAITING)
    found = found.select_related("tracker", "version").order_by("started_at", "pk")
    rates = rating.rates_at(timezone.now()) if found else None
    return [
        {
            "backfill": backfill,
            "left": backfill_progress.of(backfill).waiting,
            "needs": backfill_progress.still_needs(backfill, rates=rates),
        }
        for backfill in found
        if rates is not None
    ]
