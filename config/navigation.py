"""The sidebar: what the product consists of, each item for those who may open it (UX §2.1)."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.module_loading import import_string

from credits import shown
from credits.current_company import scope_of
from credits.roles import Act

VENDOR = "vendor"
COMPANY = "company"


class Item(NamedTuple):
    """One page; ``only_for`` shows it to one side where the two find it in different groups.

    ``badge`` is the dotted path of a function of the request that counts what waits there.
    """

    title: str
    icon: str
    url_name: str
    act: Act
    only_for: str = ""
    badge: str = ""


class Group(NamedTuple):
    title: str
    items: tuple[Item, ...]


def _list(title: str, icon: str, model: str, act: Act, only_for: str = "") -> Item:
    return Item(title, icon, f"admin:{model}_changelist", act, only_for)


GROUPS = (
    Group(
        "Overview",
        (
            Item("Credits", "monitoring", "admin:credits_page", Act.VIEW_CREDITS),
            _list("Suggestions", "lightbulb", "trackers_suggestion", Act.VIEW_TRACKERS),
            _list("Alerts", "notifications", "credits_alert", Act.VIEW_LEDGER),
            Item("Guide to credits", "menu_book", "admin:credits_guide", Act.VIEW_CREDITS),
        ),
    ),
    Group(
        "Trackers",
        (
            _list("AI trackers", "track_changes", "trackers_tracker", Act.VIEW_TRACKERS),
            _list("Results", "fact_check", "trackers_scan", Act.VIEW_RESULTS),
            _list("Backfills", "history", "trackers_backfill", Act.VIEW_TRACKERS),
            Item(
                "Waiting for credits",
                "hourglass_top",
                "admin:trackers_waiting",
                Act.VIEW_TRACKERS,
                badge="trackers.waiting.badge",
            ),
        ),
    ),
    Group(
        "Ask and briefs",
        (
            Item("Ask anything", "contact_support", "admin:trackers_askrequest_ask", Act.ASK),
            _list("Questions", "question_answer", "trackers_askrequest", Act.VIEW_CONVERSATIONS),
            _list("Briefs", "summarize", "trackers_brief", Act.VIEW_BRIEFS),
            _list("Brief runs", "article", "trackers_briefrun", Act.VIEW_BRIEFS),
        ),
    ),
    Group(
        "Conversations",
        (
            _list("Conversations", "forum", "trackers_conversation", Act.VIEW_CONVERSATIONS),
            _list("Imports", "upload_file", "trackers_importupload", Act.IMPORT_CONVERSATIONS),
            _list("Accounts", "domain", "trackers_customeraccount", Act.VIEW_CONVERSATIONS),
            _list("Deals", "handshake", "trackers_deal", Act.VIEW_CONVERSATIONS),
            _list("Contacts", "contacts", "trackers_contact", Act.VIEW_CONVERSATIONS),
            _list("Teams", "groups", "trackers_team", Act.VIEW_CONVERSATIONS),
            _list("Team members", "badge", "trackers_teammember", Act.VIEW_CONVERSATIONS),
        ),
    ),
    Group(
        "Reports",
        (
            Item("Credit reports", "download", "admin:credits_reports", Act.EXPORT_REPORTS),
            _list("Export jobs", "pending_actions", "credits_exportjob", Act.EXPORT_REPORTS),
            _list("Usage", "data_usage", "credits_usageevent", Act.VIEW_LEDGER),
            _list("Ledger", "receipt_long", "credits_ledgerentry", Act.VIEW_LEDGER),
            _list("Drawdowns", "call_split", "credits_drawdown", Act.VIEW_LEDGER),
            _list("Grants", "savings", "credits_creditgrant", Act.VIEW_LEDGER),
            _list("Reservations", "lock_clock", "credits_reservation", Act.VIEW_LEDGER),
            _list("Rate cards", "sell", "credits_ratecard", Act.VIEW_RATES, COMPANY),
            # A company's own; so that its people have seven groups too.
            _list("Audit trail", "policy", "credits_auditevent", Act.VIEW_AUDIT, COMPANY),
        ),
    ),
    Group(
        "Contract",
        (
            _list("Contract", "contract", "billing_contract", Act.VIEW_BILLING, COMPANY),
            _list("Seats", "event_seat", "billing_seatcount", Act.VIEW_BILLING, COMPANY),
            _list("Allocations", "event_repeat", "billing_allocation", Act.VIEW_BILLING, COMPANY),
            _list("Purchases", "shopping_cart", "billing_purchase", Act.VIEW_BILLING, COMPANY),
        ),
    ),
    Group(
        "Integrations",
        (
            _list("API keys", "key", "credits_apikey", Act.MANAGE_KEYS),
            _list("Limits", "speed", "credits_spendinglimit", Act.VIEW_LIMITS, COMPANY),
            _list("MCP clients", "smart_toy", "credits_integration", Act.MANAGE_KEYS),
            _list("Language model", "psychology", "trackers_llmattempt", Act.VIEW_LLM, COMPANY),
        ),
    ),
    Group(
        "Vendor",
        (
            _list("Companies", "apartment", "credits_company", Act.VIEW_COMPANIES),
            _list("Contracts", "contract", "billing_contract", Act.VIEW_BILLING, VENDOR),
            _list("Seats", "event_seat", "billing_seatcount", Act.VIEW_BILLING, VENDOR),
            _list("Allocations", "event_repeat", "billing_allocation", Act.VIEW_BILLING, VENDOR),
            Item(
                "Purchases",
                "shopping_cart",
                "admin:billing_purchase_changelist",
                Act.VIEW_BILLING,
                VENDOR,
                badge="billing.links.to_approve",
            ),
            _list("People", "person", "credits_user", Act.VIEW_COMPANIES),
            _list("Memberships", "group_add", "credits_membership", Act.VIEW_COMPANIES),
            _list("Rate cards", "sell", "credits_ratecard", Act.VIEW_RATES, VENDOR),
            _list("Limits", "speed", "credits_spendinglimit", Act.VIEW_LIMITS, VENDOR),
        ),
    ),
    Group(
        "System",
        (
            _list("Audit trail", "policy", "credits_auditevent", Act.VIEW_AUDIT, VENDOR),
            _list("Language model", "psychology", "trackers_llmattempt", Act.VIEW_LLM, VENDOR),
            _list("Jobs & schedule", "schedule", "credits_jobrun", Act.VIEW_SCHEDULE),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return Unfold's navigation for this person: no group without an item they may open."""
    links = {
        group.title: [link for item in group.items if (link := _link(item, request)) is not None]
        for group in GROUPS
    }
    here = _here(request.path, [link["link"] for items in links.values() for link in items])
    return [
        {"title": title, "items": [link | {"active": link["link"] == here} for link in items]}
        for title, items in links.items()
        if items
    ]


