"""Ids as clients of this API know them: numbers of up to 20 digits, written as strings.

Our rows have UUIDs. The number of a row is the lower 62 bits of its UUID, all of them chance, so
that it never changes and names the row without a table of its own. A call that came with such a
number as its external id keeps that one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from uuid import UUID

from credits.models import Company
from trackers.models import Conversation, Participant
from trackers.models.conversations import uuid_tail

NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
BITS = 62
# The last 64 bits of a UUID, its tail, begin with the two bits of its variant.
VARIANT = 0b10 << BITS


def of(key: UUID) -> str:
    """Return the number of a row."""
    return str(key.int & (2**BITS - 1))


def of_text(text: str) -> str:
    """Return the number of what has no UUID; the same for the same text."""
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 64 - BITS)


def workspace(company: Company) -> str:
    """Return the number of a company's one workspace."""
    return of_text(f"workspace {company.pk}")


def call(conversation: Conversation) -> str:
    """Return the number of a call: that under which it came in, if it was one."""
    if NUMBER.fullmatch(conversation.external_id):
        return conversation.external_id
    return of(conversation.pk)


def participant(conversation_id: UUID, external_id: str) -> str:
    """Return the number of who speaks in a call; nobody else there has it."""
    if NUMBER.fullmatch(external_id):
        return external_id
    return of_text(f"{conversation_id} {external_id}")


def party(one: Participant) -> str:
    """Return the number of who took part as a party: that under which they came in, if it was one.

    Who came without another id than the speaker's has the same number as one.
    """
    return participant(one.conversation_id, one.party_id or one.external_id)


def calls_named(numbers: Iterable[str], *, company: Company) -> list[UUID]:
    """Return the ids of a company's calls with these numbers; those that name none are left out.

    An external id is found by its index, and so is what no external id is
    (``conversation_by_number``).
    """
    asked = {number for number in numbers if NUMBER.fullmatch(number)}
    mine = Conversation.objects.filter(company=company)
    by_external_id = dict(
        mine.filter(external_id__in=asked).values_list("external_id", "pk").order_by()
    )
    tails = [_tail(number) for number in asked - by_external_id.keys() if int(number) < 2**BITS]
    derived = (
        mine.annotate(tail=uuid_tail())
        .filter(tail__in=tails)
        .exclude(external_id__regex=r"^[0-9]{1,20}$")
        .values_list("pk", flat=True)
        if tails
        else []
    )
    return [*by_external_id.values(), *derived]


def _tail(number: str) -> str:
    digits = f"{VARIANT | int(number):016x}"
    return f"{digits[:4]}-{digits[4:]}"
