"""Which reports there are: the setting ``CREDIT_REPORTS`` names them, so other apps add theirs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from credits.models import Company
from credits.reports.base import CreditReport, DayRange


@cache
def classes() -> tuple[type[CreditReport], ...]:
    """Return the reports in the order in which people choose from them."""
    return tuple(import_string(path) for path in settings.CREDIT_REPORTS)


def choices() -> list[tuple[str, str]]:
    """Return each report's slug and title."""
    return [(report.slug, report.title) for report in classes()]


def title_of(slug: str) -> str:
    """Return a report's title; its slug where no app offers it any more."""
    return dict(choices()).get(slug, slug)


class NoSuchReport(Exception):
    """This report is not offered any more; choose another one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person wants to download: a report by its slug, its days, and how it is written."""

    report: str
    days: DayRange
    file_format: str
    has_free_use: bool = False
    is_daily: bool = False
    has_bom: bool = False

    def report_of(self, company: Company) -> CreditReport:
        """Return the report.

        :raises NoSuchReport: no app offers it any more.
        """
        report = next((one for one in classes() if one.slug == self.report), None)
        if report is None:
            raise NoSuchReport(NoSuchReport.__doc__)
        return report(company=company, has_free_use=self.has_free_use, is_daily=self.is_daily)

    @property
    def facts(self) -> dict[str, str | bool]:
        """What the audit trail says of a file: its days and format, and what was ticked."""
        ticks = {
            "free_use": self.has_free_use,
            "daily": self.is_daily,
            "byte_order_mark": self.has_bom,
        }
        ticked = {name: True for name, is_on in ticks.items() if is_on}
        return {"days": self.days.in_words, "format": self.file_format.upper(), **ticked}

    def file_name(self, company: Company, extension: str) -> str:
        first, last = self.days.first, self.days.last
        parts = [first and str(first), last and f"to-{last}"]
        span = "-".join(part for part in parts if part) or "all"
        return f"{self.report}-{company.slug}-{span}.{extension}"
