"""``GET /v2/entities/ask-entity``, ``/v2/entities/get-brief`` and ``/v2/settings/briefs``."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from credits.models import LedgerEntry, Scope, UsageEvent
from tests.support import api, conversations, people
from tests.support.conversations import record
from tests.trackers.api.gong import asking
from trackers.models import AskRequest, Brief, BriefSection, CustomerAccount

ASK, BRIEF = "/v2/entities/ask-entity", "/v2/entities/get-brief"
NUMBER = "7782342274025937895"
START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
ABOUT = {
    "workspaceId": "623457276584334",
    "crmEntityType": "ACCOUNT",
    "crmEntityId": "Globex",
    "timePeriod": "ALL_CONVERSATIONS",
}
QUESTION = {**ABOUT, "question": "Is it too expensive?"}


@pytest.fixture
def told(acme):
    """Acme with a short call and an e-mail of Globex: together 0.6 credits."""
    conversations.ingest(
        acme,
        record(NUMBER, started_at=START),
        record("mail-1", started_at=START, kind="email", duration_seconds=0),
        record("11", started_at=START, account={"name": "Initech", "type": ""}, deal=None),
    )
    return acme


@pytest.fixture
def rich(told):
    people.credits_for(told, "10")
    return told


@pytest.fixture
def brief(rich):
    now = timezone.now()
    made = Brief.objects.create(
        company=rich,
        name="Account overview",
        description="Before a call",
        entity_type="ACCOUNT",
        is_published=True,
        created_at=now,
        changed_at=now,
    )
    BriefSection.objects.create(
        company=rich, brief=made, position=1, title="Price", question="Is it too expensive?"
    )
    BriefSection.objects.create(
        company=rich, brief=made, position=2, title="News", kind="WEB", question="news"
    )
    return made


def test_an_answer_names_its_calls_and_says_what_it_cost(rich):
    answer = asking.of(rich).get(ASK, QUESTION)

    found = answer.json()
    assert answer.status_code == 200, found
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.headers["X-Credits-Used"], answer.headers["X-Credits-Remaining"]) == (
        "0.6",
        "9.4",
    )
    assert (found["numOfCallsSearched"], found["numOfEmailsSearched"]) == (1, 1)
    assert set(found) == {"requestId", "numOfCallsSearched", "numOfEmailsSearched", "answer"}
    (section,) = found["answer"]
    assert any("too expensive" in part for part in section["answerItems"])
    assert [one["call"]["id"] for one in section["callFindings"]] == [NUMBER]
    call = section["callFindings"][0]["call"]
    assert call["started"] == "2026-11-02T09:30:00Z"
    assert call["title"] == f"Call {NUMBER}"


def test_an_ask_is_metered_as_a_request_of_its_key(rich):
    key = api.key(rich)

    answer = asking.basic(*asking.halves(key.text)).get(ASK, QUESTION)

    event = UsageEvent.objects.get(company=rich)
    assert (event.action, event.feature_type, event.request_count) == ("API_REQUEST", "ASK", 1)
    assert (event.api_key_ref, event.request_id) == (key.key.pk, answer.json()["requestId"])


def test_at_zero_it_is_402_and_nothing_is_done(told):
    answer = asking.of(told).get(ASK, QUESTION)

    assert answer.status_code == 402
    assert "Retry-After" not in answer.headers
    (sentence,) = asking.errors(answer)
    assert "0.6" in sentence
    assert not AskRequest.objects.exists()
    assert not UsageEvent.objects.exists()


def test_a_repeated_request_is_charged_again_unless_it_brings_its_key(rich):
    program = asking.of(rich)
    retry = {"idempotency-key": "once"}

    plain = [program.get(ASK, QUESTION) for _ in range(2)]
    first, again = (program.get(ASK, QUESTION, headers=retry) for _ in range(2))
    other = program.get(ASK, QUESTION | {"question": "Why?"}, headers=retry)

    assert [one.headers["X-Credits-Remaining"] for one in plain] == ["9.4", "8.8"]
    assert first.headers["X-Credits-Remaining"] == again.headers["X-Credits-Remaining"] == "8.2"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json()["answer"] == again.json()["answer"]
    assert UsageEvent.objects.filter(company=rich).count() == 3
    assert other.status_code == 400
    assert len(asking.errors(other)) == 1


def test_head_is_refused_for_it_would_be_charged(rich):
    answer = asking.of(rich).head(ASK, QUESTION)

    assert answer.status_code == 405
    assert not UsageEvent.objects.exists()


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({"question": ""}, 400, "question: This field is required."),
        ({"workspaceId": "main"}, 400, "workspaceId: Write a whole number."),
        ({"crmEntityId": "Hooli"}, 404, "There is no such account in your company."),
        (
            {"crmEntityType": "account"},
            400,
            "crmEntityType: Write one of ACCOUNT, DEAL, CONTACT, LEAD.",
        ),
        (
            {"timePeriod": "CUSTOM_RANGE"},
            400,
            "fromDateTime: It is required for CUSTOM_RANGE.",
        ),
        (
            {
                "timePeriod": "CUSTOM_RANGE",
                "fromDateTime": "2026-11-02T00:00:00Z",
                "toDateTime": "2026-11-02T00:00:00Z",
            },
            400,
            "toDateTime: It is not later than fromDateTime.",
        ),
        (
            {"toDateTme": "2026-11-02T00:00:00Z"},
            400,
            "toDateTme: There is no such parameter. Did you mean “toDateTime”?",
        ),
    ],
)
def test_a_wrong_question_costs_nothing(rich, changes, status, sentence):
    answer = asking.of(rich).get(ASK, QUESTION | changes)

    assert answer.status_code == status
    assert asking.errors(answer) == [sentence]
    assert not UsageEvent.objects.exists()


def test_a_range_is_half_open_and_ends_now_unless_it_says(rich):
    def searched(**ends):
        asked = QUESTION | {"timePeriod": "CUSTOM_RANGE"} | ends
        found = asking.of(rich).get(ASK, asked).json()
        return found["numOfCallsSearched"], found["numOfEmailsSearched"]

    assert searched(fromDateTime="2026-11-02T09:30:00Z") == (1, 1)
    assert searched(fromDateTime="2026-11-02T09:30:01Z") == (0, 0)
    assert searched(fromDateTime="2026-11-01T00:00:00Z", toDateTime="2026-11-02T09:30:00Z") == (
        0,
        0,
    )


def test_the_ends_of_a_range_say_nothing_of_another_period(rich):
    answer = asking.of(rich).get(ASK, QUESTION | {"fromDateTime": "2026-12-01T00:00:00Z"})

    assert answer.json()["numOfCallsSearched"] == 1


def test_another_company_s_account_is_not_found(rich, beta):
    conversations.conversation(beta, "1", account={"name": "Secret Ltd", "type": ""})
    theirs = CustomerAccount.objects.get(company=beta)

    for name in ("Secret Ltd", str(theirs.pk)):
        answer = asking.of(rich).get(ASK, QUESTION | {"crmEntityId": name})
        assert answer.status_code == 404
        assert asking.errors(answer) == ["There is no such account in your company."]


def test_asking_and_briefs_take_their_scopes(rich):
    program = asking.of(rich, Scope.BALANCE_READ)

    assert program.get(ASK, QUESTION).status_code == 403
    assert program.get(BRIEF, ABOUT | {"briefName": "x"}).status_code == 403
    assert program.get("/v2/settings/briefs").status_code == 401


def test_a_brief_has_its_sections_and_the_calls_they_rest_on(rich, brief):
    answer = asking.of(rich).get(BRIEF, ABOUT | {"briefName": "Account overview"})

    found = answer.json()
    assert answer.status_code == 200, found
    assert (found["numOfCallsSearched"], found["numOfEmailsSearched"]) == (1, 1)
    price, news = found["briefSections"]
    assert (price["title"], price["briefSectionType"]) == ("Price", "Conversations")
    assert price["sectionSummary"][0].startswith("Quoted, not answered")
    assert any("too expensive" in one for one in price["sectionSummary"][1:])
    assert [one["call"]["id"] for one in price["conversationFindings"]["callFindings"]] == [NUMBER]
    assert (news["title"], news["briefSectionType"], news["webFindings"]) == ("News", "Web", [])
    assert len(news["sectionSummary"]) == 1
    assert answer.headers["X-Credits-Used"] == "0.6"
    assert answer.headers["X-Credits-Remaining"] == "9.4"
    entry = LedgerEntry.objects.filter(company=rich).order_by("-sequence").first()
    assert (entry.kind, str(entry.amount)) == ("CONSUMED", "-0.600")


def test_an_unknown_brief_is_not_found_and_an_unpublished_one_is_refused(rich, brief, beta):
    Brief.objects.filter(pk=brief.pk).update(is_published=False)

    unknown = asking.of(rich).get(BRIEF, ABOUT | {"briefName": "Hooli"})
    draft = asking.of(rich).get(BRIEF, ABOUT | {"briefName": "Account overview"})
    theirs = asking.of(beta).get(BRIEF, ABOUT | {"briefName": "Account overview"})

    assert (unknown.status_code, draft.status_code, theirs.status_code) == (404, 400, 404)
    assert asking.errors(unknown) == asking.errors(theirs)
    assert asking.errors(draft) == [
        "briefName: This brief is not published; an admin of your company can publish it."
    ]


def test_briefs_are_listed_with_their_state(rich, brief, beta):
    (found,) = asking.of(rich).get("/v2/settings/briefs").json()["briefs"]

    assert found.pop("created") == found.pop("updated")
    assert found.pop("workspaceId").isdigit()
    assert found == {
        "briefId": str(brief.pk.int & (2**62 - 1)),
        "briefName": "Account overview",
        "description": "Before a call",
        "status": "Published",
    }
    assert asking.of(beta).get("/v2/settings/briefs").json()["briefs"] == []


def test_a_name_that_several_deals_have_is_refused_under_the_name_of_its_parameter(rich):
    twice = {"name": "Globex robots", "stage": ""}
    conversations.ingest(rich, record("12", account={"name": "Initech", "type": ""}, deal=twice))
    asked = QUESTION | {"crmEntityType": "DEAL", "crmEntityId": "Globex robots"}

    answer = asking.of(rich).get(ASK, asked)

    assert answer.status_code == 400
    (sentence,) = asking.errors(answer)
    assert sentence.startswith("crmEntityId: Several deals are named “Globex robots”: ")
