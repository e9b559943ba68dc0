"""32 duplicates of every write of the ledger, at once, have one effect."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from config.demo.clock import seeded_clock
from credits.models import Reservation
from tests.support import people, statement
from tests.support.planting import plant
from tests.support.processes import told_by

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACTS = (
    *("expire", "issue", "charge", "reserve", "extend", "capture", "release", "refund", "replace"),
    *("void", "cancel", "adjust up", "adjust down", "adjust a lot"),
)


def duplicated(dsn, company, refs: dict[str, str], acts=ACTS) -> dict:
    asked = {
        "company": company.pk,
        "user": people.vera().pk,
        "acts": [{"act": act, "id": str(refs.get(act, ""))} for act in acts],
    }
    return told_by(dsn, "tests.concurrency.duplicates", stdin=json.dumps(asked))


@pytest.fixture
def filled(committed):
    """A company, and what of it each act is about; one of its lots has just ended."""
    with seeded_clock(NOON) as clock:
        acme = statement.company()
        statement.lot(acme, "First", "100")
        refs = {
            "capture": statement.reserve(acme, "2").pk,
            "extend": statement.reserve(acme, "3").pk,
            "release": statement.reserve(acme, "1").pk,
            "refund": statement.charge(acme, "0.5").pk,
            "void": statement.lot(acme, "Wrong", "9").pk,
            "cancel": statement.lot(acme, "Later", "8", effective_at=NOON + people.days(1)).pk,
        }
        refs["adjust a lot"] = statement.lot(acme, "Too large", "6").pk
        statement.lot(acme, "Ended", "7", expires_at=NOON + timedelta(minutes=1))
        refs["replace"] = statement.charge(acme, "0.2").pk
        clock.set(NOON + timedelta(minutes=2))
        yield acme, refs


def test_32_duplicates_of_every_write_at_once_have_one_effect(committed, filled):
    acme, refs = filled

    seen = duplicated(committed, acme, refs)

    told = dict(zip(ACTS, seen["told"], strict=True))
    assert min(seen["waited"]) >= 8
    assert _refusals(told.pop("release")) == {"AlreadyReleased": 31}
    # All the others were given the one result.
    assert [_refusals(one) for one in told.values()] == [{}] * (len(ACTS) - 1)
    assert [list(one.values()) for one in told.values()] == [[32]] * (len(ACTS) - 1)
    assert [line.split(" = ")[0].rpartition(" ")[2] for line in statement.of(acme)] == [
        *("+100.0", "-0.5", "+9.0", "+6.0", "+7.0", "-0.2", "-6.8", "+5.0", "-1.0", "-1.5"),
        *("+0.5", "+0.2", "-0.2", "+0.2", "-9.0", "+3.0", "-4.0", "-1.5"),
    ]
    assert Reservation.objects.get(pk=refs["extend"]).lapses_at == NOON + timedelta(minutes=17)


def _refusals(told: dict[str, int]) -> dict[str, int]:
    """Return how many were refused, by why; everybody else was given a result."""
    refused = {answer: times for answer, times in told.items() if not answer.startswith("made ")}
    return {answer.split()[1]: times for answer, times in refused.items()}


@pytest.mark.parametrize(
    ("act", "found_by"),
    [
        # The key's own row refuses what the look-up would have answered.
        ("charge", "idempotency_key_has_one_effect"),
        # What was done once leaves nothing to do.
        ("void", "AlreadyVoided"),
        ("refund", "AlreadyRefunded"),
    ],
)
def test_duplicates_that_find_no_key_are_found_out(committed, filled, act, found_by):
    plant(
        f"ledger_{act}",
        f"replay := ledger_replay(context, '{act.upper()}', p_key, p_body);",
        "replay := NULL;",
    )
    acme, refs = filled

    seen = duplicated(committed, acme, refs, [act])

    (told,) = seen["told"]
    assert sum(found_by in answer for answer in told) >= 1
