"""Exports for tests: a company with some use, and a report of it asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from credits import charging, exports
from credits.ledger import Use
from credits.models import Company, ExportJob, User
from credits.rating import Work
from credits.reports.base import DayRange
from credits.reports.registry import Choice
from tests.support import people

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def company_with_use(*, count: int = 3, name: str = "Acme") -> Company:
    """Return a company that charged one e-mail ``count`` times."""
    company = people.company(name)
    people.credits_for(company, "1000")
    for _ in range(count):
        charging.charge(
            company=company,
            use=Use("ASK", "Ask anything", None, "API_REQUEST"),
            work=Work(emails_with_text=1, request_count=1),
            rates=people.rates(),
        )
    return company


def asked_for(
    company: Company,
    by: User,
    *,
    report: str = "credit-usage",
    file_format: str = "csv",
    row_count: int = 3,
    now: datetime = NOW,
) -> ExportJob:
    choice = Choice(report=report, days=DayRange(), file_format=file_format)
    return exports.request(
        company=company,
        choice=choice,
        row_count=row_count,
        by=by,
        now=now,
        address="http://testserver{}".format,
    )
