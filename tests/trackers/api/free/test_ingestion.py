"""Conversations by key: each has an answer, nothing comes twice, nothing erased comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.models import AuditEvent, IdempotencyRecord
from tests.support import api, conversations, people
from tests.support.breaking import update_refused_by
from tests.support.conversations import record
from trackers import erasure, erasure_requests
from trackers.models import Conversation, IngestionTally, Scan


def sent(external_id: str, *, started_at=None, **changes) -> dict:
    """A record as a program sends it."""
    made = record(external_id, started_at=started_at or timezone.now())
    return made.model_dump(mode="json", exclude_unset=True) | changes


def erased(company, external_id: str) -> None:
    """A conversation that was there, and was erased by request."""
    conversations.conversation(company, external_id)
    request = erasure_requests.by_external_id(company=company, external_id=external_id)
    erasure.erase(request=request, by=None, reason="Asked for by letter", now=timezone.now())


def ingest(program, *records, **more):
    return program.post("conversations/bulk", {"conversations": list(records), **more})


def test_a_call_is_taken_in_and_new_for_its_tracker(program, tracker):
    answer = program.post("conversations", {"conversation": sent("a")})

    assert answer.status_code == 201
    stored = Conversation.objects.get(external_id="a")
    assert answer["Location"] == f"/api/v1/conversations/{stored.pk}"
    assert answer.json() == {
        "index": 0,
        "outcome": "CREATED",
        "id": str(stored.pk),
        "revision": 1,
        "is_new": True,
        "trackers": 1,
        "reason": "",
        "dry_run": False,
        "credits": None,
    }
    line = AuditEvent.objects.get(action="IMPORTED")
    assert (line.actor_kind, line.door) == ("API_KEY", "API")
    assert Scan.objects.get(conversation=stored).action == "CONTINUOUS"


def test_each_of_many_has_an_answer_of_its_own(program, acme, tracker):
    now = timezone.now()
    program.post("conversations", {"conversation": sent("same", started_at=now)})
    program.post("conversations", {"conversation": sent("retold", started_at=now)})
    program.post("conversations", {"conversation": sent("renamed", started_at=now)})
    erased(acme, "gone")

    answer = ingest(
        program,
        sent("new"),
        sent("old", started_at=now - timedelta(days=9)),
        sent("same", started_at=now),
        sent("retold", started_at=now, duration_seconds=900),
        sent("renamed", started_at=now, title="Another name"),
        sent("new"),
        sent("gone"),
        sent("silent") | {"kind": "fax"},
        sent("strange") | {"colour": "red"},
        sent("deep") | {"account": {"name": "Globex", "city": "Rome"}},
        sent("late", started_at=now + timedelta(days=3)),
    )

    shown = answer.json()
    assert answer.status_code == 200
    assert [(item["outcome"], item["is_new"], item["revision"]) for item in shown["items"]] == [
        ("CREATED", True, 1),
        ("CREATED", False, 1),
        ("UNCHANGED", None, 1),
        ("REVISED", None, 2),
        ("UPDATED", None, 1),
        *[("REFUSED", None, None)] * 6,
    ]
    reasons = [item["reason"] for item in shown["items"]]
    assert reasons[:5] == [""] * 5
    for reason, word in zip(
        reasons[5:],
        ("twice", "erased", "kind", "colour", "account.city", "more than a day"),
        strict=True,
    ):
        assert word in reason
    counts = {name: shown[name] for name in ("created", "revised", "updated", "unchanged")}
    assert counts == {"created": 2, "revised": 1, "updated": 1, "unchanged": 1}
    assert (shown["refused"], shown["new"], shown["history"], shown["scans"]) == (6, 1, 1, 1)
    assert not Conversation.objects.filter(external_id__in=["gone", "silent", "late"]).exists()


def test_a_dry_run_says_what_is_new_and_what_it_costs_and_keeps_nothing(program, acme, tracker):
    before = Conversation.objects.count()

    answer = program.client.post(
        "/api/v1/conversations/bulk",
        {
            "conversations": [
                sent("a"),
                sent("b", duration_seconds=1800),
                sent("c", started_at=timezone.now() - timedelta(days=9)),
                sent("h0", started_at=Conversation.objects.get(external_id="h0").started_at),
            ],
            "dry_run": True,
        },
        "application/json",
    )

    shown = answer.json()
    assert (shown["new"], shown["history"], shown["scans"], shown["credits"]) == (2, 1, 2, "1.5")
    assert [item["outcome"] for item in shown["items"]] == [
        *["CREATED"] * 3,
        "UNCHANGED",
    ]
    assert [item["id"] is None for item in shown["items"]] == [True, True, True, False]
    assert Conversation.objects.count() == before
    assert not IdempotencyRecord.objects.exists()
    assert not Scan.objects.exists()
    assert not AuditEvent.objects.filter(action="IMPORTED").exists()


def test_a_call_that_cannot_be_read_is_refused_alone(program):
    bad = sent("a")
    bad["utterances"][0]["speaker"] = "nobody"

    answer = program.post("conversations", {"conversation": bad})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_body")
    assert "not a participant" in problem["detail"]
    assert not Conversation.objects.exists()


def test_an_erased_one_stays_erased(program, acme):
    erased(acme, "gone")

    answer = program.post("conversations", {"conversation": sent("gone")})

    assert (answer.status_code, api.problem(answer)["code"]) == (409, "conversation_erased")
    assert Conversation.objects.count() == 1


def test_a_repeated_request_is_done_once(program):
    now = timezone.now()
    body = {"conversations": [sent("a", started_at=now)]}

    first = program.post("conversations/bulk", body, key="once")
    again = program.post("conversations/bulk", body, key="once")
    other = program.post("conversations/bulk", {"conversations": [sent("b")]}, key="once")

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert api.problem(other)["code"] == "idempotency_key_reused"
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 400, "required"),
        ({"conversations": []}, 400, "1 to 200"),
        ({"conversations": [{"id": "x"}] * 201}, 400, "201"),
        ({"conversations": ["x"]}, 400, "list of objects"),
        ({"conversations": [{"id": [[[[[[[[[[[[1]]]]]]]]]]]]}]}, 400, "Nested"),
        ({"conversations": [], "colour": "red"}, 400, "colour"),
        ({"conversations": [{"id": "x" * 9_000_000}]}, 413, "8,388,608 bytes"),
    ],
)
def test_what_is_wrong_with_the_whole_is_refused(program, body, status, word):
    answer = program.post("conversations/bulk", body)

    assert answer.status_code == status
    assert word in api.problem(answer)["detail"]


def test_ingestion_has_a_limit_of_its_own(program, acme, settings):
    settings.API_INGESTIONS_PER_DAY = 2
    settings.API_REQUESTS_PER_DAY = 1

    answers = [program.post("conversations", {"conversation": sent(f"{n}")}) for n in range(3)]
    read = program.get("conversations")

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert "requests that send conversations" in api.problem(answers[2])["detail"]
    assert int(answers[2]["Retry-After"]) > 0
    assert read.status_code == 200
    assert program.get("conversations").status_code == 429
    assert IngestionTally.objects.get(company=acme).day_count == 2


def test_what_was_said_is_shown_only_when_asked_for(program, acme):
    call = conversations.conversation(acme, "a")

    listed = program.get("conversations")
    one = program.get(f"conversations/{call.pk}")
    told = program.get(f"conversations/{call.pk}", include="utterances")

    for answer in (listed, one):
        assert "too expensive" not in answer.content.decode()
    assert one.json()["utterances"] is None
    assert [turn["text"] for turn in told.json()["utterances"]] == [
        "Here is our proposal.",
        "That is too expensive for us.",
    ]
    assert told.json()["utterances"][1]["start_seconds"] == 4.5
    assert {one["name"] for one in one.json()["participants"]} == {"Rita Rep", "Carl Customer"}


def test_an_erased_one_is_listed_without_its_id(program, acme):
    erased(acme, "gone")

    (shown,) = program.get("conversations").json()["items"]

    assert shown["external_id"] is None
    assert shown["erased_at"] is not None
    assert "erased:" not in str(shown)


def test_the_list_is_narrowed(program, acme):
    call = conversations.conversation(acme, "a")
    mail = conversations.conversation(acme, "b", kind="email", account={"name": "Initech"})
    other = people.company("Beta")
    conversations.conversation(other, "a")

    def ids(**query):
        return [
            item["external_id"] for item in program.get("conversations", **query).json()["items"]
        ]

    assert ids() == ["b", "a"]
    assert ids(order="oldest") == ["a", "b"]
    assert ids(kind="EMAIL") == ["b"]
    assert ids(external_id="a") == ["a"]
    assert ids(account=str(mail.account_id)) == ["b"]
    assert ids(deal=str(call.deal_id)) == ["a"]
    assert ids(until="2001-01-01T00:00:00Z") == []


def test_an_ingestion_tally_counts_from_one(program, acme):
    program.post("conversations", {"conversation": sent("a")})
    tally = IngestionTally.objects.get(company=acme)

    assert update_refused_by(tally, day_count=0) == "ingestion_tally_counts_from_one"