def environment(request: HttpRequest) -> tuple[str, str] | None:
    """Return the badge every page shows in a closed company, or while its figures are made up."""
    scope = scope_of(request)
    if scope.company is not None and scope.company.closed_at is not None:
        return ("Closed", "danger")
    shown = scope.choices if scope.company is None else (scope.company,)
    return ("Demo data", "warning") if any(company.is_demo for company in shown) else None


def stylesheet(request: HttpRequest) -> str:
    """Return the address of our own style sheet, which every page loads."""
    return static("credits/pages.css")


def script(request: HttpRequest) -> str:
    """Return the address of our own script, which every page loads."""
    return static("credits/labels.js")


def icon(request: HttpRequest) -> str:
    """Return the address of the picture in the browser's tab."""
    return static("credits/icon.svg")


def _link(item: Item, request: HttpRequest) -> dict[str, Any] | None:
    scope = scope_of(request)
    side = VENDOR if scope.is_vendor else COMPANY
    if not scope.may(item.act) or item.only_for not in ("", side):
        return None
    url = shown.page_address(item.url_name)
    if url is None:
        return None
    link = {
        "title": item.title.replace("&", "&amp;"),
        "icon": item.icon,
        "link": url,
    }
    if item.badge and (count := import_string(item.badge)(request)):
        link["badge"] = f"{count:,}"
    return link


def _here(path: str, urls: list[str]) -> str | None:
    """Return the address of the item a page belongs to: of several it is under, the longest.

    The credits page is the index too, but no page under its address is part of it.
    """
    credits_page = shown.page_address("admin:credits_page")
    if path in (credits_page, shown.page_address("admin:index")):
        return credits_page
    above = [url for url in urls if url != credits_page and path.startswith(url)]
    return max(above, key=len, default=None)
