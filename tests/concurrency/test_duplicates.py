"""32 duplicates of every write of the ledger, at once, have one effect."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from config import databases
from config.embedded_postgres import PROJECT
from tests.support import people, statement
from tests.support.planting import plant

ACTS = (
    *("issue", "charge", "reserve", "capture", "release", "refund", "void", "cancel"),
    *("adjust up", "adjust down", "expire"),
)


def duplicated(dsn, company, refs: dict[str, str], acts=ACTS) -> dict:
    asked = {
        "company": company.pk,
        "user": people.vera().pk,
        "acts": [{"act": act, "id": str(refs.get(act, ""))} for act in acts],
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.concurrency.duplicates"],
        cwd=PROJECT,
        env=databases.environment(dsn),
        input=json.dumps(asked),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def filled():
    """Return a company, and what of it each act is about."""
    acme = statement.company()
    statement.lot(acme, "First", "100")
    ended = datetime.now(UTC) + timedelta(milliseconds=200)
    statement.lot(acme, "Ended", "7", expires_at=ended)
    refs = {
        "capture": statement.reserve(acme, "2").pk,
        "release": statement.reserve(acme, "1").pk,
        "refund": statement.charge(acme, "0.5").pk,
        "void": statement.lot(acme, "Wrong", "9").pk,
        "cancel": statement.lot(
            acme, "Later", "8", effective_at=datetime.now(UTC) + timedelta(days=1)
        ).pk,
    }
    return acme, refs, ended


def test_32_duplicates_of_every_write_at_once_have_one_effect(committed):
    acme, refs, ended = filled()

    seen = duplicated(committed, acme, refs)

    told = dict(zip(ACTS, seen["told"], strict=True))
    assert min(seen["waited"]) >= 8
    released = told.pop("release")
    assert sorted(released.values()) == [1, 31]
    assert released["AlreadyReleased"] == 31
    assert [list(one.values()) for one in told.values()] == [[32]] * (len(ACTS) - 1)
    assert all(answer.startswith("made ") for one in told.values() for answer in one)
    kinds = [line.split(" ", 3)[3].split(" = ")[0] for line in statement.of(acme)]
    assert sorted(kinds) == sorted(
        [
            *("Added +100.0", "Added +7.0", "Added +9.0", "Added +5.0", "Adjusted +3.0"),
            *("Used -0.5", "Used -1.0", "Used -1.5", "Refunded +0.5", "Voided -9.0"),
            *("Adjusted -4.0", expired(acme, ended)),
        ]
    )


def test_duplicates_that_find_no_key_are_found_out(committed):
    plant(
        "ledger_charge",
        "replay := ledger_replay(context, 'CHARGE', p_key, p_body);",
        "replay := NULL;",
    )
    acme, refs, _ = filled()

    seen = duplicated(committed, acme, refs, ["charge"])

    # The key's own row refuses what the look-up would have answered.
    (told,) = seen["told"]
    assert sum("IntegrityError" in answer for answer in told) >= 1


def expired(company, ended) -> str:
    """All it had left: what was used of it before depends on when the race began."""
    while datetime.now(UTC) < ended:
        time.sleep(0.05)
    return next(
        line.split(" ", 3)[3].split(" = ")[0] for line in statement.of(company) if "Expired" in line
    )
