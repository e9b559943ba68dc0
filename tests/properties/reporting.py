"""The three reports as the reference would print them: text put together here, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.properties.reference import ReferenceLedger

USAGE = (
    "Usage time,Feature type,Feature name,Usage action,Integration,User ID,Credits used,"
    "Usage breakdown,# of requests"
)
BALANCE = "Action date,Action,Method,# of credits,Total credits before,Total credits after"
PURCHASES = "Purchase time,# of credits,Availability start date,Expiration date,Remaining credits"
METHODS = {
    "GRANTED": ("Adding credits", "Added"),
    "CONSUMED": ("Consuming credits", "Used"),
    "EXPIRED": ("Expiring credits", "Expired"),
    "VOIDED": ("Correcting credits", "Voided"),
    "REFUNDED": ("Correcting credits", "Refunded"),
    "ADJUSTED": ("Correcting credits", "Adjusted"),
}


@dataclass(frozen=True)
class What:
    """What a use was for, in the words of the report; a free one is left out unless asked for."""

    feature: str
    name: str
    action: str
    user: str = ""
    is_request: bool = True
    is_free: bool = False


@dataclass(frozen=True)
class Bought:
    id: object
    at: datetime
    amount: Decimal
    first: date
    last: date
    lot_id: object


def usage(model: ReferenceLedger, zone: ZoneInfo, *, has_free: bool) -> bytes:
    uses = sorted(
        (one.after, one.amount == 0, one.at, id, one)
        for id, one in model.charges.items()
        if has_free or not one.what.is_free
    )
    return _file(USAGE, [_usage_line(one, zone) for *_, one in uses])


def _usage_line(one, zone) -> list[str]:
    what = one.what
    return [
        one.at.astimezone(zone).isoformat(timespec="seconds"),
        what.feature,
        # A spreadsheet would run it.
        f"'{what.name}" if what.name.startswith("=") else what.name,
        what.action,
        "",
        what.user,
        _amount(one.amount),
        f"Calls: 0, Emails: {one.emails}, Web searches: 0",
        "1" if what.is_request else "",
    ]


def balance(model: ReferenceLedger, zone: ZoneInfo) -> bytes:
    return _file(
        BALANCE,
        [
            [
                line.at.astimezone(zone).date().isoformat(),
                *METHODS[line.kind],
                _amount(abs(line.amount)),
                _amount(line.before),
                _amount(line.after),
            ]
            for line in model.log
        ],
    )


def purchases(model: ReferenceLedger, bought: list[Bought], zone: ZoneInfo) -> bytes:
    return _file(
        PURCHASES,
        [
            [
                one.at.astimezone(zone).isoformat(timespec="seconds"),
                _amount(one.amount),
                one.first.isoformat(),
                one.last.isoformat(),
                _amount(model.lots[one.lot_id].remaining),
            ]
            for one in sorted(bought, key=lambda one: (one.at, one.id))
        ],
    )


def _amount(amount: Decimal) -> str:
    """All places that are not zero, at least one."""
    whole, _, places = f"{amount:.3f}".partition(".")
    return f"{whole}.{places[0]}{places[1:].rstrip('0')}"


def _file(header: str, lines: list[list[str]]) -> bytes:
    rows = [header, *(",".join(map(_cell, line)) for line in lines)]
    return "".join(f"{row}\r\n" for row in rows).encode()


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text
