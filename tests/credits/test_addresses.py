"""Addresses that no page has are refused before anything looks at them (SPEC §9)."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.support import api, pages, people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db

FILTERED = [
    ("trackers_scan", "verdict__exact"),
    ("trackers_scan", "account"),
    ("trackers_conversation", "kind__exact"),
    ("trackers_backfill", "state__exact"),
    ("trackers_tracker", "state__exact"),
    ("credits_ledgerentry", "kind__exact"),
    ("credits_usageevent", "feature_type__exact"),
]


@pytest.mark.parametrize(("model", "name"), FILTERED)
@pytest.mark.parametrize("value", ["%00", "DONE%00", "a%2500"])
def test_a_list_filtered_by_no_text_at_all_is_not_a_failure(model, name, value):
    acme = people.company()
    client = signed_in(people.alice(acme), acme)
    url = reverse(f"admin:{model}_changelist")

    answer = client.get(f"{url}?{name}={value}")

    assert answer.status_code in ((400,) if "%00" in value else (200, 302))
    if answer.status_code == 400:
        assert "This address cannot be read" in pages.read(answer).text


def test_the_api_names_the_parameter_instead():
    acme = people.company()

    answer = api.of(acme).get("/api/v1/usage?since=%00")

    assert (answer.status_code, api.problem(answer)["code"]) == (400, "invalid_parameter")
