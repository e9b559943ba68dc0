"""First steps tick themselves off; the guide says what credits cost; hidden is hidden for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from config.demo.clock import seeded_clock
from credits import overview, rate_cards
from credits.daily_use import Step
from credits.metering import Dimension
from credits.models import Membership, RateItem
from tests.credits.test_credits_page import charge, page_for
from tests.support import conversations, pages, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, scanning

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


def steps(page) -> list[str]:
    rows = [one for one in page.elements if one["tag"] == "li"]
    return [row["data-status"] for row in rows if row.get("data-status") in ("done", "to-do")]


def test_each_step_is_ticked_off_by_what_was_done(client):
    acme = people.company("Acme")
    alice = people.alice(acme)
    at_first = steps(page_for(client, alice))
    people.credits_for(acme, "50")
    now = datetime.now(UTC)
    tracker = conversations.published(acme, alice, now=now - timedelta(hours=2))
    conversations.ingest(acme, record("old", started_at=now - timedelta(days=9)), now=now)
    before_backfill = steps(page_for(client, alice))
    backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=30),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )
    client.get("/admin/credits/guide/")

    page = page_for(client, alice)

    assert at_first == ["to-do"] * 5
    assert before_backfill == ["done", "done", "done", "to-do", "to-do"]
    assert steps(page) == ["done"] * 5
    assert page.figure("steps-done") == "5"
    assert "5 of 5 done: you know your way around." in page.text


def test_hidden_by_one_person_they_are_gone_for_good_and_only_for_them(client):
    acme = people.company("Acme")
    alice, bob = people.alice(acme), people.bob(acme)
    client.force_login(alice)

    answer = client.post("/admin/credits/first-steps/hide/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/credits/")
    client.logout()
    assert "First steps" not in page_for(client, alice).text
    assert "First steps" in page_for(client, bob).text


def test_the_time_of_hiding_and_reading_is_the_first_one(client):
    acme = people.company("Acme")
    alice = people.alice(acme)
    first = NOW - timedelta(days=3)
    Membership.objects.update(first_steps_hidden_at=first, guide_read_at=first)
    client.force_login(alice)

    client.post("/admin/credits/first-steps/hide/")
    client.get("/admin/credits/guide/")

    member = Membership.objects.get(user=alice)
    assert (member.first_steps_hidden_at, member.guide_read_at) == (first, first)


def test_only_who_may_do_the_steps_is_shown_them(client):
    acme = people.company("Acme")
    vera = people.vera()
    client.force_login(vera)
    client.post("/admin/company/", {"company": acme.pk})

    assert "First steps" not in pages.read(client.get("/admin/credits/")).text
    assert client.post("/admin/credits/first-steps/hide/").status_code == 404
    assert "First steps" not in page_for(client, people.vic(acme)).text
    assert client.get("/admin/credits/first-steps/hide/").status_code == 405


def test_the_guide_states_the_prices_in_force_and_when_others_come(client):
    acme = people.company("Acme", time_zone="America/New_York")
    rate_cards.publish(
        # 23:30 of the day before in New York.
        effective_at=datetime(2099, 1, 1, 4, 30, tzinfo=UTC),
        rates={item: Decimal(9) for item in RateItem.values},
        note="",
        by=None,
        now=NOW,
    )

    for user in (people.alice(acme), people.vic(acme)):
        client.force_login(user)
        page = pages.read(client.get("/admin/credits/guide/"))

        assert "E-mail analysed 0.1" in page.text
        assert "Call longer than 10 minutes 1.0" in page.text
        assert "Call of 10 minutes or less 0.5" in page.text
        assert "Web search in a brief 5.0" in page.text
        assert "Other prices are in force from 31 Dec 2098." in page.text


@pytest.mark.parametrize(
    "free",
    [
        "Keyword trackers and the pretrained ones",
        "Testing a tracker on a few conversations",
        "Questions and briefs asked for here, by hand.",
        "Reading results, quotes and reports",
        "Estimates and prices",
    ],
)
def test_the_guide_names_what_is_free(client, free):
    client.force_login(people.alice(people.company("Acme")))

    words = pages.read(client.get("/admin/credits/guide/")).text

    assert words.index("What is free") < words.index(free) < words.index("How to use less")
    assert "A question or a brief by API or MCP is charged for each call and e-mail" in words


def test_the_guide_is_for_everybody_with_a_standing(client):
    assert client.get("/admin/credits/guide/").status_code == 302
    client.force_login(people.audrey())
    assert client.get("/admin/credits/guide/").status_code == 200


def test_results_are_put_against_what_finding_them_cost(client):
    acme = people.company("Acme")
    with seeded_clock(NOW):
        people.credits_for(acme, "50")
        charge(acme, "Nothing to count", long_calls=1)
        seen = overview.of(company=acme, step=Step.WEEK, dimension=Dimension.TEAM)

    assert [seen.use.per_hundred(use) for use in seen.use.features] == [None]


def test_a_tracker_s_results_are_counted_for_a_hundred_credits(client, monkeypatch):
    acme = people.company("Acme")
    alice = people.alice(acme)
    people.credits_for(acme, "50")
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    now = datetime.now(UTC)
    tracker = conversations.published(acme, alice, now=now - timedelta(hours=9))
    conversations.ingest(
        acme,
        *(record(f"call {hours}", started_at=now - timedelta(hours=hours)) for hours in range(4)),
        now=now,
    )
    scanning.run_batch(
        version_id=tracker.version_in_force.pk, backfill_id=None, clock=lambda: datetime.now(UTC)
    )

    page = page_for(client, alice)

    # Four short calls at 0.5 used 2.0 credits, and something was found in each.
    assert page.figure("results-per-100") == "200.0"
