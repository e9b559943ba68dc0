"""Each ledger entry has an address that never changes, and a page that says where it came from."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from credits import charging, grants
from credits.ledger import Use
from credits.models import LedgerEntry, Membership, Role, Source, UsageEvent
from credits.rating import Work
from tests.support import conversations, pages, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.browsing import signed_in
from trackers import analyzers, backfills, scanning

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def page(alice):
    return signed_in(alice)


def use() -> Use:
    return Use("ASK", "Ask anything", None, "API_REQUEST")


def address(company, sequence) -> str:
    return f"/admin/ledger/{company.slug}/{sequence}/"


def read(client, company, sequence) -> pages.Page:
    answer = client.get(address(company, sequence))
    assert answer.status_code == 200
    return pages.read(answer)


def hash_of(company, sequence) -> str:
    return bytes(LedgerEntry.objects.get(company=company, sequence=sequence).hash).hex()


def test_a_grant_s_entry_says_its_figures_its_cause_and_who(acme, page):
    vera = people.vera()
    grant = grants.issue(company=acme, source=Source.ADJUSTMENT, amount=Decimal(10), by=vera)

    found = read(page, acme, 1)

    assert found.figure("entry-amount") == "10.0"
    assert (found.figure("balance-before"), found.figure("balance-after")) == ("0.0", "10.0")
    assert found.figure("drawdown") == "10.0"
    assert reverse("admin:credits_creditgrant_change", args=[grant.pk]) in found.links()
    assert vera.email in found.text
    assert hash_of(acme, 1) in found.text
    assert "0" * 64 in found.text


def test_a_charge_links_to_its_use_and_to_the_entry_before_it(acme, page):
    people.credits_for(acme, "1.5")
    people.credits_for(acme, "10")
    event = charging.charge(company=acme, use=use(), work=Work(long_calls=2), rates=people.rates())

    found = read(page, acme, 3)

    drawn = [one["data-value"] for one in found.all(data_metric="drawdown")]
    assert drawn == ["-1.5", "-0.5"]
    assert reverse("admin:credits_usageevent_change", args=[event.pk]) in found.links()
    assert address(acme, 2) in found.links()
    assert hash_of(acme, 2) in found.text
    assert hash_of(acme, 3) in found.text
    assert "the system" in found.text


def test_a_capture_links_to_its_reservation(acme, page):
    people.credits_for(acme, "10")
    held = charging.reserve(company=acme, amount=Decimal(2), use=use(), rates=people.rates())
    charging.capture(reservation=held, work=Work(long_calls=1), rates=people.rates())

    found = read(page, acme, 2)

    assert reverse("admin:credits_reservation_change", args=[held.pk]) in found.links()


def test_a_tracker_s_charge_leads_to_the_tracker_and_to_the_very_results(
    acme, alice, page, monkeypatch
):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    people.credits_for(acme, "10")
    conversations.ingest(acme, conversations.record("a"), conversations.record("b"))
    tracker = conversations.published(acme, alice)
    _read_history(tracker, alice)
    event = UsageEvent.objects.get(company=acme)

    found = read(page, acme, event.entry.sequence)

    results = f"{reverse('admin:trackers_scan_changelist')}?usage_event__id__exact={event.pk}"
    assert reverse("admin:trackers_tracker_change", args=[tracker.pk]) in found.links()
    assert results in found.links()
    listed = pages.read(page.get(results)).text
    assert "Call a" in listed
    assert "Call b" in listed


def _read_history(tracker, by) -> None:
    now = timezone.now()
    backfill = backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=60),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=by,
        now=now,
    )
    scanning.run_batch(version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now)


def test_the_address_can_be_copied_and_is_the_page_s_own(acme, page):
    people.credits_for(acme, "10")

    answer = page.get(address(acme, 1))

    shown = answer.content.decode()
    assert f'href="{address(acme, 1)}" data-copied-link' in shown
    assert "data-copy-link hidden" in shown
    assert "/static/credits/copy.js" in shown


def test_every_place_that_names_an_entry_leads_to_its_address(acme, page):
    people.credits_for(acme, "10")
    charging.charge(company=acme, use=use(), work=Work(long_calls=1), rates=people.rates())
    lists = [
        "/admin/credits/",
        reverse("admin:credits_ledgerentry_changelist"),
        reverse("admin:credits_drawdown_changelist"),
        reverse("admin:credits_usageevent_changelist"),
    ]

    found = {url: pages.read(page.get(url)).links() for url in lists}

    for url in lists:
        assert address(acme, 2) in found[url], url
    for url in lists[:3]:
        assert address(acme, 1) in found[url], url


def test_the_address_of_another_company_s_entry_is_not_there(acme, page):
    beta = people.company("Beta")
    people.credits_for(beta, "10")
    people.credits_for(acme, "10")

    answers = [
        page.get(address(beta, 1)),
        page.get(address(acme, 2)),
        page.get("/admin/ledger/no-such-company/1/"),
        page.get(f"/admin/ledger/{acme.slug}/{10**30}/"),
        page.get(f"/admin/ledger/{acme.slug}/0/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert "Beta" not in answers[0].content.decode()
    assert answers[0].content == answers[2].content


def test_of_several_companies_of_one_s_own_it_is_the_current_one_s(acme, alice):
    """Lists never mix, and neither do roles: the address works once that company is chosen."""
    beta = people.company("Beta")
    Membership.objects.create(user=alice, company=beta, role=Role.VIEWER)
    people.credits_for(acme, "10")
    people.credits_for(beta, "10")

    assert signed_in(alice, acme).get(address(acme, 1)).status_code == 200
    assert signed_in(alice, acme).get(address(beta, 1)).status_code == 404
    assert signed_in(alice, beta).get(address(beta, 1)).status_code == 403


def test_who_may_not_see_the_ledger_sees_no_entry(acme, client):
    people.credits_for(acme, "10")

    assert signed_in(people.vic(acme)).get(address(acme, 1)).status_code == 403
    assert client.get(address(acme, 1)).status_code == 302


def test_vendor_people_open_any_company_s_and_nobody_changes_it(acme):
    people.credits_for(acme, "10")
    auditor = signed_in(people.audrey())

    assert auditor.get(address(acme, 1)).status_code == 200
    assert auditor.post(address(acme, 1), {"amount": "1"}).status_code == 405


def test_an_entry_by_somebody_who_is_gone_names_the_id(acme, page):
    gone = uuid.uuid4()
    people.credits_for(acme, "10")
    vera = people.vera()
    grants.issue(company=acme, source=Source.ADJUSTMENT, amount=Decimal(1), by=vera)
    type(vera).objects.filter(pk=vera.pk).update(public_id=gone)

    found = read(page, acme, 2)

    actor = LedgerEntry.objects.get(company=acme, sequence=2).actor_ref
    assert f"Removed person {actor}" in found.text


def test_the_page_asks_little(acme, page):
    people.credits_for(acme, "10")
    charging.charge(company=acme, use=use(), work=Work(long_calls=1), rates=people.rates())
    page.get(address(acme, 2))

    with CaptureQueriesContext(connection) as asked:
        page.get(address(acme, 2))

    assert len(asked) <= 24
