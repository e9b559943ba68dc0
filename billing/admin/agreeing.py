"""Acts on contracts: agree, change the terms, record seats, top up for late ones."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from billing import allocations, contracts, seats
from billing.admin.acting import Act
from billing.contracts import Outcome, Seats, Terms
from billing.models import AllocationState, Contract, Period, SeatType
from billing.models.contracts import (
    INTRODUCTORY_DAYS_DEFAULT,
    PURCHASE_MONTHS_DEFAULT,
    SEAT_CREDITS_DEFAULT,
)
from credits import amounts, shown
from credits.admin.acting import (
    ActForm,
    Done,
    Plan,
    amount_field,
    reason_field,
    reason_note,
    text_field,
)
from credits.admin.days import DayField
from credits.amounts import ZERO
from credits.models import Company
from credits.roles import Act as Allowed

LIFE_MAX = 3650
MONTHS_MAX = 120


def number_field(minimum: int, maximum: int, **kwargs: Any) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=minimum, max_value=maximum, widget=UnfoldAdminIntegerFieldWidget, **kwargs
    )


class TermsFields(forms.Form):
    """What a contract says, as people describe it."""

    starts_on = DayField(label="Contract's first day")
    ends_on = DayField(label="Contract's last day", required=False, help_text="Empty: no end.")
    period = forms.ChoiceField(
        choices=Period.choices,
        initial=Period.MONTH,
        label="Seat credits every",
        widget=UnfoldAdminSelectWidget,
        help_text="Each period starts on the contract's first day, at midnight.",
    )
    introductory_amount = amount_field(
        "Introductory credits", required=False, help_text="Once per company, ever. Empty: none."
    )
    introductory_days = number_field(
        1, LIFE_MAX, label="Their life in days", initial=INTRODUCTORY_DAYS_DEFAULT
    )
    approval_limit = amount_field(
        "A second person approves purchases above",
        required=False,
        may_be_zero=True,
        help_text="Empty: never. 0: always.",
    )
    purchase_months = number_field(
        1, MONTHS_MAX, label="Purchases live, in months", initial=PURCHASE_MONTHS_DEFAULT
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        starts_on, ends_on = values.get("starts_on"), values.get("ends_on")
        if starts_on and ends_on and ends_on < starts_on:
            self.add_error("ends_on", str(contracts.EndsBeforeItStarts.__doc__))
        return values

    @property
    def terms(self) -> Terms:
        values = self.cleaned_data
        return Terms(
            starts_on=values["starts_on"],
            ends_on=values["ends_on"],
            period=Period(values["period"]),
            introductory_amount=values["introductory_amount"],
            introductory_days=values["introductory_days"],
            approval_limit=values["approval_limit"],
            purchase_months=values["purchase_months"],
        )


class SeatFields(forms.Form):
    """Seats of one type; ``prefix`` sets several apart on one page."""

    seat_name = text_field(label="Seat type", initial="Seat", max_length=100)
    seat_count = number_field(0, seats.COUNT_MAX, label="Seats")
    seat_credits = amount_field(
        "Credits a seat and period", initial=str(SEAT_CREDITS_DEFAULT), help_text=""
    )


class AgreeForm(SeatFields, TermsFields, ActForm):
    """A contract with its first seats."""

    sections = (
        ("Contract", tuple(TermsFields.base_fields)),
        ("Seats from the first day on", tuple(SeatFields.base_fields)),
    )


class TermsForm(TermsFields, ActForm):
    pass


class SeatsForm(SeatFields, ActForm):
    effective_on = DayField(
        label="From",
        help_text="A period is issued for the seats of its first day. Seats that come later in it "
        "are owed for its days from then on, as a top-up.",
    )
    note = text_field(required=False, max_length=200)


class TopUpForm(ActForm):
    reason = reason_field()


class ContractAct(Act):
    """An act on one contract, whose plan is what it would write, from the very same code."""

    needs = Allowed.EDIT_CONTRACTS
    company: Company

    def __init__(self, *, request: HttpRequest, row: Contract) -> None:
        super().__init__(request=request, company=row.company)
        self.contract = row

    @property
    def back_url(self) -> str:
        return reverse("admin:billing_contract_change", args=[self.contract.pk])

    def outcome(self, form: Any) -> Outcome:
        raise NotImplementedError

    def plan(self, form: ActForm) -> Plan | None:
        before = contracts.owed_now(self.contract, self.now)
        found = contracts.dry_run(lambda: self.outcome(form))
        notes = notes_of(found, owed_before=before)
        return Plan(facts=(*self.facts(form), *facts_of(found)), notes=notes)

    def facts(self, form: Any) -> tuple[tuple[str, Any], ...]:
        return ()

    def do(self, form: ActForm) -> Done:
        self.outcome(form)
        return Done(self.back_url, f"The contract of {self.company} is changed.")


class Agree(Act):
    """Give a company that has none its contract."""

    company: Company
    needs = Allowed.EDIT_CONTRACTS
    form_class = AgreeForm
    heading = "Agree a contract"
    button = "Agree"

    @property
    def back_url(self) -> str:
        return reverse("admin:billing_contract_changelist")

    def outcome(self, form: Any) -> Outcome:
        counted = counted_of(form, form.cleaned_data["starts_on"])
        return contracts.agree(
            company=self.company,
            terms=form.terms,
            seat_counts=[counted],
            by=self.by,
            now=self.now,
        )

    def plan(self, form: Any) -> Plan | None:
        found = contracts.dry_run(lambda: self.outcome(form))
        return Plan(facts=(*terms_facts(form.terms), *facts_of(found)), notes=notes_of(found))

    def do(self, form: ActForm) -> Done:
        contract = self.outcome(form).contract
        url = reverse("admin:billing_contract_change", args=[contract.pk])
        return Done(url, f"{self.company} has a contract from {shown.day(contract.starts_on)}.")

    def before(self, form: ActForm) -> Done | None:
        found = Contract.objects.filter(company=self.company, changed_by=self.by).first()
        if found is None:
            return None
        return Done(reverse("admin:billing_contract_change", args=[found.pk]), "")


class ChangeTerms(ContractAct):
    form_class = TermsForm
    heading = "Change terms"
    button = "Change terms"

    def fresh(self) -> ActForm:
        form = super().fresh()
        for name in TermsFields.base_fields:
            value = getattr(self.contract, name)
            form.initial[name] = amounts.text(value) if isinstance(value, Decimal) else value
        return form

    def outcome(self, form: Any) -> Outcome:
        return contracts.change(contract=self.contract, terms=form.terms, by=self.by, now=self.now)

    def facts(self, form: Any) -> tuple[tuple[str, Any], ...]:
        before = dict(terms_facts(contracts.terms_of(self.contract)))
        return tuple(
            (name, value if value == before[name] else shown.number("{} → {}", before[name], value))
            for name, value in terms_facts(form.terms)
        )


class RecordSeats(ContractAct):
    form_class = SeatsForm
    heading = "Record seats"
    button = "Record seats"

    def fresh(self) -> ActForm:
        form = super().fresh()
        kind = SeatType.objects.filter(company=self.company).order_by("name").first()
        if kind is not None:
            form.initial["seat_name"] = kind.name
            form.initial["seat_credits"] = amounts.text(kind.credits)
        form.initial["effective_on"] = allocations.local_day(self.company, self.now)
        return form

    def outcome(self, form: Any) -> Outcome:
        values = form.cleaned_data
        return contracts.count_seats(
            contract=self.contract,
            counted=counted_of(form, values["effective_on"]),
            by=self.by,
            now=self.now,
            note=values["note"],
        )

    def facts(self, form: Any) -> tuple[tuple[str, Any], ...]:
        values = form.cleaned_data
        known = {
            line.seat_type.name: line.seats
            for line in seats.on(company=self.company, day=values["effective_on"])
        }
        name = values["seat_name"]
        return (
            (
                f"{name}, from {shown.day(values['effective_on'])}",
                f"{known.get(name, 0):,} → {values['seat_count']:,} seats",
            ),
            ("Credits a seat", shown.amount(values["seat_credits"], metric="seat-credits")),
        )


class TopUp(ContractAct):
    form_class = TopUpForm
    heading = "Top up"
    button = "Top up"

    def plan(self, form: ActForm) -> Plan | None:
        owed = contracts.owed_now(self.contract, self.now)
        if not owed:
            form.add_error(None, str(contracts.NothingOwed.__doc__))
            return None
        return Plan(
            facts=(("Added now", shown.amount(owed, metric="owed")),),
            notes=(
                "The credits end with the running period.",
                reason_note(form),
            ),
        )

    def do(self, form: ActForm) -> Done:
        given = contracts.top_up(
            contract=self.contract,
            owed=contracts.owed_now(self.contract, self.now),
            by=self.by,
            reason=form.cleaned_data["reason"],
            now=self.now,
            key=form.cleaned_data["key"],
        )
        return Done(self.back_url, f"{amounts.grouped(given.amount)} credits added.")

    def before(self, form: ActForm) -> Done | None:
        key = form.cleaned_data["key"]
        return Done(self.back_url, "") if given_before(self.contract, key) else None


def given_before(contract: Contract, key: Any) -> bool:
    return contract.company.top_ups.filter(pk=key).exists()


def counted_of(form: Any, effective_on: date) -> Seats:
    values = form.cleaned_data
    return Seats(
        name=values["seat_name"],
        credits=values["seat_credits"],
        count=values["seat_count"],
        effective_on=effective_on,
    )


def terms_facts(terms: Terms) -> tuple[tuple[str, Any], ...]:
    """Say a contract's terms, each by its name."""
    limit = terms.approval_limit
    introductory: Any = "none"
    if terms.introductory_amount is not None:
        figure = shown.amount(terms.introductory_amount, metric="introductory")
        introductory = shown.number("{} for {} days", figure, str(terms.introductory_days))
    return (
        ("First day", shown.day(terms.starts_on)),
        ("Last day", shown.day(terms.ends_on) if terms.ends_on else "no end"),
        ("Seat credits every", Period(terms.period).label.lower()),
        ("Introductory credits", introductory),
        (
            "A second person approves above",
            "never" if limit is None else shown.amount(limit, metric="approval-limit"),
        ),
        ("Purchases live", shown.counted(terms.purchase_months, "month")),
    )


