"""The acts that open and close a company."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import slugify
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from billing import closing, opening
from billing.admin.acting import Act
from billing.admin.agreeing import (
    SeatFields,
    TermsFields,
    counted_of,
    facts_of,
    notes_of,
    terms_facts,
)
from billing.admin.deciding import ReasonForm
from billing.opening import Wish
from credits import invitations, shown
from credits.admin.acting import ActForm, Done, Plan, balance_change, reason_note, text_field
from credits.amounts import ZERO
from credits.companies import CompanyClosed
from credits.models import Company, Membership, User
from credits.roles import Act as Allowed

CONSOLE = "django.core.mail.backends.console.EmailBackend"
FOR_GOOD = (
    "API keys are revoked at once, and no allocation is issued any more. This cannot be undone. "
    "Ledger, usage and reports stay readable."
)

logger = logging.getLogger(__name__)


class CompanyFields(forms.Form):
    """A company and its first person."""

    name = text_field(max_length=200)
    slug = text_field(
        required=False,
        max_length=60,
        help_text="Short name in addresses: small letters, digits, hyphens. Empty: from the name.",
    )
    time_zone = forms.ChoiceField(
        choices=[(name, name) for name in sorted(available_timezones())],
        initial="UTC",
        widget=UnfoldAdminSelectWidget,
        help_text="Days, months and reports are counted in this zone.",
    )
    admin_email = forms.EmailField(
        label="First admin's e-mail address", widget=UnfoldAdminEmailInputWidget
    )
    admin_name = text_field(label="First admin's name", required=False, max_length=200)

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def clean_admin_email(self) -> str:
        return str(self.cleaned_data["admin_email"]).lower()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("slug") and values.get("name"):
            values["slug"] = slugify(values["name"])[:60]
            if not values["slug"]:
                self.add_error("slug", "Write a short name in small letters, digits and hyphens.")
        return values


class OpenForm(CompanyFields, SeatFields, TermsFields, ActForm):
    """Everything a company needs to start."""

    sections = (
        ("Company", ("name", "slug", "time_zone")),
        ("Contract", tuple(TermsFields.base_fields)),
        ("Seats from the first day on", tuple(SeatFields.base_fields)),
        ("First admin, who is invited by e-mail", ("admin_email", "admin_name")),
    )


class Open(Act):
    """Open a company: tenant, contract, seats, introductory credits and its first admin."""

    needs = Allowed.EDIT_COMPANIES
    form_class = OpenForm
    heading = "Open a company"
    button = "Open company"
    hint = "Days are those of the company's time zone."

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_company_changelist")

    def wish(self, form: Any) -> Wish:
        values = form.cleaned_data
        return Wish(
            name=values["name"],
            slug=values["slug"],
            time_zone=values["time_zone"],
            terms=form.terms,
            seats=[counted_of(form, values["starts_on"])],
            admin_email=values["admin_email"],
            admin_name=values["admin_name"],
        )

    def plan(self, form: ActForm) -> Plan | None:
        try:
            found = opening.preview(wish=self.wish(form), by=self.by, now=self.now)
        except ValidationError as refusal:
            for name, errors in refusal.message_dict.items():
                form.add_error(name if name in form.fields else None, errors)
            return None
        values = form.cleaned_data
        count = shown.counted(values["seat_count"], "seat")
        return Plan(
            facts=(
                ("Company", f"{values['name']} ({values['slug']})"),
                ("Time zone", values["time_zone"]),
                *terms_facts(form.terms),  # type: ignore[attr-defined]
                (values["seat_name"], count),
                *facts_of(found),
                ("First admin", values["admin_email"]),
            ),
            notes=(
                *notes_of(found),
                "The first admin is sent an e-mail with a link that signs them in.",
            ),
        )

    def do(self, form: ActForm) -> Done:
        opened = opening.open_company(wish=self.wish(form), by=self.by, now=self.now)
        send_invitation(self.request, opened.company, opened.admin, self.now)
        return Done(
            reverse("admin:credits_company_change", args=[opened.company.pk]),
            f"{opened.company} is open.",
        )

    def before(self, form: ActForm) -> Done | None:
        """A second submit finds the company that the first one opened."""
        found = Membership.objects.filter(
            company__slug=form.cleaned_data["slug"],
            company__name=form.cleaned_data["name"],
            company__contract__changed_by=self.by,
            user__email=form.cleaned_data["admin_email"],
        ).first()
        if found is None:
            return None
        return Done(reverse("admin:credits_company_change", args=[found.company_id]), "")


class Close(Act):
    """Close a company for good."""

    company: Company
    needs = Allowed.EDIT_COMPANIES
    form_class = ReasonForm
    heading = "Close"
    button = "Close the company"
    is_danger = True

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_company_change", args=[self.company.pk])

    def title(self) -> str:
        return f"Close {self.company}"

    def plan(self, form: ActForm) -> Plan | None:
        if self.company.closed_at is not None:
            form.add_error(None, str(CompanyClosed(self.company)))
            return None
        found = closing.preview(company=self.company)
        grants = shown.counted(found.future_grants, "grant")
        return Plan(
            facts=(
                ("Balance", balance_change(found.remaining, ZERO)),
                ("Voided", shown.amount(found.remaining, metric="voided")),
                (
                    "Of it held by work under way, released first",
                    shown.number(
                        "{} in {}",
                        shown.amount(found.held, metric="reserved"),
                        shown.counted(found.reservations, "reservation"),
                    ),
                ),
                (
                    "Future grants cancelled",
                    shown.number(
                        "{} in {}", shown.amount(found.future_credits, metric="future"), grants
                    ),
                ),
                ("Open purchases cancelled", f"{found.open_purchases:,}"),
                *((name, f"{count:,}") for name, count in found.others),
            ),
            notes=(
                FOR_GOOD,
                reason_note(form),
            ),
        )

    def do(self, form: ActForm) -> Done:
        reason = form.cleaned_data["reason"]
        closing.close(company=self.company, by=self.by, reason=reason, now=self.now)
        return Done(self.back_url, f"{self.company} is closed.")

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if self.company.closed_by == self.by else None


def send_invitation(request: HttpRequest, company: Company, user: User, now: datetime) -> None:
    """Send the link and say so; say what to do when the mail server does not answer."""
    try:
        invitations.send(
            user=user,
            company=company,
            by=request.user,  # type: ignore[arg-type]
            now=now,
            address=request.build_absolute_uri,
        )
    except CompanyClosed as refusal:
        messages.warning(request, f"{refusal} No invitation was sent.")
        return
    except OSError:
        logger.exception("No invitation for user %s", user.pk)
        messages.warning(
            request,
            f"The invitation to {user.email} could not be sent: the mail server did not take it. "
            "Check TALLYSTICK_EMAIL_URL, then send it again from the company's page.",
        )
        return
    if settings.EMAIL_BACKEND == CONSOLE:
        messages.warning(
            request,
            f"The invitation to {user.email} was printed by the web process: no mail server is "
            "set. Set TALLYSTICK_EMAIL_URL to have e-mails sent.",
        )
        return
    messages.success(request, f"An invitation was sent to {user.email}.")
