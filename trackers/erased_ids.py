"""What stands for the external id of an erased conversation: a digest that only we can make.

An id may itself be personal (a message id holds an address), so none is kept. The digest is keyed
with random bytes of the company's own, and stands in the place of the id, where importing finds
it by the index that finds ids. Whoever has the whole database can still try whether a guessed id
is one of them; what the id was cannot be read from it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from django.db import transaction

from credits.models import Company
from trackers.models import Retention
from trackers.models.conversations import ERASED_ID_PREFIX


def digest(key: bytes, external_id: str) -> str:
    """Return what stands for an id once it is erased."""
    made = hmac.digest(key, external_id.encode(errors="surrogatepass"), "sha256")
    return f"{ERASED_ID_PREFIX}{made.hex()}"


def key_of(company: Company) -> bytes:
    """Return the company's key, made and committed when it is first needed.

    The first time it waits for the imports that are under way, which did not know of any erased
    id; those that begin afterwards do.
    """
    rule = Retention.objects.filter(company=company).first()
    if rule is None:
        with transaction.atomic():
            Company.objects.select_for_update(no_key=True).get(pk=company.pk)
            rule, _ = Retention.objects.get_or_create(company=company)
    return bytes(rule.erasure_key)


def digests(company: Company, external_ids: Iterable[str]) -> dict[str, str]:
    """Return ids by their digests; nothing for a company that has never erased anything."""
    rule = Retention.objects.filter(company=company).first()
    if rule is None:
        return {}
    key = bytes(rule.erasure_key)
    return {digest(key, external_id): external_id for external_id in external_ids}