def facts_of(outcome: Outcome) -> tuple[tuple[str, Any], ...]:
    """Say each period that would be written, with its credits."""
    return tuple(
        (
            f"Period {one.period_number}, {shown.day(one.starts_on)} – {shown.day(one.ends_on)}",
            shown.number(
                "{} {}",
                shown.amount(one.amount, metric="allocation-amount"),
                "missed" if one.state == AllocationState.MISSED else "issued",
            ),
        )
        for one in outcome.written[-12:]
    )


def notes_of(outcome: Outcome, *, owed_before: Decimal = ZERO) -> tuple[str, ...]:
    """Say what the act does besides the periods; apart from it, what was owed before."""
    notes = []
    if len(outcome.written) > 12:
        notes.append(f"{len(outcome.written) - 12} earlier periods are written as missed too.")
    if not outcome.written:
        notes.append("No period is issued now.")
    more = outcome.owed - owed_before
    if more > 0:
        notes.append(
            f"By this, {amounts.grouped(more)} credits are owed for the running period; "
            "they are offered as a top-up."
        )
    elif more < 0:
        notes.append(
            f"By this, {amounts.grouped(-more)} credits less are owed for the running period."
        )
    if owed_before:
        notes.append(
            f"{amounts.grouped(owed_before)} credits were owed for the running period before this."
        )
    if outcome.introduced:
        notes.append(f"{amounts.grouped(outcome.introduced)} introductory credits are given.")
    return tuple(notes)
