"""Grants, ledger, usage, rates: rows, filters, and pages that miss and repeat nothing."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from credits import charging, rate_cards
from credits.identifiers import new_id
from credits.ledger import Use
from credits.models import Integration, LedgerEntry
from credits.rating import Work
from tests.credits.conftest import NOON
from tests.support import api, people, statement

V1 = "/api/v1"
DAY = timedelta(days=1)


@pytest.fixture
def program(acme):
    return api.of(acme, by=api.admin(acme))


def items(program, url, **query):
    answer = program.get(f"{V1}/{url}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()["items"]


def walk(program, url, **query) -> list[dict]:
    """Follow the cursors from page to page."""
    rows: list[dict] = []
    while True:
        page = program.get(f"{V1}/{url}", query).json()
        rows += page["items"]
        if page["next_cursor"] is None:
            return rows
        query["cursor"] = page["next_cursor"]


def used(company, name="Ask anything", *, feature="ASK", action="API_REQUEST", free=False, **refs):
    return charging.charge(
        company=company,
        use=Use(feature, name, refs.pop("ref", None), action, **refs),
        work=Work(emails_with_text=10),
        rates=people.rates(),
        is_free=free,
    )


def test_a_grant_says_what_it_is(acme, program):
    grant = statement.lot(acme, "PO-118", "10", expires_at=NOON + DAY)
    statement.charge(acme, "1.5")
    statement.reserve(acme, "2")

    found = program.get(f"{V1}/grants/{grant.pk}").json()

    assert found == {
        "id": str(grant.pk),
        "source": "PURCHASE",
        "status": "ACTIVE",
        "amount": "10.0",
        "remaining": "8.5",
        "reserved": "2.0",
        "voided": "0.0",
        "corrected_down": "0.0",
        "effective_at": "2026-03-02T12:00:00Z",
        "expires_at": "2026-03-03T12:00:00Z",
        "priority": 100,
        "reference": "PO-118",
        "created_at": "2026-03-02T12:00:00Z",
    }
    assert items(program, "grants") == [found]


def test_grants_are_found_by_source_and_status(acme, program, clock):
    statement.lot(acme, "ends", "3", expires_at=NOON + DAY)
    statement.lot(acme, "spent", "2", expires_at=NOON + 5 * DAY, priority=1)
    statement.charge(acme, "2")
    statement.lot(acme, "later", "4", effective_at=NOON + 9 * DAY)
    statement.lot(acme, "gift", "5", source="ADJUSTMENT")
    clock.set(NOON + 2 * DAY)

    def names(**query):
        return [grant["reference"] for grant in items(program, "grants", **query)]

    assert names() == ["gift", "later", "spent", "ends"]
    assert names(order="oldest") == ["ends", "spent", "later", "gift"]
    assert names(source="ADJUSTMENT") == ["gift"]
    assert names(status="EXPIRED") == ["ends"]
    assert names(status="USED_UP") == ["spent"]
    assert names(status="SCHEDULED") == ["later"]
    assert names(status="ACTIVE") == ["gift"]
    assert names(status="VOIDED") == []


def test_an_entry_says_what_changed_and_which_grants_paid(acme, program, clock):
    first = statement.lot(acme, "first", "3", expires_at=NOON + DAY)
    second = statement.lot(acme, "second", "10")
    clock.set(NOON + timedelta(hours=1))
    event = statement.charge(acme, "4.25")
    entry = LedgerEntry.objects.get(company=acme, sequence=3)

    found = program.get(f"{V1}/ledger/3").json()

    assert found == {
        "sequence": 3,
        "kind": "CONSUMED",
        "amount": "-4.25",
        "balance_before": "13.0",
        "balance_after": "8.75",
        "occurred_at": "2026-03-02T13:00:00Z",
        "recorded_at": "2026-03-02T13:00:00Z",
        "cause": "CHARGE",
        "cause_id": str(event.pk),
        "grant_id": None,
        "usage_id": str(event.pk),
        "corrects_sequence": None,
        "hash": bytes(entry.hash).hex(),
        "drawdowns": [
            {"grant_id": str(first.pk), "amount": "-3.0"},
            {"grant_id": str(second.pk), "amount": "-1.25"},
        ],
    }
    assert items(program, "ledger")[0] == found


def test_entries_are_found_by_range_kind_and_place(acme, program, clock):
    statement.lot(acme, "March", "10", expires_at=NOON + 3 * DAY)
    clock.set(NOON + DAY)
    statement.charge(acme, "1")
    clock.set(NOON + 4 * DAY)

    def places(**query):
        return [entry["sequence"] for entry in items(program, "ledger", **query)]

    assert places() == [3, 2, 1]
    assert places(order="oldest") == [1, 2, 3]
    assert places(since="2026-03-03T12:00:00Z") == [3, 2]
    assert places(until="2026-03-03T12:00:00Z") == [1]
    assert places(since="2026-03-03T12:00:00Z", until="2026-03-05T12:00:00Z") == [2]
    assert places(since="2026-03-05T12:00:00Z", until="2026-03-03T12:00:00Z") == []
    assert places(kind="EXPIRED") == [3]
    assert places(after_sequence=1, order="oldest") == [2, 3]
    assert places(after_sequence=3) == []


def test_there_is_no_entry_beyond_the_last_nor_before_the_first(acme, program):
    statement.lot(acme, "March", "10")

    for place in ("0", "2", "9" * 30):
        answer = program.get(f"{V1}/ledger/{place}")
        assert (answer.status_code, api.problem(answer)["code"]) == (404, "not_found")


def test_usage_says_what_ran_and_what_it_cost(acme, program):
    statement.lot(acme, "March", "10")
    desk = Integration.objects.create(company=acme, name="Desk", kind="API")
    user, team, feature = new_id(), new_id(), new_id()
    event = charging.charge(
        company=acme,
        use=Use("ASK", "Ask anything", feature, "API_REQUEST", desk.pk, None, user, team, "r-1"),
        work=Work(long_calls=2, emails_with_text=5, emails_without_text=1, request_count=1),
        rates=people.rates(),
    )

    found = program.get(f"{V1}/usage/{event.pk}").json()

    assert found == {
        "id": str(event.pk),
        "occurred_at": "2026-03-02T12:00:00Z",
        "feature_type": "ASK",
        "feature_name": "Ask anything",
        "feature_id": str(feature),
        "action": "API_REQUEST",
        "integration_id": str(desk.pk),
        "integration_name": "Desk",
        "user_id": str(user),
        "team_id": str(team),
        "calls": 2,
        "emails": 6,
        "web_searches": 0,
        "requests": 1,
        "amount": "2.5",
        "sequence": 2,
    }
    assert items(program, "usage") == [found]


def test_usage_is_found_by_what_ran_why_and_for_whom(acme, program, clock):
    statement.lot(acme, "March", "10")
    tracker, desk, user, team = new_id(), new_id(), new_id(), new_id()
    used(acme, "Ask", integration_ref=desk)
    clock.set(NOON + DAY)
    used(acme, "Prices", feature="TRACKER", action="CONTINUOUS", ref=tracker, team_ref=team)
    used(acme, "Prices", feature="TRACKER", action="BACKFILL", ref=tracker)
    used(acme, "Brief", feature="BRIEF", ref=tracker, user_ref=user)
    used(acme, "Test", feature="TRACKER", action="PREVIEW", ref=tracker, free=True)

    def names(**query):
        return [
            f"{event['feature_name']} {event['action']}"
            for event in items(program, "usage", order="oldest", **query)
        ]

    ask, live, backfill = "Ask API_REQUEST", "Prices CONTINUOUS", "Prices BACKFILL"
    brief, preview = "Brief API_REQUEST", "Test PREVIEW"
    assert names() == [ask, live, backfill, brief]
    assert names(include_free_use="true") == [ask, live, backfill, brief, preview]
    assert names(feature="TRACKER") == [live, backfill]
    assert names(action="BACKFILL") == [backfill]
    assert names(action="PREVIEW") == [preview]
    assert names(action="REUSED") == []
    assert names(tracker=str(tracker)) == [live, backfill]
    assert names(integration=str(desk)) == [ask]
    assert names(user=str(user)) == [brief]
    assert names(team=str(team)) == [live]
    assert names(until="2026-03-03T12:00:00Z") == [ask]
    assert names(since="2026-03-03T12:00:00Z", feature="BRIEF") == [brief]


def test_usage_comes_in_ledger_order_even_within_one_instant(acme, program):
    """All of it happens at noon, so that only the place in the ledger tells it apart."""
    statement.lot(acme, "March", "10")
    for number in range(4):
        used(acme, f"paid {number}")
        used(acme, f"free {number} a", action="MANUAL", free=True)
        used(acme, f"free {number} b", action="MANUAL", free=True)

    rows = walk(program, "usage", include_free_use="true", order="oldest", limit=2)

    assert [row["feature_name"] for row in rows] == [
        name
        for number in range(4)
        for name in (f"paid {number}", f"free {number} a", f"free {number} b")
    ]
    backwards = walk(program, "usage", include_free_use="true", limit=5)
    assert backwards == rows[::-1]


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 3, 7, 200])
def test_pages_miss_and_repeat_nothing(acme, program, clock, order, limit):
    for number in range(1, 8):
        statement.lot(acme, f"lot {number}", "1")
        used(acme, f"use {number}")
        clock.advance(timedelta(hours=number % 2))

    for url, key in (("grants", "id"), ("ledger", "sequence"), ("usage", "id")):
        whole = items(program, url, order=order, limit=200)
        rows = walk(program, url, order=order, limit=limit)
        assert rows == whole
        assert len({row[key] for row in rows}) == len(rows) == (14 if url == "ledger" else 7)


def test_rows_that_arrive_meanwhile_neither_shift_nor_repeat_a_page(acme, program):
    for _ in range(4):
        statement.lot(acme, "lot", "1")
    first = program.get(f"{V1}/ledger", {"limit": 2}).json()
    statement.lot(acme, "late", "1")

    second = items(program, "ledger", limit=2, cursor=first["next_cursor"])

    assert [entry["sequence"] for entry in first["items"]] == [4, 3]
    assert [entry["sequence"] for entry in second] == [2, 1]


def test_the_next_page_is_linked(acme, program):
    for _ in range(3):
        statement.lot(acme, "lot", "1")
    first = program.get(f"{V1}/ledger", {"limit": 2, "kind": "GRANTED"})
    address = first["Link"].removeprefix("<http://testserver").removesuffix('>; rel="next"')

    second = program.get(address)

    assert [entry["sequence"] for entry in second.json()["items"]] == [1]
    assert "Link" not in second


def test_a_page_that_is_just_full_is_the_last(acme, program):
    for _ in range(2):
        statement.lot(acme, "lot", "1")

    assert program.get(f"{V1}/ledger", {"limit": 2}).json()["next_cursor"] is None


def test_a_cursor_belongs_to_one_query(acme, program):
    for _ in range(3):
        statement.lot(acme, "lot", "1")
    cursor = program.get(f"{V1}/ledger", {"limit": 1}).json()["next_cursor"]

    for url, query in (
        ("ledger", {"order": "oldest"}),
        ("ledger", {"kind": "GRANTED"}),
        ("grants", {}),
    ):
        answer = program.get(f"{V1}/{url}", query | {"cursor": cursor})
        assert (answer.status_code, api.problem(answer)["code"]) == (400, "invalid_cursor")
    assert len(items(program, "ledger", limit=2, cursor=cursor)) == 2


def forged(*values) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "AAAA",
        "{}",
        forged(),
        forged("x"),
        forged("x", True),
        forged("x", -1),
        forged("x", 2**63),
        forged("x", 1, 2),
        forged("x", [1]),
        forged("x", {"a": 1}),
        "W" * 400,
        "é",
        "\x00",
    ],
)
def test_a_cursor_made_by_hand_leads_nowhere(program, cursor):
    for url in ("grants", "ledger", "usage", "purchases"):
        answer = program.get(f"{V1}/{url}", {"cursor": cursor})

        assert answer.status_code == 400
        assert api.problem(answer)["code"] in ("invalid_cursor", "invalid_parameter")


def test_the_rate_card_is_the_one_in_force(program):
    rate_cards.publish(
        effective_at=NOON + 400 * DAY,
        rates=dict.fromkeys(("EMAIL", "CALL_LONG", "CALL_SHORT", "WEB_SEARCH"), Decimal("0.125")),
        note="",
        by=None,
        now=NOON,
    )

    now = program.get(f"{V1}/rate-card", {"as_of": "2026-03-02T12:00:00Z"}).json()
    later = program.get(f"{V1}/rate-card", {"as_of": "2027-04-06T12:00:00Z"}).json()

    assert now == {
        "effective_at": "2020-01-01T00:00:00Z",
        "until": "2027-04-06T12:00:00Z",
        "rates": [
            {"item": "EMAIL", "name": "E-mail analysed", "amount": "0.1"},
            {"item": "CALL_LONG", "name": "Call longer than 10 minutes", "amount": "1.0"},
            {"item": "CALL_SHORT", "name": "Call of 10 minutes or less", "amount": "0.5"},
            {"item": "WEB_SEARCH", "name": "Web search in a brief", "amount": "5.0"},
        ],
    }
    assert (later["effective_at"], later["until"]) == ("2027-04-06T12:00:00Z", None)
    assert later["rates"][0]["amount"] == "0.125"


def test_before_the_first_rate_card_there_is_none(program):
    answer = program.get(f"{V1}/rate-card", {"as_of": "2019-12-31T23:59:59Z"})

    assert (answer.status_code, api.problem(answer)["code"]) == (404, "not_found")
