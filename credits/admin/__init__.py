"""The admin pages of credits; importing this registers them."""

from credits.admin import audit, companies, grants, jobs, ledger, people, rates

__all__ = ["audit", "companies", "grants", "jobs", "ledger", "people", "rates"]
