"""The act by which staff change a company's time zone, saying in numbers what moves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget

from billing import purchases, zoning
from billing.admin.acting import Act
from billing.allocations import Ahead
from billing.models import ZoneChange
from credits import shown
from credits.admin.acting import ActForm, Done, Plan, reason_field
from credits.companies import CompanyClosed
from credits.models import Company
from credits.roles import Act as Allowed

ONE_ZONE = (
    "A company has one time zone: once it counts, reports, limits and pages name all days by it, "
    "those of the past too. A use close to midnight may then stand under the day before or after."
)
NOTHING_MOVES = (
    "Ledger entries, uses, grants and periods that have started keep their instants and amounts; "
    "files downloaded before stay as they are."
)


class ZoneForm(ActForm):
    time_zone = forms.ChoiceField(
        choices=[(name, name) for name in sorted(available_timezones())],
        widget=UnfoldAdminSelectWidget,
        help_text="It counts from the company's next period on. Choose the present one to take "
        "back a change that does not count yet.",
    )
    reason = reason_field()


class ChangeZone(Act):
    """Change the zone a company's days are counted in, from its next period on."""

    needs = Allowed.EDIT_COMPANIES
    form_class = ZoneForm
    heading = "Change the time zone"
    button = "Change the time zone"

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_company_change", args=[self.of.pk])

    @property
    def of(self) -> Company:
        assert self.company is not None
        return self.company

    def title(self) -> str:
        return f"Change the time zone of {self.company}"

    def fresh(self) -> ActForm:
        form = super().fresh()
        form.initial["time_zone"] = self.of.time_zone
        return form

    def plan(self, form: ActForm) -> Plan | None:
        values = form.cleaned_data
        if self.of.closed_at is not None:
            form.add_error(None, str(CompanyClosed(self.of)))
            return None
        try:
            found = zoning.preview(
                company=self.of,
                time_zone=values["time_zone"],
                by=self.by,
                reason=values["reason"],
                now=self.now,
            )
        except zoning.ZoneRefused as refusal:
            form.add_error("time_zone", str(refusal))
            return None
        except purchases.ReasonMissing as refusal:
            form.add_error("reason", str(refusal))
            return None
        return Plan(
            facts=(
                *_zone_facts(found.change, self.of),
                *_period_facts(found, self.of),
                _month_fact(found.month),
            ),
            notes=(ONE_ZONE, NOTHING_MOVES, f"Reason: {values['reason']}"),
        )

    def do(self, form: ActForm) -> Done:
        values = form.cleaned_data
        change = zoning.change(
            company=self.of,
            time_zone=values["time_zone"],
            by=self.by,
            reason=values["reason"],
            now=self.now,
        )
        return Done(self.back_url, sentence_of(change, self.of))

    def before(self, form: ActForm) -> Done | None:
        """A second submit finds the decision that the first one made."""
        values = form.cleaned_data
        last = ZoneChange.objects.filter(company=self.of).order_by("-decided_at", "-pk").first()
        if last is None or (last.after, last.decided_by, last.reason, last.withdrawn_at) != (
            values["time_zone"],
            self.by,
            values["reason"],
            None,
        ):
            return None
        return Done(self.back_url, "")


def sentence_of(change: ZoneChange, company: Company) -> str:
    """Say what was decided; for a change ahead, from when it counts."""
    if change.withdrawn_at is not None:
        return f"{company} stays in {change.before}."
    if change.applied_at is not None:
        return f"{company} is in {change.after} now."
    when = shown.instant_in_words(change.effective_at, company)
    return f"{company} is in {change.after} from its next period on, which starts {when}."


def _zone_facts(change: ZoneChange, company: Company) -> tuple[tuple[str, Any], ...]:
    if change.withdrawn_at is not None:
        return (
            ("Time zone", f"stays {change.before}"),
            ("Taken back", f"the change to {change.after}"),
        )
    zones = ("Time zone", f"{change.before} → {change.after}")
    if change.applied_at is not None:
        return (zones, ("It counts", "at once, as no period is running"))
    return (zones, ("It counts from", _twice(change.effective_at, company, change.after)))


def _period_facts(found: zoning.Preview, company: Company) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = []
    for before, after in zip(found.before[:1], found.after[:1], strict=False):
        facts += [
            (f"Period {before.number} starts", _moved(before.starts_at, after.starts_at, company)),
            (
                f"Period {before.number + 1} starts, where period {before.number} ends",
                _moved(before.ends_at, after.ends_at, company),
            ),
            (f"Period {before.number} lasts", f"{_hours(before)} → {_hours(after)}"),
        ]
    facts.append(
        ("Issued ahead, and now anew", shown.amount(found.issued_anew, metric="issued-anew"))
    )
    return facts


def _month_fact(month: zoning.Month) -> tuple[str, Any]:
    return (
        f"Used in {month.first:%B %Y}, as reports say",
        shown.number(
            "{} → {}",
            shown.amount(month.before, metric="used-before"),
            shown.amount(month.after, metric="used-after"),
        ),
    )


def _twice(instant: datetime, company: Company, name: str) -> Any:
    """Write an instant in the company's zone and in another one."""
    there = Company(time_zone=name)
    return format_html("{} = {}", shown.instant(instant, company), shown.instant(instant, there))


def _moved(before: datetime, after: datetime, company: Company) -> Any:
    """Write an instant before and after, in the company's zone now, and by how much it moves."""
    if before == after:
        return format_html("{} (stays)", shown.instant(before, company))
    hours = abs(after - before) / timedelta(hours=1)
    way = "later" if after > before else "earlier"
    return format_html(
        "{} → {} ({} h {})",
        shown.instant(before, company),
        shown.instant(after, company),
        f"{hours:g}",
        way,
    )


def _hours(period: Ahead) -> str:
    return f"{(period.ends_at - period.starts_at) / timedelta(hours=1):g} h"
