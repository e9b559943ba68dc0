"""The CRM's ids of accounts, deals, contacts and leads: whose they are, and who is given one.

An id is one row's in a company and of a kind. It says which row is meant, whatever the row is
called by now; a row keeps the first id that it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models


def taken(model: type[models.Model], *, company_id: int, ids: Iterable[str]) -> set[str]:
    """Return those of the ids that a row of the company has; asks nothing where there are none."""
    wanted = list(set(ids) - {""})
    if not wanted:
        return set()
    rows = model._default_manager.filter(company=company_id, external_id__in=wanted)
    return set(rows.values_list("external_id", flat=True))


def give(model: type[models.Model], *, company_id: int, ids: Mapping[Any, str]) -> None:
    """Give rows, by primary key, the ids that they have not, unless another row has them.

    The caller lets nobody else give ids of the company until its transaction ends.
    """
    wanted = {pk: key for pk, key in ids.items() if key}
    if not wanted:
        return
    known = taken(model, company_id=company_id, ids=wanted.values())
    rows: Any = model._default_manager.filter(pk__in=list(wanted), external_id="")
    given = []
    for row in rows.select_for_update(no_key=True).order_by("pk"):
        if wanted[row.pk] not in known:
            row.external_id = wanted[row.pk]
            known.add(row.external_id)
            given.append(row)
    model._default_manager.bulk_update(given, ["external_id"], batch_size=1000)
