"""The admin pages of credits; importing this registers them."""

from credits.admin import api_keys, audit, companies, exports, grants, jobs, ledger, people, rates

__all__ = [
    "api_keys",
    "audit",
    "companies",
    "exports",
    "grants",
    "jobs",
    "ledger",
    "people",
    "rates",
]
