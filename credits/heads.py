"""The heads of the chains of hashes: one line for each company, to be kept outside the database.

A hand that owns the database can rewrite every row of a chain to its end. It cannot rewrite a copy
of the head that lies elsewhere: the entry that was the last one must still have that hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from credits.models import CreditPool, LedgerEntry
from credits.reconciliation import Breach

FIELD_COUNT = 4
HASH_LENGTH = 64


class NotAHead(Exception):
    """This is no line that “ledger_heads” printed; check the file."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Line {number} is not one that “ledger_heads” printed; check the file.")


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a company's ledger: 0 and zeros before the first."""

    company_id: int
    slug: str
    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.company_id} {self.slug} {self.sequence} {self.hash}"


def of_all() -> list[Head]:
    """Return the head of every company, by its id."""
    pools = CreditPool.objects.select_related("company").order_by("pk")
    return [
        Head(pool.pk, pool.company.slug, pool.sequence, bytes(pool.last_hash).hex())
        for pool in pools
    ]


def read(lines: Iterable[str]) -> Iterator[Head]:
    """Read what was printed; empty lines and those that begin with # are passed over.

    :raises NotAHead: for any other line, naming its number.
    """
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        if len(fields) != FIELD_COUNT or not (
            fields[0].isdecimal() and fields[2].isdecimal() and _is_hash(fields[3])
        ):
            raise NotAHead(number)
        yield Head(int(fields[0]), fields[1], int(fields[2]), fields[3])


def breaches(kept: Iterable[Head], *, company_id: int | None = None) -> list[Breach]:
    """Return where the ledgers do not continue the heads that were kept."""
    mine = [head for head in kept if company_id in (None, head.company_id)]
    hashes = {
        (entry.company_id, entry.sequence): bytes(entry.hash).hex()
        for entry in LedgerEntry.objects.filter(
            sequence__in={head.sequence for head in mine},
            company__in={head.company_id for head in mine},
        ).only("company_id", "sequence", "hash")
    }
    known = set(CreditPool.objects.values_list("pk", flat=True))
    found = []
    for head in mine:
        subject, now = f"entry #{head.sequence}", hashes.get((head.company_id, head.sequence))
        if head.company_id not in known:
            detail = f"company {head.slug} was kept as a head, and is gone"
        elif head.sequence == 0 or now == head.hash:
            continue
        elif now is None:
            detail = "was the last one when the heads were kept, and is gone"
        else:
            detail = f"has the hash {now[:16]}…, kept was {head.hash[:16]}…"
        found.append(Breach("HEAD", head.company_id, subject, detail))
    return found


def _is_hash(text: str) -> bool:
    return len(text) == HASH_LENGTH and not set(text) - set("0123456789abcdef")
