"""What the machine compares: a company's rows as the reference would have them."""

from __future__ import annotations

import json
from datetime import UTC
from decimal import Decimal

from django.db import connection

from credits import reconciliation


def check_books(company_id):
    breaches = reconciliation.check(company_id=company_id)
    assert not breaches, [str(breach) for breach in breaches]


def read(company_id, seen_count):
    """Return lots, reservations and the log after so many lines, in one round trip."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"company": company_id, "seen": seen_count})
        lots, states, log = (json.loads(found, parse_float=Decimal) for found in cursor.fetchone())
    return (
        {
            id: (*map(Decimal, figures), priority, is_open, *dates)
            for id, figures, priority, is_open, *dates in lots
        },
        dict(states),
        [
            (kind, Decimal(amount), Decimal(before), Decimal(after), at, cause, draws)
            for kind, amount, before, after, at, cause, draws in log
        ],
    )


# Text, so that no figure goes through a float.
_READ = """
    SELECT
        (SELECT coalesce(json_agg(json_build_array(id, json_build_array(remaining::text, held::text,
                        voided::text, corrected_down::text),
                    priority, is_open, ledger_instant_text(effective_at),
                    ledger_instant_text(expires_at), ledger_instant_text(granted_at),
                    ledger_instant_text(expired_at))), '[]')::text
           FROM credits_creditgrant WHERE company_id = %(company)s),
        (SELECT coalesce(json_agg(json_build_array(id, state)), '[]')::text
           FROM credits_reservation WHERE company_id = %(company)s),
        (SELECT coalesce(json_agg(json_build_array(kind, amount::text, balance_before::text,
                    balance_after::text, ledger_instant_text(occurred_at), cause,
                    (SELECT json_agg(json_build_array(grant_id, amount::text) ORDER BY id)
                       FROM credits_drawdown WHERE entry_id = e.id)) ORDER BY sequence), '[]')::text
           FROM credits_ledgerentry e WHERE company_id = %(company)s AND sequence > %(seen)s)
"""


def row_of(lot):
    figures = (lot.remaining, lot.held, lot.voided, lot.corrected_down)
    dates = (lot.effective_at, lot.expires_at, lot.granted_at, lot.expired_at)
    return (*figures, lot.priority, lot.is_open, *(_text(at) if at else "" for at in dates))


def line_of(line):
    draws = [[str(id), f"{amount:.3f}"] for id, amount in line.draws]
    return (line.kind, line.amount, line.before, line.after, _text(line.at), line.cause, draws)


def _text(instant):
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
