"""A backfill's page: progress, stop and resume (UX §1c)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits import balances
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, scanning
from trackers.models import Backfill, Scan

pytestmark = pytest.mark.django_db

LIST = reverse("admin:trackers_backfill_changelist")


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "10")
    conversations.ingest(
        company,
        *(record(f"{n}") for n in range(4)),
        *(record(f"s{n}", team="Support") for n in range(2)),
    )
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture(autouse=True)
def _analyzer(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)


@pytest.fixture
def backfill(acme, alice) -> Backfill:
    return launched(acme, alice)


def launched(company, by, name="Pricing objection") -> Backfill:
    now = timezone.now()
    tracker = conversations.published(company, by, name, now=now)
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=60),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=by,
        now=now,
    )


def run(backfill) -> None:
    scanning.run_batch(version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now)


def url(name: str, backfill) -> str:
    return reverse(f"admin:trackers_backfill_{name}", args=[backfill.pk])


def value(response, metric: str) -> str:
    found = re.findall(rf'data-metric="{metric}" data-value="([^"]*)"', response.content.decode())
    assert len(set(found)) == 1, (metric, found)
    return found[0]


def test_the_page_says_how_far_it_is(page, backfill):
    run(backfill)

    response = page.get(url("change", backfill))

    content = response.content.decode()
    assert (value(response, "done"), value(response, "conversations")) == ("4", "6")
    assert (value(response, "charged"), value(response, "estimate")) == ("2.0", "3.0")
    assert value(response, "ceiling") == "3.0"
    assert 'data-status="RUNNING"' in content
    assert "Running 66 %" in content
    assert re.search(r'role="progressbar"[^>]*aria-valuenow="66"', content)
    assert 'aria-live="polite"' in content
    assert f'data-progress-url="{url("progress", backfill)}"' in content
    assert "by Alice" in content


def test_it_leads_to_what_it_read_and_to_nothing_else(page, acme, alice, backfill):
    other = launched(acme, alice, "Another")
    run(backfill)
    run(other)

    (link,) = re.findall(
        r'href="([^"]*)">Results of this backfill',
        page.get(url("change", backfill)).content.decode(),
    )

    shown = page.get(link).context["cl"].result_list
    assert {scan.backfill_id for scan in shown} == {backfill.pk}
    assert len(shown) == 6


def test_one_stopped_before_anything_was_read_does_not_look_done(page, backfill, alice):
    backfills.stop(backfill_id=backfill.pk, by=alice, now=timezone.now())

    shown, listed = page.get(url("change", backfill)), page.get(LIST)

    for response in (shown, listed):
        words = " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())
        assert re.search(r"0 of 6 (conversations )?read ?, 6 skipped", words), words
    assert re.search(r'role="progressbar"[^>]*aria-valuenow="0"', shown.content.decode())


def test_progress_is_told_as_json_until_the_end(page, backfill):
    run(backfill)
    answer = page.get(url("progress", backfill))

    assert "no-store" in answer["Cache-Control"]
    told = json.loads(answer.content)
    assert (told["state"], told["state_text"], told["is_over"]) == (
        "RUNNING",
        "Running 66 %",
        False,
    )
    assert told["figures"]["charged"] == {"value": "2.0", "text": "2.0"}
    assert (told["figures"]["waiting"]["value"], told["time_left"]) == (
        "2",
        "less than a minute left",
    )

    run(backfill)
    told = page.get(url("progress", backfill)).json()
    assert (told["state"], told["percent"], told["is_over"]) == ("DONE", 100, True)
    assert told["figures"]["charged"]["value"] == "3.0"
    assert told["ended"] != ""
    assert "data-progress-url" not in page.get(url("change", backfill)).content.decode()


def test_stopping_says_what_was_charged_and_what_will_be_skipped(page, acme, alice, backfill):
    run(backfill)

    shown = page.get(url("stop", backfill))
    assert (value(shown, "done"), value(shown, "charged")) == ("4", "2.0")
    assert value(shown, "to_skip") == "2"
    assert Backfill.objects.get().state == "RUNNING"
    page.post(url("stop", backfill))

    backfill.refresh_from_db()
    assert (backfill.state, backfill.ended_by) == ("STOPPED", alice)
    assert Scan.objects.filter(state="SKIPPED").count() == 2
    assert balances.now(company=acme).available == Decimal("8.000")
    assert "Stopped by Alice" in page.get(url("change", backfill)).content.decode()
    again = page.post(url("stop", backfill), follow=True)
    assert "This backfill had ended already." in again.content.decode()


def test_resuming_says_what_it_still_needs_and_what_is_available(page, backfill):
    run(backfill)
    backfills.wait_at_zero(backfill_id=backfill.pk)

    shown = page.get(url("resume", backfill))
    assert (value(shown, "still_needs"), value(shown, "available")) == ("1.0", "8.0")
    assert Backfill.objects.get().state == "WAITING"
    page.post(url("resume", backfill))

    assert Backfill.objects.get().state == "RUNNING"
    again = page.post(url("resume", backfill), follow=True)
    assert "is neither paused nor waiting any more" in again.content.decode()


def test_pausing_says_what_will_wait_and_the_page_names_who_paused(page, acme, backfill):
    run(backfill)

    shown = page.get(url("pause", backfill))
    assert (value(shown, "done"), value(shown, "charged")) == ("4", "2.0")
    assert value(shown, "to_wait") == "2"
    assert Backfill.objects.get().state == "RUNNING"
    page.post(url("pause", backfill))

    content = page.get(url("change", backfill)).content.decode()
    assert "Paused by Alice at 66 %" in content
    assert re.search(r"Paused on \d+ \w+ \d{4} \d\d:\d\d CES?T by Alice\.", content)
    told = page.get(url("progress", backfill)).json()
    assert (told["state"], told["is_over"]) == ("PAUSED", False)
    again = page.post(url("pause", backfill), follow=True)
    assert "does not run, so there is nothing to pause" in again.content.decode()
    assert value(page.get(url("resume", backfill)), "still_needs") == "1.0"
    page.post(url("resume", backfill))
    assert Backfill.objects.get().state == "RUNNING"


def test_the_list_takes_as_many_queries_for_one_backfill_as_for_many(
    page, acme, alice, backfill, django_assert_max_num_queries
):
    run(backfill)
    page.get(LIST)
    with django_assert_max_num_queries(25) as of_one:
        response = page.get(LIST)
    assert (value(response, "done"), value(response, "charged")) == ("4", "2.0")
    for number in range(5):
        launched(acme, alice, f"Tracker {number}")
    with django_assert_max_num_queries(25) as of_many:
        page.get(LIST)

    assert len(of_many) == len(of_one)


def test_another_company_s_backfill_is_nowhere(page):
    globex = people.company("Globex")
    people.credits_for(globex, "10")
    conversations.ingest(globex, record("a"))
    theirs = launched(globex, people.alice(globex), "Canary tracker")

    assert "Canary tracker" not in page.get(LIST).content.decode()
    assert "Canary" not in page.get(url("change", theirs), follow=True).content.decode()
    for name in ("stop", "pause", "resume", "progress"):
        assert page.get(url(name, theirs)).status_code == 404
        assert page.post(url(name, theirs)).status_code == 404
    assert Backfill.objects.get(pk=theirs.pk).state == "RUNNING"


@pytest.mark.parametrize(("person", "status"), [("vic", 403), ("vera", 200), ("audrey", 200)])
def test_who_may_not_edit_trackers_may_not_stop_one(client, acme, backfill, person, status):
    make = getattr(people, person)
    client.force_login(make(acme) if person == "vic" else make())

    assert client.get(url("progress", backfill)).status_code == status
    assert client.get(url("change", backfill)).status_code == status
    assert client.get(LIST).status_code == status
    for name in ("stop", "pause", "resume"):
        assert client.get(url(name, backfill)).status_code == 403
        assert client.post(url(name, backfill)).status_code == 403
    assert Backfill.objects.get().state == "RUNNING"


def test_nobody_changes_or_adds_a_backfill_by_a_form(page, backfill):
    assert page.post(url("change", backfill), {"tracker": ""}).status_code == 403
    assert page.get(reverse("admin:trackers_backfill_add")).status_code == 403


def test_stopping_without_its_token_does_nothing(alice, backfill):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)

    assert strict.post(url("stop", backfill)).status_code == 403
    assert Backfill.objects.get().state == "RUNNING"


def test_days_and_times_are_the_company_s(page, backfill):
    Backfill.objects.update(
        from_at=datetime(2026, 3, 28, 23, tzinfo=UTC),
        to_at=datetime(2026, 3, 31, 22, tzinfo=UTC),
        started_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
    )

    content = page.get(url("change", backfill)).content.decode()

    assert "29 Mar 2026 – 31 Mar 2026" in content
    assert "2 Jul 2026 00:30 CEST" in content


def test_the_page_is_headed_by_the_tracker_and_has_no_empty_history(page, backfill):
    content = page.get(url("change", backfill)).content.decode()

    title = content.split("<title>")[1].split("</title>")[0]
    assert " ".join(title.split()) == (
        "Backfill of Pricing objection, version 1 | View backfill | Tallystick"
    )
    assert f"Backfill {backfill.pk}" not in content
    assert url("history", backfill) not in content
