"""Row locks that Django's ORM does not know.

Lock order everywhere: the company, parents (backfill, tracker) by id, then work rows by id, then
the ledger's pool, which the ledger's own functions lock (DESIGN §3).
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, models

from credits.companies import CompanyClosed
from credits.models import Company


def share(model: type[models.Model], ids: Iterable[UUID | int]) -> None:
    """Keep rows from being changed until the transaction ends; others may share them too."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {model._meta.db_table} WHERE id = ANY(%s) ORDER BY id FOR SHARE",
            [list(ids)],
        )


def hold(model: type[models.Model], ids: Iterable[UUID | int | None]) -> None:
    """Keep rows from being changed or shared by others until the transaction ends."""
    rows = model._default_manager.filter(pk__in=[one for one in ids if one is not None])
    list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def keep_open(company_id: int) -> None:
    """Keep a company from being closed until the transaction ends; others may do so too.

    :raises CompanyClosed: it is closed already.
    """
    share(Company, [company_id])
    company = Company.objects.get(pk=company_id)
    if company.closed_at is not None:
        raise CompanyClosed(company)


def queue_for(name: str) -> None:
    """Wait until no other transaction has this name, and have it until this one ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
