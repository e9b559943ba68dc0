"""What the vendor's page of one company gives its template: panels, and the acts there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from billing import company_page
from billing.admin import zoning
from billing.admin.purchase_states import state_of
from billing.company_page import CompanyPage
from credits import grant_timeline, shown
from credits.admin import audit
from credits.current_company import Scope, scope_of
from credits.models import Company, Membership
from credits.roles import Act

CHART, TABLE = VIEWS = ("chart", "table")
NOT_SIGNED_IN_MAX = 20


@dataclass(frozen=True, slots=True)
class Button:
    """An act on the company; ``is_here`` when its page opens without changing the company.

    The others are done in the current company only: their button makes this one current.
    """

    label: str
    url: str
    is_here: bool
    is_main: bool = False


def of(request: HttpRequest, company: Company) -> dict[str, Any]:
    """Return the template's context for one company, as the person may see it.

    While another company is the current one, nothing of this one's but a way to it: lists and
    pages never mix.
    """
    if not scope_of(request).covers(company.pk):
        return {"is_elsewhere": True}
    page = company_page.of(company=company, now=timezone.now())
    view = request.GET.get("view")
    return {
        "page": page,
        "state": shown.status("Closed" if company.closed_at else "Open"),
        "buttons": buttons(scope_of(request), page),
        "timeline": grant_timeline.draw(company=company, grants=page.grants, instant=page.instant),
        "timeline_caption": grant_timeline.caption(company=company, grants=page.grants),
        "timeline_view": view if view in VIEWS else CHART,
        "timeline_views": [(one.capitalize(), f"?view={one}#grants", one) for one in VIEWS],
        "purchases": [
            (one, state_of(one), one.grant and one.grant.remaining) for one in page.purchases
        ],
        "events": [_event(request, event) for event in page.events],
        "zone_ahead": zoning.sentence_of(page.change, company) if page.change else "",
        "not_signed_in": _not_signed_in(request, company),
    }


def buttons(scope: Scope, page: CompanyPage) -> list[Button]:
    """Return the acts that the person may do on the company; none on a closed one."""
    company, contract = page.company, page.contract
    if company.closed_at is not None:
        return []
    # Some pages are of the current company, the others name theirs in the address.
    is_current = scope.company is not None
    offered = [
        (Act.SELL_CREDITS, "Record purchase", reverse("admin:billing_purchase_add"), is_current),
        (Act.GRANT_CREDITS, "Grant credits", reverse("admin:credits_creditgrant_add"), is_current),
        (
            Act.CORRECT_CREDITS,
            "Adjust credits",
            reverse("admin:credits_creditgrant_adjust"),
            is_current,
        ),
        (
            Act.EDIT_CONTRACTS,
            "Record seats" if contract else "Agree a contract",
            reverse("admin:billing_contract_seats", args=[contract.pk])
            if contract
            else reverse("admin:billing_contract_add"),
            contract is not None or is_current,
        ),
        (
            Act.EDIT_COMPANIES,
            "Change the time zone",
            reverse("admin:credits_company_zone", args=[company.pk]),
            True,
        ),
        (
            Act.EDIT_COMPANIES,
            "Close the company",
            reverse("admin:credits_company_close", args=[company.pk]),
            True,
        ),
    ]
    return [
        Button(label, url, is_here, is_main=act == Act.SELL_CREDITS)
        for act, label, url, is_here in offered
        if scope.may(act)
    ]


def _event(request: HttpRequest, event: Any) -> dict[str, Any]:
    return {
        "event": event,
        "who": audit.actor_of(event),
        "kind": audit.kind_of(event),
        "label": audit.label_of(event),
        "url": audit.url_of(request, event),
    }


def _not_signed_in(request: HttpRequest, company: Company) -> list[Membership]:
    if company.closed_at is not None or not scope_of(request).may(Act.EDIT_COMPANIES):
        return []
    waiting = company.memberships.filter(user__last_login=None, user__is_active=True)
    return list(waiting.select_related("user").order_by("pk")[:NOT_SIGNED_IN_MAX])
