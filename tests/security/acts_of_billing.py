"""What people decide about companies, contracts, seats and purchases."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from billing import allocations
from billing.models import Contract, Purchase
from credits import api_keys
from credits.models import Company, Membership
from tests.security.acting import World, act, agreed, url
from tests.support import contracts, people

REASON = "Ordered twice by mistake"
DAYS = {"starts_on": "2026-01-01", "ends_on": "2199-12-31"}


def today() -> date:
    return timezone.now().date()


def terms(**changes: str) -> dict[str, str]:
    return {
        "starts_on": (today() - timedelta(days=9)).isoformat(),
        "period": "YEAR",
        "introductory_days": "90",
        "purchase_months": "12",
    } | changes


SEATS = {"seat_name": "Seat", "seat_count": "12", "seat_credits": "2000"}
ADMIN = {"admin_email": "dana@initech.example", "admin_name": "Dana"}


# Companies


@act("admin:credits_company_add", "OPENED", "INVITED", "ADDED", "ADDED", "LINK_MADE")
def open_company(world: World, _: Any) -> Any:
    company = {"name": "Initech", "slug": "initech", "time_zone": "UTC"}
    return agreed(world.as_vera, url("credits_company_add"), **company, **terms(), **SEATS, **ADMIN)


def _with_a_key_and_an_order(world: World) -> Company:
    contracts.requested(world.acme, world.alice)
    api_keys.create(
        company=world.acme,
        name="CRM",
        scopes=["balance:read"],
        by=world.alice,
        now=timezone.now(),
    )
    return world.acme


@act(
    "admin:credits_company_close",
    "CANCELLED",
    "REVOKED",
    "CLOSED",
    prepare=_with_a_key_and_an_order,
)
def close_company(world: World, company: Company) -> Any:
    return agreed(world.as_vera, url("credits_company_close", company.pk), reason=REASON)


@act("admin:credits_company_zone", "CHANGED")
def change_zone(world: World, _: Any) -> Any:
    address = url("credits_company_zone", world.acme.pk)
    return agreed(world.as_vera, address, time_zone="Pacific/Pago_Pago", reason=REASON)


@act(
    "admin:credits_company_invite",
    "LINK_MADE",
    prepare=lambda world: people.newcomer(world.acme).memberships.get(),
)
def invite_again(world: World, newcomer: Membership) -> Any:
    return world.as_vera.post(url("credits_company_invite", world.acme.pk, newcomer.pk))


# Contracts and seats


@act("admin:billing_contract_add", "ADDED", "ADDED")
def agree(world: World, _: Any) -> Any:
    return agreed(world.as_vera, url("billing_contract_add"), **terms(), **SEATS)


def _contract(world: World) -> Contract:
    first = today() - timedelta(days=9)
    contracts.seated(world.acme, first.isoformat(), 10, period="YEAR")
    return Contract.objects.get(company=world.acme)


@act("admin:billing_contract_terms", "CHANGED", prepare=_contract)
def change_terms(world: World, contract: Contract) -> Any:
    changed = terms(approval_limit="50000")
    return agreed(world.as_vera, url("billing_contract_terms", contract.pk), **changed)


@act("admin:billing_contract_seats", "ADDED", prepare=_contract)
def record_seats(world: World, contract: Contract) -> Any:
    counted = SEATS | {"effective_on": today().isoformat()}
    return agreed(world.as_vera, url("billing_contract_seats", contract.pk), **counted)


def _owing(world: World) -> Contract:
    contract = _contract(world)
    allocations.run(company=world.acme, now=timezone.now())
    kind = world.acme.seat_types.get()
    contracts.count(kind, 12, contract.starts_on.isoformat(), by=world.vera, now=timezone.now())
    return contract


@act("admin:billing_contract_top-up", "GRANTED", prepare=_owing)
def top_up(world: World, contract: Contract) -> Any:
    return agreed(world.as_vera, url("billing_contract_top-up", contract.pk), reason=REASON)


# Purchases


@act("admin:billing_purchase_request", "REQUESTED")
def request_credits(world: World, _: Any) -> Any:
    return agreed(world.as_alice, url("billing_purchase_request"), amount="500")


@act("admin:billing_purchase_add", "REQUESTED", "APPROVED", "FULFILLED")
def record_order(world: World, _: Any) -> Any:
    order = DAYS | {"amount": "500", "order_reference": "PO-7"}
    return agreed(world.as_vera, url("billing_purchase_add"), **order)


@act(
    "admin:billing_purchase_approve",
    "APPROVED",
    prepare=lambda world: contracts.requested(world.acme, world.alice),
)
def approve(world: World, purchase: Purchase) -> Any:
    return agreed(world.as_vera, url("billing_purchase_approve", purchase.pk))


@act(
    "admin:billing_purchase_fulfil",
    "FULFILLED",
    prepare=lambda world: contracts.approved(world.acme, world.vera),
)
def fulfil(world: World, purchase: Purchase) -> Any:
    return agreed(world.as_vera, url("billing_purchase_fulfil", purchase.pk), **DAYS)


@act(
    "admin:billing_purchase_cancel",
    "CANCELLED",
    prepare=lambda world: contracts.requested(world.acme, world.alice),
)
def cancel(world: World, purchase: Purchase) -> Any:
    return agreed(world.as_vera, url("billing_purchase_cancel", purchase.pk), reason=REASON)


@act(
    "admin:billing_purchase_void",
    "REVERSED",
    prepare=lambda world: contracts.fulfilled(world.acme, world.vera),
)
def reverse(world: World, purchase: Purchase) -> Any:
    return agreed(world.as_vera, url("billing_purchase_void", purchase.pk), reason=REASON)
