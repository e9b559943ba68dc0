"""What the language model used, beside the credits: for whoever pays for its requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, F, Q, Sum

from credits.amounts import ZERO
from credits.models import Company, CreditGrant, Source, UsageEvent
from trackers.models import LlmAttempt, LlmOutcome, LlmSwitch


@dataclass(frozen=True, slots=True)
class Use:
    """What one company's requests used in a span, beside its credits. Amounts in credits.

    ``bought`` is what it bought in the span, ``used`` what all its features used.
    """

    company: Company
    is_on: bool
    requests: int
    failed: int
    tokens_in: int
    tokens_out: int
    used: Decimal
    bought: Decimal

    @property
    def tokens_per_credit(self) -> int | None:
        """Return the tokens for each credit that was used; None where none was."""
        return None if not self.used else round((self.tokens_in + self.tokens_out) / self.used)


def by_company(*, since: datetime, until: datetime, companies: Iterable[Company]) -> list[Use]:
    """Return what each company used from ``since`` until before ``until``, most tokens first.

    Only those that asked the model, or have it switched on.
    """
    rows = {company.pk: company for company in companies}
    asked = {
        row["company"]: row
        for row in LlmAttempt.objects.filter(
            company__in=rows, begun_at__gte=since, begun_at__lt=until
        )
        .order_by()
        .values("company")
        .annotate(
            requests=Count("pk"),
            failed=Count("pk", filter=~Q(outcome__in=[LlmOutcome.OK, LlmOutcome.RUNNING])),
            sent=Sum("tokens_in"),
            received=Sum("tokens_out"),
        )
    }
    on = set(
        LlmSwitch.objects.filter(company__in=rows, is_on=True).values_list("company", flat=True)
    )
    named = [pk for pk in rows if pk in asked or pk in on]
    used = _sums(
        UsageEvent.objects.filter(company__in=named, occurred_at__gte=since, occurred_at__lt=until)
    )
    bought = _sums(
        CreditGrant.objects.filter(
            company__in=named,
            source=Source.PURCHASE,
            effective_at__gte=since,
            effective_at__lt=until,
        )
    )
    none = {"requests": 0, "failed": 0, "sent": 0, "received": 0}
    uses = [
        Use(
            company=rows[pk],
            is_on=pk in on,
            requests=asked.get(pk, none)["requests"],
            failed=asked.get(pk, none)["failed"],
            tokens_in=asked.get(pk, none)["sent"],
            tokens_out=asked.get(pk, none)["received"],
            used=used[pk],
            bought=bought[pk],
        )
        for pk in named
    ]
    return sorted(uses, key=lambda use: (-(use.tokens_in + use.tokens_out), use.company.name))


def _sums(rows: object) -> dict[int, Decimal]:
    found: dict[int, Decimal] = defaultdict(lambda: ZERO)
    found |= dict(
        rows.order_by()  # type: ignore[attr-defined]
        .values("company")
        .annotate(sum=Sum(F("amount")))
        .values_list("company", "sum")
    )
    return found
