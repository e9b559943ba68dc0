"""The admin pages of credits; importing this registers them."""

from credits.admin import companies, exports, grants, jobs, ledger, people, rates

__all__ = ["companies", "exports", "grants", "jobs", "ledger", "people", "rates"]
