"""Change the books as a hand with the table owner's rights can: past every guard."""

from __future__ import annotations

from django.db import connection

from credits.models import Correction, CreditGrant, LedgerEntry, UsageEvent

CHANGED = (
    "was changed after it was written, or its grant's terms or its use were: "
    "its hash does not follow"
)


def corrupt(company, *statements: str) -> dict:
    """Change rows as the tables' owner, with triggers and foreign keys off; return their names."""
    names = {"company": company.pk}
    for grant in CreditGrant.objects.filter(company=company):
        names[grant.reference.lower()] = grant.pk
    for correction in Correction.objects.filter(company=company):
        names[f"c_{correction.kind.lower()}"] = correction.pk
    for entry in LedgerEntry.objects.filter(company=company):
        names[f"e{entry.sequence}"] = entry.pk
    for event in UsageEvent.objects.filter(company=company, entry__isnull=False):
        names[f"u{event.after_sequence}"] = event.pk
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for one in statements:
            cursor.execute(one.format(**names))
        cursor.execute("SET LOCAL session_replication_role = origin")
    return names


def entry(number: int, change: str) -> str:
    return f"UPDATE credits_ledgerentry SET {change} WHERE id = {{e{number}}}"


def lasting(change: str) -> str:
    return f"UPDATE credits_creditgrant SET {change} WHERE id = '{{lasting}}'"


def pool(change: str) -> str:
    return f"UPDATE credits_creditpool SET {change} WHERE company_id = {{company}}"


def without(table: str, constraint: str) -> str:
    return f"ALTER TABLE credits_{table} DROP CONSTRAINT {constraint}"
