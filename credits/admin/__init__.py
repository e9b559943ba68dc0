"""The admin pages of credits; importing this registers them."""

from credits.admin import api_keys, companies, exports, grants, jobs, ledger, people, rates

__all__ = ["api_keys", "companies", "exports", "grants", "jobs", "ledger", "people", "rates"]
