"""Results by key: what was found, with its quotes, free to read (SPEC §5, §8)."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import reviewing
from trackers.api.results import ROLLED_UP_MAX


def test_a_result_has_its_quotes(program, result):
    shown = program.get(f"results/{result.pk}").json()

    assert (shown["verdict"], shown["confidence"], shown["credits"]) == ("YES", "HIGH", "0.5")
    assert shown["usage_id"] == str(UsageEvent.objects.get().pk)
    assert shown["account_name"] == "Globex"
    assert shown["quotes"] == [
        {
            "text": "Here is our proposal.",
            "speaker": "Rita Rep",
            "affiliation": "COMPANY",
            "start_seconds": 0.0,
            "utterance_id": "u0",
        }
    ]


def test_the_list_is_narrowed_by_each_filter(program, result, tess):
    reviewing.judge(scan=result, is_right=True, by=tess, now=timezone.now())
    call = result.conversation
    nobody = "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"
    after = (result.finished_at + timedelta(seconds=1)).isoformat()
    fitting = {
        "tracker": result.tracker_id,
        "account": call.account_id,
        "deal": call.deal_id,
        "conversation": call.pk,
        "team": call.team_id,
        "kind": "CALL",
        "verdict": "YES",
        "confidence": "HIGH",
        "judged": "CONFIRMED",
        "since": result.finished_at.isoformat(),
        "until": after,
    }
    others = dict.fromkeys(("tracker", "account", "deal", "conversation", "team"), nobody) | {
        "kind": "EMAIL",
        "verdict": "NO",
        "confidence": "LOW",
        "judged": "OPEN",
        "since": after,
        "until": result.finished_at.isoformat(),
    }

    def ids(**query):
        return [item["id"] for item in program.get("results", **query).json()["items"]]

    assert ids(**fitting) == [str(result.pk)]
    for name, value in fitting.items():
        assert ids(**{name: value}) == [str(result.pk)], name
    for name, value in others.items():
        assert ids(**{name: value}) == [], name
    assert ids(judged="JUDGED") == [str(result.pk)]
    assert ids(judged="REJECTED") == []


def test_what_is_not_read_yet_is_no_result(program, acme, tracker):
    now = timezone.now()
    conversations.ingest(acme, record("new", started_at=now), now=now)

    assert program.get("results").json()["items"] == []


def test_results_add_up_by_account(program, result):
    lines = program.get("results/lines", by="ACCOUNT").json()

    assert lines["has_more"] is False
    (line,) = lines["items"]
    assert (line["name"], line["verdict"], line["found"]) == ("Globex", "YES", 1)
    assert (line["trackers"], line["credits"]) == (1, "0.5")
    assert program.get("results/lines", by="TRACKER").json()["items"][0]["id"] == str(
        result.tracker_id
    )
    assert program.get("results/lines", limit=ROLLED_UP_MAX + 1).status_code == 400


def test_another_company_s_result_is_not_there(result):
    from tests.trackers.api.free.conftest import Program

    beta = people.company("Beta")
    theirs = Program(beta, None)

    assert theirs.get(f"results/{result.pk}").status_code == 404
    assert theirs.get("results").json()["items"] == []
    assert theirs.get("results/lines").json()["items"] == []
