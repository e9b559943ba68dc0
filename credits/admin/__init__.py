"""The admin pages of credits; importing this registers them."""

from credits.admin import (
    alerts,
    api_keys,
    audit,
    companies,
    exports,
    grants,
    jobs,
    ledger,
    limits,
    people,
    rates,
)

__all__ = [
    "alerts",
    "api_keys",
    "audit",
    "companies",
    "exports",
    "grants",
    "jobs",
    "ledger",
    "limits",
    "people",
    "rates",
]
