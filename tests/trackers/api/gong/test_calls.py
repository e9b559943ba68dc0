"""``POST /v2/calls/extensive`` and ``POST /v2/calls/transcript``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from credits.models import Scope
from tests.support import conversations, people
from tests.support.conversations import record
from tests.trackers.api.gong import asking
from tests.trackers.api.gong.asking import post
from trackers import erasure, erasure_requests, scanning
from trackers.importers import gong
from trackers.models import Conversation, TeamMember

NUMBER = "7782342274025937895"
START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
EXTENSIVE, TRANSCRIPT = "/v2/calls/extensive", "/v2/calls/transcript"
EVERYTHING = {
    "context": "Extended",
    "contextTiming": ["Now", "TimeOfCall"],
    "exposedFields": {
        "parties": True,
        "content": {"trackers": True, "trackerOccurrences": True, "topics": True, "brief": True},
        "interaction": {"speakers": True},
        "collaboration": {"publicComments": True},
        "media": True,
    },
}


@pytest.fixture
def call(acme):
    return conversations.conversation(acme, NUMBER, started_at=START, language="de")


def test_a_call_s_facts_are_under_the_names_that_clients_read(acme, call):
    answer = post(asking.of(acme), EXTENSIVE, {"filter": {"callIds": [NUMBER]}})

    owner = TeamMember.objects.get(company=acme)
    found = answer.json()
    assert answer.status_code == 200
    assert found["requestId"] == answer.headers["X-Request-Id"]
    assert found["records"] == {
        "totalRecords": 1,
        "currentPageSize": 1,
        "currentPageNumber": 0,
    }
    (one,) = found["calls"]
    workspace = one["metaData"].pop("workspaceId")
    assert workspace.isdigit()
    assert len(workspace) <= 20
    assert one == {
        "metaData": {
            "id": NUMBER,
            "url": f"http://testserver/admin/trackers/conversation/{call.pk}/change/",
            "title": f"Call {NUMBER}",
            "scheduled": "2026-11-02T09:30:00Z",
            "started": "2026-11-02T09:30:00Z",
            "duration": 300,
            "primaryUserId": str(owner.pk.int & (2**62 - 1)),
            "direction": "Unknown",
            "system": "test",
            "scope": "External",
            "language": "ger",
            "clientUniqueId": NUMBER,
            "isPrivate": False,
        }
    }


def test_the_selector_adds_context_parties_and_who_spoke(acme, call):
    owner = str(TeamMember.objects.get(company=acme).pk.int & (2**62 - 1))
    Conversation.objects.filter(pk=call.pk).update(deal_stage="discovery")

    answer = post(asking.of(acme), EXTENSIVE, {"filter": {}, "contentSelector": EVERYTHING})

    (one,) = answer.json()["calls"]
    (system,) = one["context"]
    assert [(item["objectType"], item["timing"], item["fields"]) for item in system["objects"]] == [
        ("Account", "Now", [named("Name", "Globex"), named("Type", "prospect")]),
        ("Opportunity", "Now", [named("Name", "Globex robots"), named("StageName", "evaluation")]),
        ("Account", "TimeOfCall", [named("Name", "Globex"), named("Type", "prospect")]),
        (
            "Opportunity",
            "TimeOfCall",
            [named("Name", "Globex robots"), named("StageName", "discovery")],
        ),
    ]
    rita, carl = one["parties"]
    assert (rita["name"], rita["emailAddress"], rita["affiliation"], rita["userId"]) == (
        "Rita Rep",
        "rep@acme.example",
        "Internal",
        owner,
    )
    assert (carl["name"], carl["affiliation"]) == ("Carl Customer", "External")
    assert "userId" not in carl
    assert {party["speakerId"] == party["id"] for party in one["parties"]} == {True}
    assert one["interaction"]["speakers"] == [
        {"id": rita["id"], "userId": owner, "talkTime": 4.5},
        {"id": carl["id"], "talkTime": 295.5},
    ]
    assert one["content"] == {"topics": [], "trackers": []}
    assert (one["collaboration"], one["media"]) == ({"publicComments": []}, {})


def named(name, value):
    return {"name": name, "value": value}


def test_what_a_tracker_found_is_in_the_content(acme):
    people.credits_for(acme, "100")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    conversations.ingest(acme, record(NUMBER, started_at=now - timedelta(days=1)), now=now)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)

    answer = post(asking.of(acme), EXTENSIVE, {"filter": {}, "contentSelector": EVERYTHING})

    (one,) = answer.json()["calls"]
    (found,) = one["content"]["trackers"]
    carl = next(party for party in one["parties"] if party["name"] == "Carl Customer")
    assert (found["name"], found["type"], found["count"]) == ("Pricing objection", "SMART", 1)
    assert found["occurrences"] == [{"startTime": 4.5, "speakerId": carl["speakerId"]}]
    listed = asking.of(acme).get("/v2/settings/trackers").json()["keywordTrackers"]
    assert [one["trackerId"] for one in listed] == [found["id"]]


def test_what_was_found_takes_the_scope_of_results(acme, call):
    program = asking.of(acme, Scope.CONVERSATIONS_READ)

    facts = post(program, EXTENSIVE, {"filter": {}})
    found = post(program, EXTENSIVE, {"filter": {}, "contentSelector": EVERYTHING})

    assert facts.status_code == 200
    # The published schema knows no 403 for calls.
    assert found.status_code == 401
    assert asking.errors(found) == [
        "This key may not do this (read what trackers found): it lacks the scope results:read."
    ]


def test_a_transcript_has_monologues_with_times_in_milliseconds(acme, call):
    speakers = {
        party["name"]: party["speakerId"]
        for party in post(
            asking.of(acme), EXTENSIVE, {"filter": {}, "contentSelector": EVERYTHING}
        ).json()["calls"][0]["parties"]
    }

    answer = post(asking.of(acme), TRANSCRIPT, {"filter": {"callIds": [NUMBER]}})

    assert answer.json()["callTranscripts"] == [
        {
            "callId": NUMBER,
            "transcript": [
                {
                    "speakerId": speakers["Rita Rep"],
                    "sentences": [{"start": 0, "end": 4500, "text": "Here is our proposal."}],
                },
                {
                    "speakerId": speakers["Carl Customer"],
                    "sentences": [
                        {"start": 4500, "end": 300000, "text": "That is too expensive for us."}
                    ],
                },
            ],
        }
    ]


def test_what_is_answered_can_be_imported_again(acme, beta, call, tmp_path):
    program = asking.of(acme)
    for name, path in (("calls.json", EXTENSIVE), ("transcripts.json", TRANSCRIPT)):
        body = {"filter": {}} | ({"contentSelector": EVERYTHING} if path == EXTENSIVE else {})
        (tmp_path / name).write_bytes(post(program, path, body).content)

    reader = gong.Reader(sorted(tmp_path.iterdir()), arrived_at=timezone.now())
    conversations.ingest(beta, *reader)

    assert reader.bad_lines == []
    copy = Conversation.objects.get(company=beta)
    assert (copy.external_id, copy.started_at, copy.duration_seconds) == (NUMBER, START, 300)
    assert (copy.account.name, copy.deal.stage) == ("Globex", "evaluation")
    assert list(
        copy.utterances.order_by("position").values_list("affiliation", "start_seconds", "text")
    ) == list(
        call.utterances.order_by("position").values_list("affiliation", "start_seconds", "text")
    )


def test_a_call_without_a_number_of_its_own_is_found_by_ours(acme):
    made = conversations.conversation(acme, "call-1", started_at=START)
    conversations.conversation(acme, "call-2", started_at=START)
    number = str(made.pk.int & (2**62 - 1))

    answer = post(asking.of(acme), TRANSCRIPT, {"filter": {"callIds": [number, "99"]}})

    assert [one["callId"] for one in answer.json()["callTranscripts"]] == [number]


def test_the_range_is_half_open_and_the_host_one_of_those_asked_for(acme):
    for day in (1, 2, 3):
        conversations.conversation(acme, str(day), started_at=datetime(2026, 11, day, tzinfo=UTC))
    conversations.conversation(acme, "4", started_at=START, owner=None)
    owner = str(TeamMember.objects.get(company=acme).pk.int & (2**62 - 1))

    def found(**asked):
        body = {"filter": asked}
        return [
            one["metaData"]["id"] for one in post(asking.of(acme), EXTENSIVE, body).json()["calls"]
        ]

    assert found(fromDateTime="2026-11-01T00:00:00Z", toDateTime="2026-11-02T00:00:00Z") == ["1"]
    assert found(fromDateTime="2026-11-02T02:00:00+02:00") == ["2", "4", "3"]
    assert found(primaryUserIds=[owner], fromDateTime=None, callIds=None) == ["1", "2", "3"]


def test_pages_hold_100_calls_each_once(acme, monkeypatch):
    conversations.ingest(
        acme,
        *(
            record(str(number), started_at=START + timedelta(minutes=number % 3))
            for number in range(205)
        ),
    )
    program, cursor, seen, records = asking.of(acme), None, [], []

    while True:
        answer = post(program, EXTENSIVE, {"cursor": cursor, "filter": {}}).json()
        seen += [one["metaData"]["id"] for one in answer["calls"]]
        cursor = answer["records"].pop("cursor", None)
        records.append(tuple(answer["records"].values()))
        if cursor is None:
            break

    assert sorted(seen, key=int) == [str(number) for number in range(205)]
    assert records == [(205, 100, 0), (205, 100, 1), (205, 5, 2)]


def test_a_cursor_is_of_its_query(acme):
    conversations.ingest(acme, *(record(str(number), started_at=START) for number in range(101)))
    cursor = post(asking.of(acme), EXTENSIVE, {"filter": {}}).json()["records"]["cursor"]

    for body in (
        {"cursor": cursor, "filter": {"toDateTime": "2027-01-01T00:00:00Z"}},
        {"cursor": "nonsense", "filter": {}},
    ):
        answer = post(asking.of(acme), EXTENSIVE, body)
        assert answer.status_code == 400
        assert len(asking.errors(answer)) == 1


def test_a_refused_cursor_is_called_what_it_is_called_there(acme, call):
    answer = post(asking.of(acme), EXTENSIVE, {"cursor": "nonsense", "filter": {}})

    (sentence,) = asking.errors(answer)
    assert sentence.endswith("Take records.cursor of the page before as it is.")


@pytest.mark.parametrize("path", [EXTENSIVE, TRANSCRIPT])
def test_no_call_is_404_in_the_words_of_that_api(acme, path):
    answer = post(asking.of(acme), path, {"filter": {"callIds": [NUMBER]}})

    assert answer.status_code == 404
    assert asking.errors(answer) == ["No calls found corresponding to the provided filters."]


def test_erased_calls_and_e_mails_are_no_calls(acme, call):
    conversations.conversation(acme, "12", kind="email", duration_seconds=0)
    erasure.erase(
        request=erasure_requests.by_external_id(company=acme, external_id=NUMBER),
        by=None,
        reason="Asked for by letter",
        now=timezone.now(),
    )

    assert post(asking.of(acme), EXTENSIVE, {"filter": {}}).status_code == 404


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "filter: This field is required."),
        (
            {"filter": {"callIds": "1"}},
            'filter.callIds: Expected a list of items but got type "str".',
        ),
        (
            {"filter": {"fromDateTime": "yesterday"}},
            "filter.fromDateTime: Write an instant like 2026-11-01T00:00:00Z.",
        ),
        (
            {
                "filter": {
                    "fromDateTime": "2026-11-02T00:00:00Z",
                    "toDateTime": "2026-11-01T00:00:00Z",
                }
            },
            "filter.toDateTime: It is before fromDateTime.",
        ),
        (
            {"filter": {}, "contentSelector": {"context": "basic"}},
            "contentSelector.context: Write one of None, Basic, Extended. Did you mean “Basic”?",
        ),
        (
            {"filter": {}, "contentSelector": {"exposedFields": {"parties": "yes"}}},
            "contentSelector.exposedFields.parties: Write true or false.",
        ),
    ],
)
def test_a_wrong_body_is_refused_in_one_sentence(acme, call, body, sentence):
    answer = post(asking.of(acme), EXTENSIVE, body)

    assert answer.status_code == 400
    assert asking.errors(answer) == [sentence]


def test_another_company_s_call_answers_like_none(acme, beta):
    theirs = conversations.conversation(beta, NUMBER, started_at=START)
    derived = conversations.conversation(beta, "call-1", started_at=START)
    number = str(derived.pk.int & (2**62 - 1))
    conversations.conversation(acme, "5", started_at=START)
    owner = str(theirs.owner_id.int & (2**62 - 1))

    for asked in ({"callIds": [NUMBER, number]}, {"primaryUserIds": [owner]}):
        answer = post(asking.of(acme), EXTENSIVE, {"filter": asked})
        assert answer.status_code == 404
        assert asking.errors(answer) == ["No calls found corresponding to the provided filters."]


def test_a_workspace_answers_under_the_number_it_was_asked_by(acme, call):
    def answered(workspace):
        body = {"filter": {"workspaceId": workspace}}
        return post(asking.of(acme), EXTENSIVE, body)

    assert answered("623457276584334").json()["calls"][0]["metaData"]["workspaceId"] == (
        "623457276584334"
    )
    assert answered("main").status_code == 404


def test_a_page_of_calls_takes_the_same_few_queries_however_many(
    acme, django_assert_max_num_queries
):
    conversations.ingest(acme, *(record(str(number), started_at=START) for number in range(60)))
    program = asking.of(acme)

    with django_assert_max_num_queries(12):
        answer = post(program, EXTENSIVE, {"filter": {}, "contentSelector": EVERYTHING})

    assert answer.json()["records"]["currentPageSize"] == 60
