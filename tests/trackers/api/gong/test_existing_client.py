"""A client written for that API works with only its base URL and its key set (SPEC §8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tests.support import api, conversations, people
from tests.support.conversations import record
from tests.trackers.api.gong import asking
from tests.trackers.api.gong.client import Client, ClientError
from trackers.models import Brief, BriefSection

START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
ABOUT = {
    "workspaceId": 1237998047883638784,
    "crmEntityType": "ACCOUNT",
    "crmEntityId": "Globex",
    "timePeriod": "ALL_CONVERSATIONS",
}


@pytest.fixture
def acme(committed):
    """Acme with 201 short calls of Globex, ten minutes apart, and 30.3 credits.

    An ask reads the 60 newest of them, for 30.0.
    """
    acme = people.company("Acme")
    people.credits_for(acme, "60.3")
    conversations.ingest(
        acme,
        *(record(str(n), started_at=START + timedelta(minutes=10 * n)) for n in range(1, 202)),
    )
    now = timezone.now()
    brief = Brief.objects.create(
        company=acme,
        name="Account overview",
        entity_type="ACCOUNT",
        is_published=True,
        created_at=now,
        changed_at=now,
    )
    BriefSection.objects.create(
        company=acme, brief=brief, position=1, title="Price", question="Is it too expensive?"
    )
    return acme


def test_an_existing_client_works_with_only_its_base_url_changed(acme, site):
    """Over HTTP, against the server as an operator starts it, at 3 requests a second."""
    client = Client(site, *asking.halves(api.key(acme).text))

    (user,) = client.users()
    calls = list(
        client.calls(
            "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", exposedFields={"parties": True}
        )
    )
    transcripts = list(client.transcripts([call["metaData"]["id"] for call in calls[:150]]))
    answer = client.ask("Is it too expensive?", **ABOUT)
    brief = client.brief(client.briefs()[0]["briefName"], **ABOUT)

    assert user["emailAddress"] == "rep@acme.example"
    assert [call["metaData"]["id"] for call in calls] == [str(n) for n in range(1, 202)]
    assert {call["metaData"]["primaryUserId"] for call in calls} == {user["id"]}
    assert [one["callId"] for one in transcripts] == [str(n) for n in range(1, 151)]
    speakers = {party["speakerId"] for party in calls[0]["parties"]}
    assert {part["speakerId"] for part in transcripts[0]["transcript"]} == speakers
    assert answer["numOfCallsSearched"] == brief["numOfCallsSearched"] == 60
    assert client.trackers("1") == []
    assert list(client.calls("2030-01-01T00:00:00Z", "2030-02-01T00:00:00Z")) == []
    assert client.waited  # 429 came, and was waited for.
    with pytest.raises(ClientError, match=r"needs 30\.0 credits and 0\.3 are") as spent:
        client.ask("Again?", **ABOUT)
    assert spent.value.status == 402
