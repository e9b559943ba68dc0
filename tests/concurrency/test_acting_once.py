"""Two submits of one form at once are one act: one answer, one entry, one line (SPEC §9, S19)."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.urls import reverse

from credits import idempotency, reconciliation
from credits.ledger import Key
from credits.models import AuditEvent, CreditGrant, LedgerEntry
from tests.support import people
from tests.support.browsing import signed_in

GRANT = reverse("admin:credits_creditgrant_add")
ADJUST = reverse("admin:credits_creditgrant_adjust")
TOGETHER = 4


def submitted_together(vera, acme, url: str, act: str, **typed: str) -> list[str]:
    """Confirm one form several times, none before all of them wait for its key; return where to."""
    form = {"reason": "Goodwill after the outage", "key": str(uuid.uuid4())} | typed
    seen = signed_in(vera, acme).post(url, form).context["seen"]
    clients = [signed_in(vera, acme) for _ in range(TOGETHER)]

    def submit(client) -> str:
        try:
            return client.post(url, form | {"seen": seen, "step": "confirm"})["Location"]
        finally:
            connection.close()

    with ThreadPoolExecutor(TOGETHER) as threads:
        with transaction.atomic():
            idempotency.wait_for(Key.of(f"{act} form {form['key']}"))
            answers = [threads.submit(submit, client) for client in clients]
            wait_until_all_wait()
        return [answer.result() for answer in answers]


def wait_until_all_wait() -> None:
    """Each waits on a connection of its own."""
    deadline = time.monotonic() + 60
    while waiting() < TOGETHER:
        assert time.monotonic() < deadline, f"{waiting()} of {TOGETHER} wait."
        time.sleep(0.05)


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return cursor.fetchone()[0]


def test_submits_of_one_grant_at_once_lead_to_the_one_grant(committed):
    acme, vera = people.company(), people.vera()

    places = submitted_together(vera, acme, GRANT, "grant", source="ADJUSTMENT", amount="50")

    grant = CreditGrant.objects.get()
    assert places == [reverse("admin:credits_creditgrant_change", args=[grant.pk])] * TOGETHER
    assert list(LedgerEntry.objects.values_list("grant", "amount")) == [(grant.pk, grant.amount)]
    assert AuditEvent.objects.get(action="GRANTED").subject_id == str(grant.pk)
    assert reconciliation.check() == []


@pytest.mark.parametrize("amount", ["12.5", "-12.5"])
def test_submits_of_one_adjustment_at_once_adjust_once(committed, amount):
    acme, vera = people.company(), people.vera()
    people.credits_for(acme, "100")

    places = submitted_together(vera, acme, ADJUST, "adjust", amount=amount)

    assert places == [reverse("admin:credits_creditgrant_changelist")] * TOGETHER
    assert [str(entry.amount) for entry in LedgerEntry.objects.order_by("sequence")[1:]] == [
        f"{amount}00"
    ]
    assert AuditEvent.objects.filter(action="ADJUSTED").count() == 1
    assert reconciliation.check() == []
