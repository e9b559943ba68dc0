"""Backfills by key: priced first, never above what was allowed, stopped at will (SPEC §5, §8)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, limits
from credits.api.fields import instant_text
from credits.models import AuditEvent
from tests.support import api, conversations, people
from trackers import scanning
from trackers.models import Backfill, Conversation, Tracker

CALL = {
    "id": "new",
    "kind": "call",
    "started_at": "2026-11-21T14:00:00Z",
    "duration_seconds": 60,
    "participants": [{"id": "c", "role": "external"}],
    "utterances": [{"id": "u1", "speaker": "c", "text": "Too expensive."}],
}


@pytest.fixture
def backfill(program, tracker):
    answer = program.post("backfills", {"tracker": str(tracker.pk)})
    return Backfill.objects.get(pk=answer.json()["backfill"]["id"])


def test_a_dry_run_prices_and_starts_nothing(program, tracker):
    answer = program.client.post(
        "/api/v1/backfills",
        {"tracker": str(tracker.pk), "dry_run": True, "ceiling": "2"},
        "application/json",
    )

    shown = answer.json()
    assert answer.status_code == 200
    assert (shown["estimate"]["credits"], shown["ceiling"]) == ("3.0", "2.0")
    assert (shown["dry_run"], shown["backfill"]) == (True, None)
    assert not Backfill.objects.exists()


def test_a_backfill_starts_in_the_name_of_who_made_the_key(program, tracker, tess):
    answer = program.post("backfills", {"tracker": str(tracker.pk), "ceiling": "2.5"})

    made = Backfill.objects.get()
    shown = answer.json()["backfill"]
    assert answer.status_code == 201
    assert answer["Location"] == f"/api/v1/backfills/{made.pk}"
    assert (shown["state"], shown["conversations"], shown["waiting"]) == ("RUNNING", 6, 6)
    assert (shown["estimate"], shown["ceiling"], shown["charged"]) == ("3.0", "2.5", "0.0")
    assert shown["started_by"] == str(tess.public_id)
    line = AuditEvent.objects.get(action="STARTED")
    assert (line.actor_kind, line.door) == ("API_KEY", "API")


def test_a_retry_starts_no_second_one(program, tracker):
    body = {"tracker": str(tracker.pk)}

    first = program.post("backfills", body, key="once")
    again = program.post("backfills", body, key="once")

    assert again.content == first.content
    assert Backfill.objects.count() == 1


def test_more_than_max_credits_is_refused_before_any_work(program, tracker):
    answer = program.post("backfills", {"tracker": str(tracker.pk), "max_credits": "2.9"})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (422, "max_credits_exceeded")
    assert (problem["required"], problem["max_credits"]) == ("3.0", "2.9")
    assert not Backfill.objects.exists()


def test_a_ceiling_within_max_credits_is_enough(program, tracker):
    answer = program.post(
        "backfills", {"tracker": str(tracker.pk), "max_credits": "2.9", "ceiling": "2.9"}
    )

    assert answer.status_code == 201
    assert Backfill.objects.get().ceiling == Decimal("2.9")


def test_more_than_is_available_is_refused_with_402(program, tracker, acme):
    beta = people.company("Beta")
    people.credits_for(beta, "1")
    alice = people.alice(beta)
    conversations.ingest(beta, *(conversations.record(f"{n}") for n in range(4)))
    theirs = conversations.published(beta, alice)
    client = api.of(beta, by=alice)

    answer = client.post(
        "/api/v1/backfills",
        {"tracker": str(theirs.pk)},
        "application/json",
        headers={"idempotency-key": "k"},
    )

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (402, "insufficient_credits")
    assert (problem["required"], problem["available"]) == ("2.0", "1.0")
    assert (problem["shortfall"], problem["limit_source"]) == ("1.0", "company_pool")
    assert "Retry-After" not in answer.headers
    assert not Backfill.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"from_at": "2199-01-01T00:00:00Z", "to_at": "2199-01-02T00:00:00Z"}, 409, "no conv"),
        ({"from_at": "2026-02-01T00:00:00Z", "to_at": "2026-01-01T00:00:00Z"}, 409, "after"),
        ({"ceiling": "-1"}, 409, "below 0"),
        ({"ceiling": "1e3"}, 400, "ceiling"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_what_cannot_be_is_refused(program, tracker, body, status, word):
    answer = program.post("backfills", {"tracker": str(tracker.pk)} | body)

    assert answer.status_code == status
    assert word in api.problem(answer)["detail"]
    assert not Backfill.objects.exists()


def test_it_is_paused_resumed_and_stopped(program, backfill):
    path = f"backfills/{backfill.pk}"

    paused = program.post(f"{path}/pause")
    paused_again = program.post(f"{path}/pause")
    resumed = program.post(f"{path}/resume")
    stopped = program.post(f"{path}/stop")
    stopped_again = program.post(f"{path}/stop")

    assert [answer.json().get("state") for answer in (paused, resumed, stopped)] == [
        *("PAUSED", "RUNNING", "STOPPED"),
    ]
    assert stopped.json()["skipped"] == 6
    assert api.problem(paused_again)["code"] == "wrong_state"
    assert api.problem(stopped_again)["code"] == "wrong_state"
    actions = ("PAUSED", "RESUMED", "STOPPED")
    lines = AuditEvent.objects.filter(action__in=actions).values_list("action", "actor_kind")
    assert sorted(lines) == [(action, "API_KEY") for action in actions]


def test_its_progress_is_what_was_read_and_charged(program, backfill, acme):
    scanning.run_batch(version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now)

    one = program.get(f"backfills/{backfill.pk}").json()
    (listed,) = program.get("backfills", tracker=str(backfill.tracker_id)).json()["items"]

    assert (one["done"], one["percent"], one["charged"]) == (6, 100, "3.0")
    more = {"seconds_left", "met_limit"}
    assert listed == {name: value for name, value in one.items() if name not in more}
    assert balances.now(company=acme).available == 97
    assert program.get("backfills", state="PAUSED").json()["items"] == []


def test_another_company_s_backfill_is_not_there(program, acme, tracker):
    beta = people.company("Beta")
    people.credits_for(beta, "10")
    alice = people.alice(beta)
    conversations.ingest(beta, conversations.record("theirs"))
    theirs = conversations.published(beta, alice)
    made = api.of(beta, by=alice).post(
        "/api/v1/backfills",
        {"tracker": str(theirs.pk)},
        "application/json",
        headers={"idempotency-key": "k"},
    )
    path = f"backfills/{made.json()['backfill']['id']}"

    answers = [program.get(path), *(program.post(f"{path}/{v}") for v in ("pause", "stop"))]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert Backfill.objects.get().state == "RUNNING"
    assert program.get("backfills", tracker=str(theirs.pk)).json()["items"] == []


def limited(tracker, credits="1"):
    return limits.set(
        company=tracker.company,
        subject=limits.of_tracker(tracker.pk, name=tracker.name),
        window="DAY",
        credits=Decimal(credits),
        by=None,
    )


def test_an_estimate_names_the_limit_that_leaves_it_least(program, tracker):
    free = program.get(f"trackers/{tracker.pk}/backfill-estimate").json()
    limit = limited(tracker)

    priced = program.post("backfills", {"tracker": str(tracker.pk), "dry_run": True}).json()
    estimated = program.get(f"trackers/{tracker.pk}/backfill-estimate").json()

    assert free["limit"] is None
    for shown in (priced["estimate"], estimated):
        assert (shown["credits"], shown["limit"]["left"]) == ("3.0", "1.0")
        assert (shown["limit"]["limit_source"], shown["limit"]["id"]) == ("tracker", str(limit.pk))


def test_a_backfill_says_which_limit_it_met_and_when_it_goes_on(program, tracker, backfill):
    limit = limited(tracker)
    address = f"backfills/{backfill.pk}"
    before = program.get(address).json()["met_limit"]

    while scanning.run_batch(
        version_id=tracker.current_version_id, backfill_id=backfill.pk, clock=timezone.now
    ):
        pass

    shown = program.get(address).json()
    assert before is None
    assert (shown["state"], shown["charged"], shown["waiting"]) == ("RUNNING", "1.0", 4)
    met = shown["met_limit"]
    assert (met["limit_source"], met["id"], met["name"]) == ("tracker", str(limit.pk), tracker.name)
    (standing,) = limits.standing(company=tracker.company)
    assert (met["credits"], met["goes_on_at"]) == ("1.0", instant_text(standing.ends_at))
    assert program.post(f"{address}/pause", {}).json()["met_limit"] is None
    assert program.post(f"{address}/resume", {}).json()["met_limit"]["id"] == str(limit.pk)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("backfills", {}),
        ("trackers/{tracker}/publish", {}),
        ("conversations", {"conversation": CALL}),
        ("conversations/bulk", {"conversations": [CALL]}),
    ],
)
def test_a_dry_run_may_be_asked_for_in_the_address(program, acme, tracker, path, body):
    if path.endswith("publish"):
        tracker = conversations.tracker(acme, "Delivery")
    names = {"tracker": str(tracker.pk)}
    said = names if path == "backfills" else body

    answer = program.client.post(
        f"/api/v1/{path.format(**names)}?dry_run=true",
        said,
        "application/json",
        headers={"if-match": "*"},
    )

    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert not Backfill.objects.exists()
    assert not Conversation.objects.filter(external_id="new").exists()
    assert Tracker.objects.get(pk=tracker.pk).state == tracker.state
