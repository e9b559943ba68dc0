"""Open companies: a tenant and its pool are made together."""

from __future__ import annotations

from django.db import transaction

from credits import ledger
from credits.models import Company


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
