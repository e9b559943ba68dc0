"""What a use may cost at most now: what is available, and what its tightest limit leaves."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from decimal import Decimal

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from credits import balances, limits
from credits.ledger import Use
from credits.limits import Standing
from credits.models import Company

# The ledger's own definition of which uses a limit is about.
_COVERS = "ledger_limit_covers(credits_spendinglimit, ROW(%s,%s,%s,%s,%s,%s,%s,%s,%s)::ledger_use)"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one use may cost now, in credits; ``tightest`` is the limit that leaves it least."""

    available: Decimal
    tightest: Standing | None

    def covers(self, cost: Decimal) -> bool:
        """Tell whether a cost would be admitted now."""
        if cost > self.available:
            return False
        return cost == 0 or self.tightest is None or cost <= self.tightest.left


def of(*, company: Company, use: Use) -> Allowance:
    """Return what a use may cost now; what is due is settled first.

    The limit is the one that would refuse it: a hard one, the one that leaves least.
    """
    available = balances.now(company=company).available
    covering = limits.in_force(company=company).filter(
        RawSQL(_COVERS, astuple(use), output_field=BooleanField()), is_hard=True
    )
    standing = limits.standing(company=company, limits=covering) if covering.exists() else []
    tightest = min(standing, key=lambda one: (one.left, one.limit.pk), default=None)
    return Allowance(available, tightest)
