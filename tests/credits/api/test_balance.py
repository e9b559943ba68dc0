"""GET /api/v1/balance: now, then and to come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.credits.conftest import NOON
from tests.support import api, statement

URL = "/api/v1/balance"


@pytest.fixture
def program(acme):
    return api.of(acme)


def test_it_says_what_is_left_held_and_available(acme, program):
    statement.lot(acme, "March", "10")
    statement.charge(acme, "1.5")
    statement.reserve(acme, "2.125")

    answer = program.get(URL)

    assert answer.status_code == 200
    assert answer.json() == {
        "as_of": "2026-03-02T12:00:00Z",
        "sequence": 2,
        "remaining": "8.5",
        "reserved": "2.125",
        "available": "6.375",
        "total": "10.0",
    }


def test_a_company_that_never_had_credits_has_none(program):
    assert program.get(URL).json() == {
        "as_of": "2026-03-02T12:00:00Z",
        "sequence": 0,
        "remaining": "0.0",
        "reserved": "0.0",
        "available": "0.0",
        "total": "0.0",
    }


def test_a_past_instant_gives_the_balance_of_then(acme, program, clock):
    statement.lot(acme, "March", "10")
    clock.set(NOON + timedelta(hours=1))
    statement.charge(acme, "4")

    def at(instant):
        answer = program.get(URL, {"as_of": instant}).json()
        return answer["as_of"], answer["sequence"], answer["remaining"], answer["available"]

    assert at("2026-03-02T11:59:59Z") == ("2026-03-02T11:59:59Z", 0, "0.0", None)
    assert at("2026-03-02T12:00:00Z") == ("2026-03-02T12:00:00Z", 1, "10.0", None)
    assert at("2026-03-02T14:00:00+01:00") == ("2026-03-02T13:00:00Z", 2, "6.0", None)
    assert at("2026-03-02t12:59:59.999999") == ("2026-03-02T12:59:59.999999Z", 1, "10.0", None)


def test_a_future_instant_gives_what_will_be_left_if_nothing_is_used(acme, program):
    statement.lot(acme, "March", "10", expires_at=NOON + timedelta(days=9))
    statement.lot(acme, "April", "7", effective_at=NOON + timedelta(days=30))

    def at(instant):
        return program.get(URL, {"as_of": instant}).json()["remaining"]

    assert at("2026-03-11T11:59:59Z") == "10.0"
    assert at("2026-03-11T12:00:00Z") == "0.0"
    assert at("2026-04-01T12:00:00Z") == "7.0"


def test_reading_settles_what_has_come_due(acme, program, clock):
    statement.lot(acme, "March", "10", expires_at=NOON + timedelta(days=1))
    clock.set(NOON + timedelta(days=2))

    answer = program.get(URL).json()

    assert (answer["sequence"], answer["remaining"]) == (2, "0.0")


@pytest.mark.parametrize(
    "wrong",
    [
        "yesterday",
        "2026-03-02",
        "2026-13-02T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T12:00:60Z",
        "2026-03-02 12:00:00Z",
        "2026-03-02T12:00:00+24:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "２０２６-03-02T12:00:00Z",
        "\x00",
    ],
)
def test_anything_but_an_instant_is_refused(program, wrong):
    answer = program.get(URL, {"as_of": wrong})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_parameter")
    assert problem["errors"][0]["name"] == "as_of"
    assert "2026-11-01T00:00:00Z" in problem["detail"]


def test_a_plus_that_the_address_lost_is_explained(program):
    answer = program.get(f"{URL}?as_of=2026-03-02T12:00:00+01:00")

    assert api.problem(answer)["detail"] == (
        "as_of: Write an instant like 2026-11-01T00:00:00Z. In an address a + is written %2B."
    )


def test_the_first_and_last_instants_there_are_have_a_balance(acme, program):
    statement.lot(acme, "March", "10")

    assert program.get(URL, {"as_of": "0001-01-01T00:00:00Z"}).json()["remaining"] == "0.0"
    assert program.get(URL, {"as_of": "9999-12-31T23:59:59Z"}).json()["remaining"] == "10.0"


def test_a_balance_that_still_holds_is_not_sent_again(acme, program, clock):
    statement.lot(acme, "March", "10")
    first = program.get(URL)
    clock.set(NOON + timedelta(hours=1))

    second = program.get(URL, headers={"if-none-match": first["ETag"]})
    statement.charge(acme, "1")
    third = program.get(URL, headers={"if-none-match": first["ETag"]})

    assert (second.status_code, second.content) == (304, b"")
    assert second["ETag"] == first["ETag"]
    assert (third.status_code, third.json()["remaining"]) == (200, "9.0")
    assert third["ETag"] != first["ETag"]
    assert first["Cache-Control"] == second["Cache-Control"] == "private, no-cache"


def test_a_condition_that_is_not_met_is_a_problem(program):
    answer = program.get(URL, headers={"if-match": '"another"'})

    assert (answer.status_code, api.problem(answer)["code"]) == (412, "precondition_failed")
