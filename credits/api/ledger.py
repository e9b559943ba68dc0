"""The history of the balance, entry by entry, each with the grants it drew on."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import balances
from credits.api import pages, problems, schema
from credits.api.fields import AmountField, CodeField, CountField, IdField, InstantField
from credits.api.views import ApiView, PageView, not_found
from credits.models import Cause, Drawdown, EntryKind, LedgerEntry, Scope

EXAMPLE = {
    "sequence": 48211,
    "kind": "CONSUMED",
    "amount": "-12.4",
    "balance_before": "8423.8",
    "balance_after": "8411.4",
    "occurred_at": "2026-11-21T23:10:05.123456Z",
    "recorded_at": "2026-11-21T23:10:05.123456Z",
    "cause": "CAPTURE",
    "cause_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11",
    "grant_id": None,
    "usage_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12",
    "corrects_sequence": None,
    "hash": "9f2c1d7be0a94d0f6a3f2f6cf5f1f0c8b4a1c7f2f0f84b7a1d6f1a2b3c4d5e6f",
    "drawdowns": [
        {"grant_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b13", "amount": "-2.4"},
        {"grant_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b14", "amount": "-10.0"},
    ],
}


class EntryParameters(pages.PageParameters):
    """Which entries."""

    since = InstantField(required=False, help_text="Occurred at or after this instant (RFC 3339).")
    until = InstantField(required=False, help_text="Occurred before this instant.")
    kind = CodeField(required=False, choices=EntryKind.choices, help_text="What it did.")
    after_sequence = CountField(
        required=False,
        min_value=0,
        max_value=pages.SEQUENCE_MAX,
        help_text="Only entries after this one; with `order=oldest`, what is new since then.",
    )


class DrawdownOutput(serializers.Serializer[Any]):
    """How much of one grant an entry moved."""

    grant_id = IdField()
    amount = AmountField(help_text="With the entry's sign.")

    class Meta:
        ref_name = "Drawdown"


class EntryOutput(serializers.Serializer[Any]):
    """One change of the balance. Entries are never changed; a correction is a new one."""

    sequence = serializers.IntegerField(help_text="Counts from 1 without gaps.")
    kind = serializers.ChoiceField(choices=EntryKind.choices)
    amount = AmountField(help_text="Negative when credits went.")
    balance_before = AmountField(help_text="That of the entry before it, after it.")
    balance_after = AmountField()
    occurred_at = InstantField(help_text="When it took effect; never decreases.")
    recorded_at = InstantField(help_text="When it was written down.")
    cause = serializers.ChoiceField(choices=Cause.choices, help_text="Which act wrote it.")
    cause_id = IdField(source="cause_ref", help_text="The id of that act's row.")
    grant_id = IdField(allow_null=True, help_text="The grant it is about, if it is about one.")
    usage_id = serializers.SerializerMethodField(help_text="The usage it paid for, if any.")
    corrects_sequence = serializers.IntegerField(
        allow_null=True, help_text="The entry it corrects, if any."
    )
    hash = serializers.SerializerMethodField(
        help_text="SHA-256 over this entry and the hash before it, in hex."
    )
    drawdowns = DrawdownOutput(many=True, help_text="In the order drawn; their sum is `amount`.")

    class Meta:
        ref_name = "LedgerEntry"

    def get_usage_id(self, entry: LedgerEntry) -> str | None:
        event = getattr(entry, "usage_event", None)
        return None if event is None else str(event.pk)

    def get_hash(self, entry: LedgerEntry) -> str:
        return bytes(entry.hash).hex()


class EntryPage(serializers.Serializer[Any]):
    items = EntryOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)

    class Meta:
        ref_name = "LedgerPage"


class LedgerView(PageView):
    """The ledger of the key's company."""

    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    parameters = EntryParameters
    order = pages.Order((("sequence", pages.sequence),))
    output = EntryOutput

    @extend_schema(
        operation_id="list_ledger_entries",
        tags=["Credits"],
        summary="List ledger entries",
        parameters=[EntryParameters],
        responses={
            200: schema.answered(
                EntryPage,
                "One page of entries.",
                entries={"items": [EXAMPLE], "next_cursor": "WyI3YjQwYTJjOSIsNDgyMTFd"},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """Every change of the balance, with what it was before and after.

        Ordered by `sequence`. The range `since` ≤ t < `until` is half-open.
        """
        return self.page(_limited(entries_of(self), self.values))


class LedgerEntryView(ApiView):
    """One entry of the key's company."""

    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_ledger_entry",
        tags=["Credits"],
        summary="Read a ledger entry",
        responses={200: schema.answered(EntryOutput, "The entry.", entry=EXAMPLE)},
    )
    def get(self, request: Request, sequence: int) -> Response:
        """The entry at a place in your company's ledger."""
        entry = entries_of(self).filter(sequence=sequence).first()
        if entry is None:
            raise not_found("ledger entry")
        return Response(EntryOutput(entry).data)


def entries_of(view: ApiView) -> QuerySet[LedgerEntry]:
    """Return the entries of the company, settled, each with its drawdowns and its usage."""
    balances.now(company=view.company)  # Settles what is due.
    drawn = Drawdown.objects.order_by("pk")
    return (
        LedgerEntry.objects.filter(company=view.company)
        .select_related("usage_event")
        .prefetch_related(Prefetch("drawdowns", drawn))
    )


def _limited(rows: QuerySet[LedgerEntry], values: dict[str, Any]) -> QuerySet[LedgerEntry]:
    lookups = {
        "since": "occurred_at__gte",
        "until": "occurred_at__lt",
        "kind": "kind",
        "after_sequence": "sequence__gt",
    }
    given = {lookup: values[name] for name, lookup in lookups.items() if name in values}
    return rows.filter(**given)
