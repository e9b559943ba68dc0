"""What the acts of correction have in common: who may, why, and the line in the audit trail."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.urls import reverse

from credits import balances, charging, corrections, grants, ledger, trail
from credits.admin.acting import ActForm, balance_change, reason_field
from credits.admin.booking import LedgerAct
from credits.companies import CompanyClosed
from credits.models import Company, Correction, CorrectionKind, CreditGrant, Operation, UsageEvent
from credits.roles import Act as Allowed

Fact = tuple[str, Any]
KINDS = {
    Operation.CANCEL: CorrectionKind.CANCELLED,
    Operation.VOID: CorrectionKind.VOIDED,
    Operation.ADJUST: CorrectionKind.ADJUSTED,
    Operation.REFUND: CorrectionKind.REFUNDED,
}


class CorrectionForm(ActForm):
    """Why; what every correction asks for."""

    company: Company
    reason = reason_field(
        help_text="Why, in at least 10 characters.",
        error_messages={"min_length": corrections.ReasonMissing.__doc__},
    )
    field_order = ("amount", "grant", "last")


class CorrectionAct(LedgerAct):
    """One act on one subject; ``plan`` says what ``call`` will do, or raises what it would."""

    needs = Allowed.CORRECT_CREDITS
    form_class = CorrectionForm
    is_danger = True
    steps_with_back = ("form",)
    refusals = (
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
        CompanyClosed,
    )
    used_before = str(ledger.IdempotencyConflict.__doc__)
    subject: CreditGrant | Company | UsageEvent

    @property
    def back_url(self) -> str:
        options = self.subject._meta
        page = f"admin:{options.app_label}_{options.model_name}_change"
        return reverse(page, args=[self.subject.pk])

    def title(self) -> str:
        return self.heading

    def key(self, form: ActForm) -> ledger.Key:
        return form.ledger_key(self.operation.lower(), subject=str(self.subject.pk))

    def write_line(self, form: ActForm) -> None:
        asked = {
            name: value
            for name, value in form.cleaned_data.items()
            if name not in ("key", "reason", "amount")
        }
        trail.corrected(
            corrections.newest(company=self.company, kind=KINDS[self.operation]),
            self.subject,
            asked=asked,
        )

    def _balance(self, change: Decimal) -> Fact:
        remaining = balances.now(company=self.company).remaining
        return f"Balance of {self.company}", balance_change(remaining, remaining + change)


def corrections_shown(**about: object) -> list[Correction]:
    """Return what was corrected of a grant or a use, newest first."""
    found = Correction.objects.filter(**about).select_related("company", "entry", "by")
    return list(found.order_by("-pk"))
