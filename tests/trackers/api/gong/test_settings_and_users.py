"""``GET /v2/users`` and ``GET /v2/settings/trackers``."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from tests.support import conversations, people
from tests.trackers.api.gong import asking
from trackers.models import TeamMember, Tracker, TrackerFilter, TrackerVersion

RITA = UUID("019ab3d4-8c00-7abc-8000-00000000002a")


def test_team_members_are_users(acme):
    TeamMember.objects.create(
        pk=RITA, company=acme, email="rita@acme.example", name="Rita Maria Rep"
    )

    answer = asking.of(acme).get("/v2/users")

    found = answer.json()
    assert found.pop("requestId") == answer.headers["X-Request-Id"]
    assert found == {
        "records": {"totalRecords": 1, "currentPageSize": 1, "currentPageNumber": 0},
        "users": [
            {
                "id": "42",
                "emailAddress": "rita@acme.example",
                "created": "2025-11-24T03:07:22.496000Z",
                "active": True,
                "emailAliases": [],
                "trustedEmailAddress": "rita@acme.example",
                "firstName": "Rita",
                "lastName": "Maria Rep",
                "personalMeetingUrls": [],
            }
        ],
    }


def test_whose_login_was_deactivated_is_not_active(acme):
    bob = people.bob(acme)
    TeamMember.objects.create(company=acme, email="bob@acme.example", user=bob)
    bob.is_active = False
    bob.save()

    (user,) = asking.of(acme).get("/v2/users").json()["users"]

    assert user["active"] is False


def test_a_company_without_people_has_an_empty_page(acme):
    found = asking.of(acme).get("/v2/users").json()

    assert found["records"] == {"totalRecords": 0, "currentPageSize": 0, "currentPageNumber": 0}
    assert found["users"] == []


def test_users_come_100_a_page_each_once(acme, beta):
    for company, count in ((acme, 201), (beta, 3)):
        TeamMember.objects.bulk_create(
            TeamMember(company=company, email=f"p{number}@example.org") for number in range(count)
        )
    program, query, seen, records = asking.of(acme), {}, [], []

    while query is not None:
        found = program.get("/v2/users", query).json()
        seen += [one["emailAddress"] for one in found["users"]]
        cursor = found["records"].pop("cursor", None)
        records.append(tuple(found["records"].values()))
        query = {"cursor": cursor} if cursor else None

    assert sorted(seen) == sorted(f"p{number}@example.org" for number in range(201))
    assert records == [(201, 100, 0), (201, 100, 1), (201, 1, 2)]


def test_a_keyword_tracker_says_its_words_and_where_it_looks_for_them(acme):
    alice = people.alice(acme)
    member = TeamMember.objects.create(company=acme, email="alice@acme.example", user=alice)
    tracker = Tracker.objects.create(
        company=acme, name="Competitors", kind="KEYWORD", language="uk", created_by=alice
    )
    TrackerVersion.objects.create(
        company=acme,
        tracker=tracker,
        number=1,
        kind="KEYWORD",
        question="Initech, Hooli",
        terms=["Initech", "Hooli"],
        related_forms=True,
        side="CUSTOMER",
        part="FIRST",
        part_minutes=5,
    )
    for stage, is_excluded in (("won", True), ("evaluation", False), ("lost", True)):
        TrackerFilter.objects.create(
            company=acme, tracker=tracker, field="DEAL_STAGE", text=stage, is_excluded=is_excluded
        )

    answer = asking.of(acme).get("/v2/settings/trackers", {"workspaceId": "623457276584334"})

    (found,) = answer.json()["keywordTrackers"]
    created, updated = (datetime.fromisoformat(found.pop(name)) for name in ("created", "updated"))
    assert created == tracker.created_at
    assert created <= updated <= datetime.now(UTC)
    assert found == {
        "trackerId": str(tracker.pk.int & (2**62 - 1)),
        "trackerName": "Competitors",
        "workspaceId": "623457276584334",
        "languageKeywords": [
            {"language": "ukr", "keywords": ["Initech", "Hooli"], "includeRelatedForms": True}
        ],
        "affiliation": "NonCompany",
        "partOfQuestion": False,
        "saidAt": "First",
        "saidAtInterval": 5,
        "saidAtUnit": "minutes",
        "saidInTopics": [],
        "filterQuery": '{"type": "And", "filters": [{"type": "DealStage", "terms": ["won", '
        '"lost"], "exclude": true}, {"type": "DealStage", "terms": ["evaluation"]}]}',
        "creatorUserId": str(member.pk.int & (2**62 - 1)),
    }


def test_other_trackers_are_listed_without_keywords(acme, beta):
    conversations.published(acme, people.alice(acme))
    conversations.tracker(beta, "Theirs")

    (found,) = asking.of(acme).get("/v2/settings/trackers").json()["keywordTrackers"]

    assert (found["trackerName"], found["languageKeywords"], found["saidAt"]) == (
        "Pricing objection",
        [],
        "Anytime",
    )
    assert "creatorUserId" not in found


def test_a_workspace_that_is_no_number_is_not_found(acme):
    answer = asking.of(acme).get("/v2/settings/trackers", {"workspaceId": "main"})

    assert answer.status_code == 404
    assert asking.errors(answer) == ["Workspace not found: its id is a number."]
