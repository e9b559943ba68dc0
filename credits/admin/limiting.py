"""The acts of limits: set one, change what it allows, end it. Each says first what it does."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from credits import amounts, ledger, limit_subjects, limits, shown
from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan, amount_field
from credits.amounts import ZERO
from credits.companies import CompanyClosed
from credits.limits import Subject
from credits.models import Company, LimitWindow, SpendingLimit
from credits.roles import Act as Allowed

SPANS = {LimitWindow.DAY: "day", LimitWindow.MONTH: "month"}


@dataclass(frozen=True, slots=True)
class LimitPlan(Plan):
    """What setting a limit does. Only its terms have to hold until it is confirmed: in a company
    that works, what is used meanwhile moves all the time.
    """

    terms: str = ""

    def fingerprint(self, company: Company | None) -> str:
        digest = ledger.Key.of("limit", terms=self.terms).body_sha256
        return f"{company.pk if company else ''}:{digest.hex()[:16]}"


class TermsForm(ActForm):
    """What a limit allows, and whether it refuses."""

    credits = amount_field(
        may_be_zero=True,
        help_text="What may be used in it, such as 500 or 12.5. 0 stops all use that costs "
        "credits.",
        error_messages={"no_number": "Enter a number, such as 500 or 12.5."},
    )
    only_tells = forms.BooleanField(
        label="Only tell",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Refuse nothing; say on the credits page that it is reached.",
    )


class LimitForm(TermsForm):
    """A new limit: of what, and how long it counts."""

    subject = forms.ChoiceField(label="Of", widget=UnfoldAdminSelectWidget)
    window = forms.ChoiceField(
        label="Counts",
        choices=[(LimitWindow.DAY, "each day"), (LimitWindow.MONTH, "each month")],
        initial=LimitWindow.DAY,
        widget=UnfoldAdminRadioSelectWidget,
    )
    field_order = ("key", "subject", "window", "credits", "only_tells")

    def __init__(self, data: Any = None, *, company: Company | None) -> None:
        super().__init__(data, company=company)
        field = self.fields["subject"]
        assert isinstance(field, forms.ChoiceField)
        assert company is not None
        field.choices = limit_subjects.choices(company=company)


class _Act(acting.Act):
    """What the acts of limits have in common."""

    needs = Allowed.SET_LIMITS
    company: Company
    verb = "set"
    figures = "limit has"
    refusals: ClassVar[tuple[type[Exception], ...]] = (
        *(limits.LimitRefused, limits.TooManyLimits, limits.AlreadyEnded, CompanyClosed),
    )
    refused_fields: ClassVar = {limits.LimitRefused: "credits"}

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_spendinglimit_changelist")

    def planned(self, subject: Subject, window: str, form: ActForm) -> LimitPlan:
        """Say what the limit will be, what counts against it already, and what it leaves."""
        allowed: Decimal = form.cleaned_data["credits"]
        is_hard = not form.cleaned_data["only_tells"]
        span = SPANS[LimitWindow(window)]
        before = limits.set_before(company=self.company, subject=subject, window=window)
        used = limits.used_so_far(company=self.company, subject=subject, window=window)
        facts = [
            ("Limit of", _subject(subject)),
            (f"Credits a {span}", _change(before, allowed)),
            ("When it is reached", _manner(is_hard=is_hard)),
            (f"Used this {span} so far", shown.amount(used, metric="limit-used")),
            (f"Left this {span}", shown.amount(max(allowed - used, ZERO), metric="limit-left")),
        ]
        notes = []
        if used >= allowed and is_hard:
            notes.append(
                f"Nothing is left this {span}: work that costs credits waits until it is over, "
                "and requests are refused."
            )
        return LimitPlan(
            facts=tuple(facts),
            notes=tuple(notes),
            terms=f"{before and (before.pk, before.credits, before.is_hard)}",
        )

    def set_limit(self, subject: Subject, window: str, form: ActForm) -> Done:
        made = limits.set(
            company=self.company,
            subject=subject,
            window=window,
            credits=form.cleaned_data["credits"],
            by=self.by,
            is_hard=not form.cleaned_data["only_tells"],
        )
        url = reverse("admin:credits_spendinglimit_change", args=[made.pk])
        return Done(url, f"The limit is {limits.in_words(made)}.")


class SetLimit(_Act):
    """Set a limit of a subject that may have none yet."""

    form_class = LimitForm
    heading = button = "Set a limit"
    refusals = (*_Act.refusals, limit_subjects.UnknownSubject)
    refused_fields: ClassVar = {
        **_Act.refused_fields,
        limit_subjects.UnknownSubject: "subject",
    }

    def question(self) -> str:
        return f"Set this limit — {self.company}?"

    def plan(self, form: ActForm) -> Plan:
        return self.planned(self._subject(form), form.cleaned_data["window"], form)

    def do(self, form: ActForm) -> Done:
        return self.set_limit(self._subject(form), form.cleaned_data["window"], form)

    def _subject(self, form: ActForm) -> Subject:
        return limit_subjects.parse(form.cleaned_data["subject"], company=self.company)


class ChangeLimit(_Act):
    """Change what a limit allows, or whether it refuses."""

    form_class: ClassVar[type[ActForm]] = TermsForm
    heading = "Change this limit"
    button = "Change the limit"
    verb = "changed"

    def __init__(self, *, request: HttpRequest, row: SpendingLimit) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_spendinglimit_change", args=[self.row.pk])

    def title(self) -> str:
        return f"{self.heading}: {self.row.name}"

    def question(self) -> str:
        return f"{self.title()}?"

    def check(self) -> None:
        if self.row.ended_at is not None:
            raise limits.AlreadyEnded(limits.AlreadyEnded.__doc__)

    def fresh(self) -> ActForm:
        form = super().fresh()
        terms = {"credits": amounts.text(self.row.credits), "only_tells": not self.row.is_hard}
        form.initial = {**form.initial, **terms}
        return form

    def plan(self, form: ActForm) -> Plan:
        self.check()
        return self.planned(limits.subject_of(self.row), self.row.window, form)

    def do(self, form: ActForm) -> Done:
        return self.set_limit(limits.subject_of(self.row), self.row.window, form)


class EndLimit(ChangeLimit):
    """End a limit, after saying what it counts now."""

    form_class = ActForm
    heading = "End this limit"
    button = "End the limit"
    is_danger = True
    verb = "ended"

    def fresh(self) -> ActForm:
        return self.form_class(company=self.company)

    def plan(self, form: ActForm) -> Plan:
        self.check()
        (one,) = limits.standing(
            company=self.company, limits=SpendingLimit.objects.filter(pk=self.row.pk)
        )
        span = SPANS[LimitWindow(self.row.window)]
        return LimitPlan(
            facts=(
                ("Limit of", _subject(limits.subject_of(self.row))),
                (f"Credits a {span}", shown.amount(self.row.credits, metric="limit-credits")),
                (f"Used this {span} so far", shown.amount(one.used, metric="limit-used")),
            ),
            notes=("From then on it refuses and counts nothing. It stays in this list.",),
            terms=f"{self.row.pk, self.row.credits, self.row.is_hard}",
        )

    def do(self, form: ActForm) -> Done:
        ended = limits.end(limit=self.row, by=self.by)
        return Done(self.back_url, f"Ended: the limit of {limits.in_words(ended)}.")


def _subject(subject: Subject) -> str:
    if subject.kind == "COMPANY":
        return "the whole company"
    return f"{subject.name} ({subject.kind.label.removeprefix('A ').removeprefix('An ')})"


def _change(before: SpendingLimit | None, allowed: Decimal) -> SafeString | str:
    after = shown.amount(allowed, metric="limit-credits")
    if before is None:
        return after
    return shown.number("{} → {}", shown.amount(before.credits, metric="limit-before"), after)


def _manner(*, is_hard: bool) -> str:
    return "it refuses what would go above it" if is_hard else "it only tells, and refuses nothing"
