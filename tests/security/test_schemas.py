"""Whatever is sent, the answer is one that the OpenAPI document has: schemathesis asks.

A short run stands here; ten thousand cases and more are ``-m fuzz`` (docs/development.md).
"""

from __future__ import annotations

import os
import time
from http import HTTPStatus

import pytest
import requests

from credits import reconciliation
from tests.security import fuzzing, seeding
from tests.security.test_api_tenancy import ACTS_ON, BY_PLACE, ROWS
from tests.support import api, people, processes

OWN, OTHER = "kanari-of-acme", "kanari-of-beta"
SCHEMAS = ("/api/schema.json", "/docs/v2-schema.json")
UNHURRIED = {
    f"TALLYSTICK_API_{kind}_PER_{span}": limit
    for kind in ("REQUESTS", "INGESTIONS")
    for span, limit in (("SECOND", "1000"), ("DAY", "1000000000"))
}
CASES_MIN = 10_000
# Drawn for each operation, besides the borders of all of its parameters.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "180"))


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """A site with two companies that have a row of everything, and a key of the first."""
    from tests.support import databases

    with django_db_blocker.unblock(), databases.cloned("test_schemas") as dsn:
        acme, beta = seeding.seed("Acme", canary=OWN), seeding.seed(OTHER, canary=OTHER)
        people.credits_for(acme, "1000000000")
        key = api.key(acme, by=api.admin(acme)).text
        ids = fuzzing.ids_of(ROWS | ACTS_ON | BY_PLACE, acme, beta)
        with processes.web_server(dsn, environment=UNHURRIED) as site:
            yield site, key, ids


def fuzz(world, path: str, **how):
    site, key, ids = world
    document = requests.get(site + path, timeout=60).json()
    began = time.monotonic()
    found = fuzzing.run(
        fuzzing.told_of(document, ids),
        site=site,
        authorization=f"Bearer {key}",
        canary=OTHER,
        **how,
    )
    print(f"{path}: {found.said()} in {time.monotonic() - began:.0f} s")
    return found


def breaches() -> set[str]:
    return {str(one) for one in reconciliation.check()}


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_few_requests_of_every_operation_are_answered_as_documented(world, path):
    found = fuzz(world, path, examples=3, phases=("examples", "fuzzing"))

    assert found.wrong() == ""
    assert HTTPStatus.INTERNAL_SERVER_ERROR not in found.statuses


@pytest.mark.fuzz
def test_ten_thousand_requests_are_answered_as_documented(world):
    seed = time.time_ns() % 2**32
    print(f"seed {seed}")
    # The rows that were made to be looked for do not all add up; what is asked adds nothing to it.
    before = breaches()

    found = [fuzz(world, path, examples=EXAMPLES, seed=seed) for path in SCHEMAS]

    assert [one.wrong() for one in found if one.failures] == []
    assert sum(one.cases for one in found) >= CASES_MIN
    assert not any(HTTPStatus.INTERNAL_SERVER_ERROR in one.statuses for one in found)
    assert breaches() == before
