"""Results added up by conversation, account, deal and tracker (SPEC §5, UX C7–C8)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, pages, people
from tests.trackers.admin.conftest import (
    call,
    canary_call,
    published,
    scanned,
    signed_in,
)
from trackers import configuring, publishing, reviewing, scanning
from trackers.models import CustomerAccount, Scan

LIST = reverse("admin:trackers_scan_changelist")


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def by(what: str, query: str = "?days=all") -> str:
    return reverse("admin:trackers_scan_by", args=[what]) + query


def test_results_are_added_up_by_conversation_account_and_deal(world, scans):
    client = signed_in(world.vic)

    def counted(what):
        page = pages.read(client.get(by(what)))
        return {one["data-name"]: one["data-value"] for one in page.all(data_metric="results-by")}

    assert counted("conversation") == {"Loud": "1", "Mail": "1", "Quiet": "0"}
    assert counted("account") == {"Globex": "1", "Initech": "1"}
    assert counted("deal") == {"Globex robots": "1", "Initech racks": "0"}
    page = client.get(by("account")).content.decode()
    initech = CustomerAccount.objects.get(name="Initech")
    assert f"{LIST}?conversation__account__id__exact={initech.pk}" in page


def test_results_are_added_up_of_one_tracker_and_of_the_last_days_only(world, scans):
    other = published(world.acme, world.alice, "Other tracker")
    client = signed_in(world.vic)

    of_other = client.get(by("account", f"?days=all&tracker={other.pk}"))
    of_none = client.get(by("account", "?days=all&tracker=nonsense"))
    recent = client.get(by("account", "?days=30"))

    assert "Nothing was read in this period by “Other tracker”" in pages.read(of_other).text
    assert len(pages.read(of_none).all(data_metric="results-by")) == 2
    assert "Nothing was read in this period" in pages.read(recent).text


def test_the_value_of_a_tracker_is_its_results_per_100_credits(world, scans):
    reviewing.judge(scan=scans["Loud"], is_right=True, by=world.alice, now=timezone.now())
    reviewing.judge(scan=scans["Quiet"], is_right=False, by=world.alice, now=timezone.now())

    page = pages.read(signed_in(world.vic).get(by("tracker")))

    # Two results for 0.5 + 0.5 + 0.1 credits.
    assert page.figure("credits") == "1.1"
    assert page.figure("results-per-100") == "181.8"
    assert "Pricing objection 2 0 1 1.1 181.8 1 1" in page.text


def test_nobody_adds_up_another_company_s_results(world, scans):
    theirs = published(world.globex, world.gina, "Canary tracker")
    scanned(world.globex, theirs, canary_call())
    client = signed_in(world.vic)

    for what in ("conversation", "account", "deal", "tracker"):
        assert "anary" not in text_of(client.get(by(what)))
        assert "anary" not in text_of(client.get(by(what, f"?days=all&tracker={theirs.pk}")))
    assert client.get(by("colour")).status_code == 404
    assert signed_in(world.vera).get(by("account"))["Location"] == LIST


def test_adding_up_takes_as_many_queries_for_many_as_for_few(world, tracker):
    client = signed_in(world.vic)

    def queries(what) -> int:
        with CaptureQueriesContext(connection) as asked:
            text_of(client.get(by(what)))
        return len(asked)

    scanned(world.acme, tracker, call("call-0"))
    few = {what: queries(what) for what in ("conversation", "account", "deal")}
    scanned(
        world.acme,
        tracker,
        *(
            call(f"call-{n}", account={"name": f"Account {n}"}, deal={"name": "D", "stage": "x"})
            for n in range(1, 12)
        ),
    )

    assert {what: queries(what) for what in few} == few


@pytest.fixture
def month(world):
    """Four calls of 0.5 in the month before publishing, three in the month after."""
    people.credits_for(world.acme, "10")
    at = timezone.now() - timedelta(days=40)
    conversations.ingest(
        world.acme,
        *(call(f"before-{n}", started_at=at - timedelta(days=1 + n)) for n in range(4)),
        call("older", started_at=at - timedelta(days=31)),
        now=at,
    )
    tracker = conversations.published(world.acme, world.alice, now=at)
    scanned_at = at + timedelta(days=5)
    conversations.ingest(
        world.acme,
        *(call(f"after-{n}", started_at=at + timedelta(days=1 + n)) for n in range(3)),
        now=scanned_at,
    )
    scanning.run_batch(
        version_id=tracker.current_version_id, backfill_id=None, clock=lambda: scanned_at
    )
    assert Scan.objects.filter(state="DONE").count() == 3
    return tracker


def first_month(world) -> tuple[str, str, str]:
    page = pages.read(signed_in(world.vic).get(by("tracker")))
    return page.figure("estimate"), page.figure("actual"), page.figure("actual-by-estimate")


def test_a_version_s_first_month_is_put_against_its_estimate(world, month):
    assert month.version_in_force.month_estimate == 2
    assert first_month(world) == ("2.0", "1.5", "0.75")


def test_what_was_said_of_a_month_does_not_move_with_what_arrives_later(world, month):
    """The estimate is of the four calls that were there, whatever is imported of that time."""
    at = month.version_in_force.published_at
    late = (call(f"late-{n}", started_at=at - timedelta(days=2 + n)) for n in range(6))
    conversations.ingest(world.acme, *late)

    assert first_month(world) == ("2.0", "1.5", "0.75")


def test_nothing_is_put_against_an_estimate_from_less_than_a_month(world):
    at = timezone.now() - timedelta(days=40)
    conversations.ingest(world.acme, call("before", started_at=at - timedelta(days=29)), now=at)
    tracker = conversations.published(world.acme, world.alice, now=at)
    conversations.ingest(world.acme, call("later", started_at=at - timedelta(days=31)))

    page = pages.read(signed_in(world.vic).get(by("tracker")))

    assert tracker.version_in_force.month_estimate is None
    assert page.all(data_metric="actual-by-estimate") == []


def test_another_version_is_estimated_anew(world, month):
    configuring.save(
        company=world.acme,
        tracker_id=month.pk,
        edit_number=month.edit_number,
        settings=configuring.settings_of(month),
        question=configuring.Question(question="Did they object to the price?", side="ANY"),
        by=world.alice,
        now=timezone.now(),
    )
    month.refresh_from_db()
    publishing.publish(
        tracker_id=month.pk,
        edit_number=month.edit_number,
        by=world.alice,
        now=timezone.now() - timedelta(days=9.5),
    )

    estimates = month.versions.order_by("number").values_list("month_estimate", flat=True)

    # Of the 30 days that ended then: the three calls after the first publication.
    assert list(estimates) == [2, Decimal("1.5")]
