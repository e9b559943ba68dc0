"""The admin pages of credits; importing this registers them."""

from credits.admin import companies, grants, jobs, ledger, people, rates

__all__ = ["companies", "grants", "jobs", "ledger", "people", "rates"]
