"""What keeps the model's server from being asked too much, and too often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support.language_models import (
    failing,
)
from tests.trackers.language_model.acting import (
    arrive,
    assert_nothing_is_charged_or_held,
    run,
)
from trackers import (
    llm_gate,
)
from trackers.analyzers.llm.endpoint import Mode
from trackers.models import (
    LlmAttempt,
    LlmEndpoint,
    Scan,
)

pytestmark = pytest.mark.django_db


def test_after_five_failures_in_a_row_the_server_is_left_alone_then_tried_by_one(
    acme, tracker, now, server
):
    arrive(acme, now, *(f"call-{at}" for at in range(8)))
    LlmEndpoint.objects.create(digest=server.endpoint().digest, model="m", mode="JSON_SCHEMA")
    server.always = failing(503)

    for _ in range(3):
        run(tracker)

    assert len(server.requests) == 5
    known = LlmEndpoint.objects.get()
    assert known.failure_count == 5
    assert Scan.objects.filter(reason__contains="several times in a row").exists()
    LlmEndpoint.objects.update(resume_at=timezone.now())
    server.always = None
    run(tracker, clock=lambda: now + timedelta(hours=1))
    known.refresh_from_db()
    assert (known.failure_count, known.resume_at) == (0, None)
    assert Scan.objects.filter(state="DONE").exists()


def test_a_run_uses_no_more_tokens_than_it_may(acme, tracker, now, server, limited):
    limited(run_tokens=1_900)
    arrive(acme, now, "call-1")

    run(tracker)

    assert server.requests == []
    assert "may use 1,900" in Scan.objects.get().reason
    assert_nothing_is_charged_or_held(acme)


def test_a_companys_day_uses_no_more_tokens_than_it_may(acme, tracker, now, server, limited):
    limited(day_tokens=2_500)
    arrive(acme, now, "call-1")
    run(tracker)
    LlmAttempt.objects.update(tokens_in=2_000)
    arrive(acme, now, "call-2")

    run(tracker, clock=timezone.now)

    waiting = Scan.objects.get(state="PENDING")
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert len(server.requests) == 1
    assert "that a day allows" in waiting.reason
    assert abs(waiting.due_at - midnight - timedelta(days=1)) < timedelta(minutes=2)


def test_what_was_interrupted_counts_as_what_it_may_have_used(acme, admin, server):
    gate = llm_gate.DatabaseGate(
        server.endpoint(), company_id=acme.pk, purpose="ASK", run_ref=new_id()
    )
    with (
        pytest.raises(KeyboardInterrupt),
        gate.attempt(tokens_in=700, tokens_out=300, mode=Mode.JSON_SCHEMA),
    ):
        raise KeyboardInterrupt

    row = LlmAttempt.objects.get()
    assert (row.outcome, row.tokens, row.is_estimated) == ("RUNNING", 1_000, True)
