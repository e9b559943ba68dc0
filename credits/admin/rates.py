"""Rate cards: everyone with a say reads them; vendor staff add the next one (SPEC §3)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from credits import amounts, rate_cards, rating, shown
from credits.admin.shared import SharedAdmin
from credits.current_company import scope_of
from credits.models import RateCard, RateItem, User
from credits.roles import Act

RATE_MAX = Decimal(1_000_000)
LAST_YEAR = 2199


class RateField(forms.DecimalField):
    """The price of one item, in credits; 0 is a price."""

    def __init__(self, item: RateItem) -> None:
        super().__init__(
            label=item.label,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
            error_messages={"invalid": "Enter a number, such as 1 or 0.5."},
        )

    def to_python(self, value: Any) -> Any:
        rate = super().to_python(value)
        if rate is None:
            return None
        if not rate.is_finite():
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        if not 0 <= rate <= RATE_MAX:
            raise forms.ValidationError(f"Enter from 0 to {amounts.grouped(RATE_MAX)} credits.")
        try:
            return amounts.exact(rate)
        except amounts.InexactAmount as error:
            raise forms.ValidationError(str(error)) from error


class RateCardForm(forms.ModelForm[RateCard]):
    """A new card: when it starts, and the price of every item."""

    effective_at = forms.SplitDateTimeField(
        label="In force from (UTC)",
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="In the future: work already done keeps its price.",
    )
    EMAIL = RateField(RateItem.EMAIL)
    CALL_LONG = RateField(RateItem.CALL_LONG)
    CALL_SHORT = RateField(RateItem.CALL_SHORT)
    WEB_SEARCH = RateField(RateItem.WEB_SEARCH)

    class Meta:
        model = RateCard
        fields = ("effective_at", "note")

    def clean_effective_at(self) -> datetime:
        effective_at: datetime = self.cleaned_data["effective_at"]
        if effective_at <= timezone.now():
            raise forms.ValidationError(str(rate_cards.RateCardStartsTooEarly.__doc__))
        if effective_at.year > LAST_YEAR:
            raise forms.ValidationError(f"Enter a day up to the year {LAST_YEAR}.")
        if RateCard.objects.filter(effective_at=effective_at).exists():
            raise forms.ValidationError(str(rate_cards.RateCardExists.__doc__))
        return effective_at


def _price_of(item: RateItem) -> Any:
    """Return the column that shows one item's price on each card."""

    @display(description=item.label)
    def price(card: RateCard) -> str:
        rate = next((rate.amount for rate in card.rates.all() if rate.item == item), None)
        return shown.NOTHING if rate is None else shown.amount(rate, metric=f"rate-{item.lower()}")

    return price


PRICES = tuple(_price_of(item) for item in RateItem)


@admin.register(RateCard)
class RateCardAdmin(SharedAdmin):
    """The prices, newest first; a card is added, never edited."""

    empty_words = "Work has no price until the vendor sets a rate card."
    view_act = Act.VIEW_RATES
    form = RateCardForm
    ordering = ("-effective_at",)
    sortable_by = ()
    list_display = ("starts", "state_label", *PRICES, "note")
    fields = ("effective_at", "note", *RateItem.values)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).may(Act.EDIT_RATES)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RateCard]:
        now = timezone.now()
        later = RateCard.objects.filter(
            effective_at__gt=OuterRef("effective_at"), effective_at__lte=now
        )
        return (
            super().get_queryset(request).prefetch_related("rates").annotate(is_past=Exists(later))
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.list_display

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Begin with the prices in force."""
        amounts_now = rating.rates_at(timezone.now()).amounts
        return {item: amounts.text(amount) for item, amount in amounts_now.items()}

    def save_model(self, request: HttpRequest, obj: RateCard, form: Any, change: bool) -> None:
        by = request.user
        card = rate_cards.publish(
            effective_at=form.cleaned_data["effective_at"],
            rates={item: form.cleaned_data[item] for item in RateItem.values},
            note=form.cleaned_data["note"],
            by=by if isinstance(by, User) else None,
            now=timezone.now(),
        )
        obj.pk = card.pk

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Set the new prices against those they will replace, as far as is known now."""
        changes = super().construct_change_message(request, form, formsets, add)
        changes.before |= rating.rates_at(timezone.now()).amounts
        return changes

    def audit_label(self, row: RateCard) -> str:
        return f"Rate card of {row.effective_at:%Y-%m-%d %H:%M} UTC"

    @display(description="in force from")
    def starts(self, card: RateCard) -> str:
        return shown.utc(card.effective_at)

    @display(description="state")
    def state_label(self, card: Any) -> str:
        if card.effective_at > timezone.now():
            return shown.status("Scheduled")
        return shown.status("Past" if card.is_past else "In force")
