"""What the credits page says of the trackers that use most (UX §1b, B1)."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from credits import charging
from credits.ledger import Use
from credits.models import CreditPool
from credits.rating import Work
from tests.support import conversations, people
from tests.support.browsing import signed_in
from trackers import links, publishing
from trackers.models import Tracker, TrackerVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "50")
    return company


def used(tracker) -> None:
    use = Use("TRACKER", tracker.name, tracker.pk, "CONTINUOUS")
    charging.charge(company=tracker.company, use=use, work=Work(long_calls=1), rates=people.rates())


def rows(client) -> dict[str, str]:
    """Return what each row of “What uses credits” says below the feature's name."""
    content = client.get(reverse("admin:credits_page")).content.decode()
    found = re.findall(
        r'data-metric="used-by" data-feature="([^"]*)".*?<th(.*?)</th>', content, re.DOTALL
    )
    kinds = {name: re.search(r'class="credits-kind">([^<]*)<', cell) for name, cell in found}
    return {name: kind.group(1) if kind else "" for name, kind in kinds.items()}


def test_a_row_says_that_a_tracker_goes_on_and_whose_it_is(acme, alice):
    hers = conversations.published(acme, alice, "Prices", created_by=alice)
    nobody_s = conversations.published(acme, alice, "Delivery")
    over = conversations.published(acme, alice, "Fair", created_by=alice)
    draft = conversations.tracker(acme, "Backfilled once", created_by=alice)
    for tracker in (hers, nobody_s, over, draft):
        used(tracker)
    publishing.unpublish(
        tracker_id=over.pk, edit_number=over.edit_number, by=alice, now=timezone.now()
    )

    assert rows(signed_in(alice, acme)) == {
        "Prices": "Recurring · Alice",
        "Delivery": "Recurring",
        "Fair": "",
        "Backfilled once": "",
    }


def test_what_is_free_or_another_company_s_does_not_recur(acme, alice):
    globex = people.company("Globex")
    conversations.published(globex, people.member(globex, "TECH_ADMIN", "Gina"), "Theirs")
    kinds = {"KEYWORD": {"terms": ["dear"]}, "PRETRAINED": {"pretrained": "price_asked"}}
    for kind, asked in kinds.items():
        draft = Tracker.objects.create(company=acme, name=f"Free {kind}", kind=kind)
        TrackerVersion.objects.create(
            company=acme, tracker=draft, number=1, kind=kind, question="Says “dear”", **asked
        )
        publishing.publish(tracker_id=draft.pk, edit_number=1, by=alice, now=timezone.now())
    charged = conversations.published(acme, alice, "Prices")

    pool = CreditPool.objects.annotate(found=links.recurring(company=acme)).get(company=acme)
    assert pool.found == [{"ref": str(charged.pk), "owner": ""}]
