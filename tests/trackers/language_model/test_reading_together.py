"""What shares a request with what, and what a request is counted with."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.companies import CompanyClosed
from credits.models import AuditEvent
from tests.support import asks, people
from tests.support.language_models import failing
from tests.trackers.language_model.acting import arrive, outcomes, published, run
from tests.trackers.test_closing import close, launch
from trackers import language_model, scanning
from trackers.models import LlmAttempt, LlmSwitch, Scan, TrackerVersion

pytestmark = pytest.mark.django_db


def test_trackers_of_another_part_of_the_call_are_read_apart(acme, admin, now, server):
    whole = published(acme, admin, now, "The whole call")
    first = published(acme, admin, now, "The first minutes")
    TrackerVersion.objects.filter(tracker=first).update(part="FIRST", part_minutes=1)
    arrive(acme, now, "call-1")

    run(whole)
    run(first)

    assert [len(one.questions) for one in server.requests] == [1, 1]
    assert set(Scan.objects.values_list("state", flat=True)) == {"DONE"}


def test_a_backfill_is_read_apart_from_new_calls_and_counts_as_one_run(acme, admin, now, server):
    live = published(acme, admin, now, "Live")
    arrive(acme, now - timedelta(hours=1), "call-1", "call-2")
    late = published(acme, admin, now + timedelta(days=60), "Late")
    backfill = launch(late, admin, now)

    run(live)
    questions = [len(one.questions) for one in server.requests]
    for _ in range(3):
        scanning.run_batch(
            version_id=late.current_version_id, backfill_id=backfill.pk, clock=timezone.now
        )

    assert questions == [1, 1]
    assert Scan.objects.filter(backfill=backfill, state="DONE").count() == 2
    assert LlmAttempt.objects.filter(run_ref=backfill.pk).count() == 2


def test_for_somebody_who_waits_an_outage_is_waited_out_and_for_a_scan_it_is_not(
    acme, tracker, now, server, monkeypatch
):
    monkeypatch.setattr(language_model, "PATIENCE_SECONDS", (0.0,))
    asks.globex(acme)
    server.script = [failing(503)]
    answer = asks.ask(acme)
    arrive(acme, now, "call-1")
    server.script = [failing(503)]

    run(tracker)

    assert answer.is_found
    assert outcomes() == {"SERVER_ERROR": 2, "OK": 1}
    assert Scan.objects.get(conversation__external_id="call-1").state == "PENDING"


def test_nothing_is_switched_in_a_closed_company(acme, admin):
    close(acme, people.vera())

    with pytest.raises(CompanyClosed):
        language_model.switch(company=acme, is_on=False, by=admin)

    assert LlmSwitch.objects.get().is_on


def test_to_switch_on_what_is_on_is_no_act(acme, admin):
    language_model.switch(company=acme, is_on=True, by=admin)

    assert AuditEvent.objects.filter(subject_type="trackers.llmswitch").count() == 1
