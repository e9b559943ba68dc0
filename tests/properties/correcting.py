"""The machine's acts of correction: cancel, void, adjust both ways, refund."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st

from credits import charging, grants
from credits.models import CreditGrant, UsageEvent

# Lots of 2 to 12 credits against work of up to 3: most work can be paid, and lots run out.
LOT_AMOUNTS = st.integers(2000, 12_000).map(lambda mills: credits_of(mills))
LIVES = st.none() | st.sampled_from([180, 40, 15, 3, 0, -10])  # Minutes; the last two are refused.

# Three times out of four.
WANTS_FIT = st.sampled_from([True, True, True, False])


def credits_of(mills: int) -> Decimal:
    return Decimal(mills) / 1000


class CorrectingActs:
    """Part of ``LedgerMachine``, which has the company, the model and how outcomes agree."""

    def cancel(self, data):
        """One to come; where there is none, one is made, for another time."""
        signed = self._signed
        if not any(lot.is_to_come for lot in self._plain_lots.values()):
            self.issue(data)
            return
        grant = self._some_grant(data, lambda lot: lot.is_to_come)
        outcome = self._outcome(
            lambda: self._sent(
                data, lambda key: grants.cancel(grant=grant, key=key, **signed), of="CANCEL"
            )
        )
        self._agree(outcome, lambda: self.model.cancel(id=grant.pk))

    def void(self, data):
        """Of a lot with something held, if there is any, every other time."""
        wants_held = data.draw(st.booleans())
        grant = self._some_grant(
            data, lambda lot: lot.is_live and (lot.held > 0 if wants_held else lot.remaining > 0)
        )
        self.model.settle()
        lot = self.model.lots[grant.pk]
        foreseen = (lot.free, lot.held)
        seen = []
        outcome = self._outcome(lambda: seen.append(grants.void_preview(grant=grant)))
        assert outcome != "OK" or (seen[0].taken, seen[0].held) == foreseen, "PREVIEW differs"
        signed = self._signed
        assert outcome == self._outcome(
            lambda: self._sent(
                data, lambda key: grants.void(grant=grant, key=key, **signed), of="VOID"
            )
        )
        self._agree(outcome, lambda: self.model.void(id=grant.pk))

    def adjust_up(self, data):
        amount = data.draw(LOT_AMOUNTS)
        life = data.draw(LIVES)
        expires_at = None if life is None else self.model.instant + timedelta(minutes=life)
        made, company, signed = [], self.company, self._signed
        outcome = self._outcome(
            lambda: made.append(
                self._sent(
                    data,
                    lambda key: grants.adjust(
                        company=company, amount=amount, expires_at=expires_at, key=key, **signed
                    ),
                    of="ADJUST",
                )
            )
        )
        terms = {"id": made[0].grant_id if made else None, "expires_at": expires_at}
        self._agree(outcome, lambda: self.model.give(amount=amount, **terms))

    def adjust_down(self, data):
        """Of one lot or in spending order; all of it, a part, or a thousandth too much."""
        grant = None
        if self._plain_lots and data.draw(st.booleans()):
            wants_held = data.draw(st.booleans())
            grant = self._some_grant(
                data,
                lambda lot: (lot.free > 0 and lot.held > 0) or (lot.free > 0 and not wants_held),
            )
        self.model.settle()
        lot = self.model if grant is None else self.model.lots[grant.pk]
        mills = int((self.model.available if grant is None else lot.free) * 1000)
        is_held = (self.model.reserved if grant is None else lot.held) > 0
        # Where something is held, one too many would take it.
        too_many = [mills + 1] * (3 if is_held else 1)
        amounts = [max(1, mills // 3), max(1, mills), *too_many]
        amount = credits_of(data.draw(st.sampled_from(amounts)))
        company, signed = self.company, self._signed
        outcome = self._outcome(
            lambda: self._sent(
                data,
                lambda key: grants.adjust(
                    company=company, amount=-amount, grant=grant, key=key, **signed
                ),
                of="ADJUST",
            )
        )
        grant_id = None if grant is None else grant.pk
        self._agree(outcome, lambda: self.model.take(amount=amount, id=grant_id))

    def refund(self, data):
        """All that is left, a part, or a thousandth too much; some of it long after."""
        event = UsageEvent.objects.get(pk=data.draw(st.sampled_from(self._refundable(data))).pk)
        mills = int(self.model.charges[event.pk].left * 1000)
        amounts = [None, max(1, mills // 2), max(1, mills // 3), max(1, mills), mills + 1]
        amount = data.draw(st.sampled_from(amounts))
        terms = {"amount": None if amount is None else credits_of(amount)}
        made, seen, signed = [], [], self._signed
        wants_more = data.draw(st.booleans())
        self._outcome(lambda: seen.append(charging.refund_preview(usage_event=event, **terms)))
        outcome = self._outcome(
            lambda: made.append(
                self._sent(
                    data,
                    lambda key: charging.refund(
                        usage_event=event, replace_expired=wants_more, key=key, **terms, **signed
                    ),
                    of="REFUND",
                )
            )
        )
        if made:
            drawn = [(draw.grant_id, draw.amount) for draw in made[0].drawdowns.order_by("id")]
            assert [(part.grant.pk, part.amount) for part in seen[0].parts] == drawn, (
                "PREVIEW differs"
            )
        replacement = self._newest_grant() if made and wants_more else None
        if replacement in self.model.lots:
            replacement = None
        self._agree(
            outcome, lambda: self.model.refund(id=event.pk, replacement_id=replacement, **terms)
        )

    def _refundable(self, data):
        """The last uses; mostly those of several lots with something left, begun ones first."""
        charges = self.model.charges
        several = [
            use for use in self.uses if charges[use.pk].left and len(charges[use.pk].parts) > 1
        ]
        begun = [use for use in several if charges[use.pk].returned]
        return (begun or several or self.uses)[-6:] if data.draw(WANTS_FIT) else self.uses[-6:]

    @property
    def _signed(self):
        return {"by": self.vera, "reason": "The machine wants it so"}

    def _newest_grant(self):
        return max(CreditGrant.objects.filter(company=self.company).values_list("pk", flat=True))

    def _some_grant(self, data, is_fit):
        """One that fits, if there is any, three times out of four."""
        fit = [id for id, lot in self._plain_lots.items() if is_fit(lot)]
        wants_fit = data.draw(WANTS_FIT)
        chosen = data.draw(st.sampled_from(fit if fit and wants_fit else list(self._plain_lots)))
        return CreditGrant.objects.get(pk=chosen)

    @property
    def _plain_lots(self):
        """Those that were not bought: a purchase is reversed, not its grant."""
        bought = self._bought_lots
        return {id: lot for id, lot in self.model.lots.items() if id not in bought}
