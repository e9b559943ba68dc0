"""Who may do what: the roles of SPEC §1 as data.

A person's standing comes from the vendor's groups or from the membership in the current company.
Pages, actions and the API ask for an act, never for a role.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from credits.models import Role, User

VENDOR_STAFF_GROUP = "Vendor staff"
VENDOR_AUDITOR_GROUP = "Vendor auditor"


class Act(StrEnum):
    """Something a person may be allowed to do."""

    VIEW_CREDITS = "see the credits page"
    VIEW_LEDGER = "see the ledger, usage and grants"
    EXPORT_REPORTS = "download credit reports"
    CANCEL_EXPORTS = "cancel an export that somebody else asked for"
    VIEW_RATES = "see the rate card"
    VIEW_TRACKERS = "see trackers"
    EDIT_TRACKERS = "change, publish and backfill trackers"
    VIEW_CONVERSATIONS = "see conversations"
    IMPORT_CONVERSATIONS = "import conversations"
    ERASE_CONVERSATIONS = "erase conversations and set their retention"
    VIEW_RESULTS = "see results"
    VIEW_BRIEFS = "see briefs and what they said"
    EDIT_BRIEFS = "change, publish and run briefs"
    ASK = "ask about accounts, deals and people"
    SWITCH_REUSE = "switch answer reuse"
    VIEW_LLM = "see what the language model was asked for"
    SWITCH_LLM = "switch the language model on or off"
    TEST_LLM = "test the connection to the language model"
    VIEW_AUDIT = "see the audit trail"
    VIEW_SCHEDULE = "see scheduled jobs"
    GRANT_CREDITS = "grant credits"
    CORRECT_CREDITS = "cancel, void, adjust and refund credits"
    EDIT_RATES = "set rates"
    VIEW_COMPANIES = "see companies and people"
    EDIT_COMPANIES = "open and close companies and manage people"
    VIEW_BILLING = "see the contract, allocations and purchases"
    REQUEST_CREDITS = "request more credits"
    SELL_CREDITS = "record, fulfil, cancel and reverse purchases"
    APPROVE_PURCHASES = "approve purchases"
    EDIT_CONTRACTS = "set contracts and seats"
    MANAGE_KEYS = "make, replace and revoke API keys"
    VIEW_LIMITS = "see limits and how much of them is used"
    SET_LIMITS = "set and end limits"


class Standing(StrEnum):
    """Where a person's permissions come from."""

    VENDOR_STAFF = "Vendor staff"
    VENDOR_AUDITOR = "Vendor auditor"
    TECH_ADMIN = "Tech admin"
    BUSINESS_ADMIN = "Business admin"
    VIEWER = "Viewer"


_READ = frozenset(act for act in Act if act.name.startswith("VIEW_"))
_VIEWER = frozenset({Act.VIEW_CREDITS, Act.VIEW_RESULTS})
_BUSINESS_ADMIN = _VIEWER | {
    Act.VIEW_LEDGER,
    Act.EXPORT_REPORTS,
    Act.CANCEL_EXPORTS,
    Act.VIEW_RATES,
    Act.VIEW_TRACKERS,
    Act.EDIT_TRACKERS,
    Act.VIEW_BRIEFS,
    Act.EDIT_BRIEFS,
    Act.VIEW_CONVERSATIONS,
    Act.IMPORT_CONVERSATIONS,
    Act.ERASE_CONVERSATIONS,
    Act.ASK,
    Act.VIEW_BILLING,
    Act.REQUEST_CREDITS,
    Act.VIEW_AUDIT,
    Act.VIEW_LIMITS,
    Act.VIEW_LLM,
}

MATRIX: dict[Standing, frozenset[Act]] = {
    Standing.VENDOR_STAFF: _READ
    | {
        Act.EXPORT_REPORTS,
        Act.CANCEL_EXPORTS,
        Act.GRANT_CREDITS,
        Act.CORRECT_CREDITS,
        Act.EDIT_RATES,
        Act.EDIT_COMPANIES,
        Act.SELL_CREDITS,
        Act.APPROVE_PURCHASES,
        Act.EDIT_CONTRACTS,
        Act.TEST_LLM,
    },
    Standing.VENDOR_AUDITOR: _READ | {Act.EXPORT_REPORTS},
    # Keys, limits, and what programs get, set a tech admin apart; the vendor makes none that act as
    # a company.
    Standing.TECH_ADMIN: _BUSINESS_ADMIN
    | {
        Act.MANAGE_KEYS,
        Act.SET_LIMITS,
        Act.SWITCH_REUSE,
        Act.SWITCH_LLM,
        Act.TEST_LLM,
    },
    Standing.BUSINESS_ADMIN: _BUSINESS_ADMIN,
    Standing.VIEWER: _VIEWER,
}

# What stays possible in a closed company: to read, what concerns no single company, and to erase.
POSSIBLE_WHEN_CLOSED = _READ | {
    Act.EXPORT_REPORTS,
    Act.EDIT_RATES,
    Act.EDIT_COMPANIES,
    Act.ERASE_CONVERSATIONS,
    Act.TEST_LLM,
}

_STANDING_OF_ROLE = {
    Role.TECH_ADMIN: Standing.TECH_ADMIN,
    Role.BUSINESS_ADMIN: Standing.BUSINESS_ADMIN,
    Role.VIEWER: Standing.VIEWER,
}


def vendor_standing(user: User, groups: Collection[str] | None = None) -> Standing | None:
    """Return a vendor person's standing; None for people of a company.

    ``groups`` are the names of the person's groups; asked for when they are not given.
    """
    if user.is_superuser:
        return Standing.VENDOR_STAFF
    if groups is None:
        groups = user.groups.values_list("name", flat=True)
    if VENDOR_STAFF_GROUP in groups:
        return Standing.VENDOR_STAFF
    if VENDOR_AUDITOR_GROUP in groups:
        return Standing.VENDOR_AUDITOR
    return None


def standing_of(role: str) -> Standing:
    """Return the standing that a role in a company gives there."""
    return _STANDING_OF_ROLE[Role(role)]


def may_as_vendor(user: User, act: Act) -> bool:
    """Tell whether a person may do an act as the vendor's, as the database has them now."""
    current = User.objects.filter(pk=user.pk, is_active=True).first()
    standing = None if current is None else vendor_standing(current)
    return standing is not None and act in MATRIX[standing]
