"""GET /api/v1/usage?group_by=: what eats the credits, in sums that add up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import charging, metering
from credits.api import usage_sums
from credits.identifiers import new_id
from credits.ledger import Use
from credits.models import Integration
from credits.rating import Work
from tests.credits.conftest import NOON
from tests.support import api, people, statement
from trackers.models import Team

URL = "/api/v1/usage"
PRICES, RIVALS, TEAM, PERSON = (new_id() for _ in range(4))


@pytest.fixture
def berlin(clock):
    return people.company(time_zone="Europe/Berlin")


@pytest.fixture
def desk(berlin):
    return Integration.objects.create(company=berlin, name="Desk", kind="API")


@pytest.fixture
def program(berlin, desk, clock):
    """Two trackers, an ask and a preview, on two local days: 2 March until 23:30, and 3 March."""
    statement.lot(berlin, "March", "100")
    use(berlin, "Prices", calls=2, emails=5, feature="TRACKER", ref=PRICES, team_ref=TEAM)
    use(berlin, "Rivals", calls=1, feature="TRACKER", ref=RIVALS)
    clock.set(NOON + timedelta(hours=10, minutes=59))  # 23:59 in Berlin.
    use(berlin, "Our prices", calls=3, feature="TRACKER", ref=PRICES, team_ref=TEAM)
    clock.set(NOON + timedelta(hours=11))
    use(berlin, "Ask", emails=7, requests=2, integration_ref=desk.pk, user_ref=PERSON)
    preview = {"action": "PREVIEW", "is_free": True}
    use(berlin, "Our prices", calls=9, feature="TRACKER", ref=PRICES, **preview)
    return api.of(berlin)


def use(company, name, *, calls=0, emails=0, requests=None, feature="ASK", **refs):
    action, is_free = refs.pop("action", "API_REQUEST"), refs.pop("is_free", False)
    charging.charge(
        company=company,
        use=Use(feature, name, refs.pop("ref", None), action, **refs),
        work=Work(long_calls=calls, emails_with_text=emails, request_count=requests),
        rates=people.rates(),
        is_free=is_free,
    )


def grouped(program, by, **query):
    answer = program.get(URL, {"group_by": by} | query)
    assert answer.status_code == 200, answer.content
    assert answer.json()["group_by"] == by
    return answer.json()["items"]


def short(rows):
    return [(row["group"], row["name"], row["amount"]) for row in rows]


def test_by_tracker_a_renamed_one_stays_one(program):
    rows = grouped(program, "tracker")

    assert short(rows) == [
        (str(PRICES), "Our prices", "5.5"),
        (str(RIVALS), "Rivals", "1.0"),
    ]
    assert rows[0] == {
        "group": str(PRICES),
        "name": "Our prices",
        "events": 2,
        "calls": 5,
        "emails": 5,
        "web_searches": 0,
        "requests": 0,
        "amount": "5.5",
    }


def test_by_feature_integration_user_and_team(program, desk):
    assert short(grouped(program, "feature")) == [
        ("TRACKER", "AI Tracker", "6.5"),
        ("ASK", "AI Ask Anything", "0.7"),
    ]
    assert short(grouped(program, "integration")) == [
        (None, None, "6.5"),
        (str(desk.pk), "Desk", "0.7"),
    ]
    assert short(grouped(program, "user")) == [(None, None, "6.5"), (str(PERSON), None, "0.7")]
    assert short(grouped(program, "team")) == [(str(TEAM), None, "5.5"), (None, None, "1.7")]


def test_by_day_in_the_company_s_zone(program):
    assert short(grouped(program, "day")) == [
        ("2026-03-02", None, "6.5"),
        ("2026-03-03", None, "0.7"),
    ]


@pytest.mark.parametrize("by", usage_sums.KINDS)
def test_the_groups_add_up_to_the_rows(program, by):
    rows = program.get(URL, {"limit": 200}).json()["items"]
    whole = sum(Decimal(row["amount"]) for row in rows if by != "tracker" or row["feature_id"])

    assert sum(Decimal(row["amount"]) for row in grouped(program, by)) == whole


def test_sums_take_the_same_filters(program):
    since = "2026-03-02T22:59:00Z"
    assert short(grouped(program, "tracker", since=since)) == [(str(PRICES), "Our prices", "3.0")]
    assert short(grouped(program, "feature", tracker=str(RIVALS))) == [
        ("TRACKER", "AI Tracker", "1.0")
    ]
    free = grouped(program, "tracker", include_free_use="true")[0]
    assert (free["events"], free["calls"], free["amount"]) == (3, 14, "5.5")


def test_sums_agree_with_the_credits_page(program, berlin):
    days = metering.daily(company=berlin, first=NOON.date(), last=NOON.date() + timedelta(days=1))
    page = {str(use.feature.ref): use.credits for use in metering.by_feature(days)}

    for row in grouped(program, "tracker"):
        assert page[row["group"]] == Decimal(row["amount"])


@pytest.mark.parametrize("name", ["limit", "cursor", "order"])
def test_sums_come_without_pages(program, name):
    value = {"limit": "5", "cursor": "x", "order": "oldest"}[name]

    problem = api.problem(program.get(URL, {"group_by": "day", name: value}))

    assert (problem["code"], problem["errors"][0]["name"]) == ("invalid_parameter", name)


def test_too_many_groups_are_refused(program, monkeypatch):
    monkeypatch.setattr(usage_sums, "GROUPS_MAX", 1)

    problem = api.problem(program.get(URL, {"group_by": "day"}))

    assert problem["detail"] == "group_by: There are more than 1 groups; narrow since and until."


def test_an_unknown_grouping_is_refused(program):
    problem = api.problem(program.get(URL, {"group_by": "weekday"}))

    assert problem["errors"] == [
        {
            "name": "group_by",
            "detail": "Write one of feature, tracker, user, integration, team, day. "
            "Did you mean “day”?",
        }
    ]


def test_another_company_s_usage_is_in_no_sum(program):
    globex = people.company("Globex")

    for by in usage_sums.KINDS:
        assert grouped(api.of(globex), by) == []


def test_a_team_is_called_by_its_name(program, berlin):
    Team.objects.create(pk=TEAM, company=berlin, name="EMEA")

    assert short(grouped(program, "team")) == [(str(TEAM), "EMEA", "5.5"), (None, None, "1.7")]
