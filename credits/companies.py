"""Open companies: a tenant and its pool are made together."""

from __future__ import annotations

from django.db import transaction

from credits import ledger
from credits.models import Company


class CompanyClosed(Exception):
    """The company is closed: nothing is bought, granted or used in it any more."""

    def __init__(self, company: Company) -> None:
        self.company = company
        super().__init__(f"{company} is closed; nothing is added or used there any more.")


def refuse_closed(company: Company, answer: ledger.Outcome) -> None:
    """Check what the ledger answered: it adds and uses nothing in a closed company.

    :raises CompanyClosed: nothing was added or used.
    """
    if answer.outcome == "CLOSED":
        raise CompanyClosed(company)


def open_company(*, name: str, slug: str, time_zone: str, is_demo: bool = False) -> Company:
    """Make a company with an empty pool, and return it.

    :raises ValidationError: for a slug that is taken or malformed, or an unknown time zone.
    """
    company = Company(name=name, slug=slug, time_zone=time_zone, is_demo=is_demo)
    company.full_clean()
    with transaction.atomic():
        company.save()
        ledger.open_pool(company_id=company.pk)
    return company
