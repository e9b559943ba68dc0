"""An export's address with a filter that its list does not have answers as the list does."""

from __future__ import annotations

import pytest
from django.urls import reverse

from credits.models import AuditEvent
from tests.support import conversations
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

LISTS = [
    *("trackers_scan", "trackers_tracker", "billing_purchase"),
    *("credits_ledgerentry", "credits_usageevent", "credits_auditevent"),
]
SENTENCE = (
    "Nothing was exported: the address has a filter that this list does not have. Filter the list "
    "here, then export it."
)
FORM = {"format": "0", "resource": "0"}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query", ["x=1", "utm_source=mail", "company__id__exact=x"])
def test_a_filter_that_the_list_does_not_have_leads_to_the_list(world, name, query):
    alice = signed_in(world.alice)
    listed = reverse(f"admin:{name}_changelist")
    address = f"{reverse(f'admin:{name}_export')}?{query}"

    of_list, opened, sent = (
        *(alice.get(f"{listed}?{query}"), alice.get(address)),
        alice.post(address, FORM),
    )

    assert [one.status_code for one in (of_list, opened, sent)] == [302, 302, 302]
    assert {of_list.url, opened.url, sent.url} == {f"{listed}?e=1"}
    assert SENTENCE in text_of(alice.get(sent.url))
    assert not AuditEvent.objects.filter(action="EXPORTED").exists()


def test_a_value_that_a_filter_of_results_cannot_have_leads_to_the_list(world, tracker):
    conversations.tracker(world.acme, "Another")  # Of one alone there is no filter.
    alice = signed_in(world.alice)
    address = f"{reverse('admin:trackers_scan_export')}?tracker__id__exact=x"

    opened, sent = alice.get(address), alice.post(address, FORM)

    assert [opened.status_code, sent.status_code] == [302, 302]
    assert opened.url == sent.url == f"{reverse('admin:trackers_scan_changelist')}?e=1"
    assert not AuditEvent.objects.filter(action="EXPORTED").exists()


def test_the_same_address_without_the_filter_exports_and_is_audited(world):
    alice = signed_in(world.alice)

    sent = alice.post(reverse("admin:trackers_scan_export"), FORM)

    assert sent["Content-Type"].startswith("text/csv")
    assert AuditEvent.objects.filter(action="EXPORTED").count() == 1


def test_who_may_not_export_is_refused_whatever_the_address_says(world):
    vera = signed_in(world.vera)

    assert vera.get(f"{reverse('admin:trackers_scan_export')}?x=1").status_code == 403
