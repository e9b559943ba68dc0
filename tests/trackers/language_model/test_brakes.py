"""What keeps the model's server from being asked too much, and too often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support.language_models import (
    failing,
    like_llama,
)
from tests.trackers.language_model.acting import (
    arrive,
    assert_nothing_is_charged_or_held,
    run,
)
from trackers import (
    calibrating,
    language_model,
    llm_gate,
)
from trackers.analyzers.base import AnalyzerBusy
from trackers.analyzers.llm.endpoint import Mode
from trackers.analyzers.llm.gate import Outcome
from trackers.models import (
    Conversation,
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


def test_one_that_tries_a_server_that_was_left_alone_finds_out_how_it_is_spoken_to(
    acme, tracker, now, server
):
    """A server that was down when it was first asked, and that knows no strict schema."""
    arrive(acme, now, "call-1")
    LlmEndpoint.objects.create(
        digest=server.endpoint().digest, model="m", failure_count=5, resume_at=now
    )
    server.always = like_llama

    run(tracker, clock=lambda: now + timedelta(minutes=1))

    assert [one.form for one in server.requests] == ["json_schema", "json_object"]
    assert Scan.objects.get().state == "DONE"
    known = LlmEndpoint.objects.get()
    assert (known.mode, known.failure_count, known.resume_at) == ("JSON_OBJECT", 0, None)


def test_while_one_tries_nobody_else_does(acme, admin, server, now):
    LlmEndpoint.objects.create(
        digest=server.endpoint().digest, model="m", failure_count=5, resume_at=now
    )
    first, second = (
        llm_gate.DatabaseGate(
            server.endpoint(), company_id=acme.pk, purpose="ASK", run_ref=new_id()
        )
        for _ in range(2)
    )

    with first.attempt(tokens_in=1, tokens_out=1, mode=Mode.JSON_SCHEMA) as attempt:
        attempt.outcome = Outcome.MODE_REFUSED
    with (
        pytest.raises(AnalyzerBusy, match="several times in a row"),
        second.attempt(tokens_in=1, tokens_out=1, mode=Mode.JSON_SCHEMA),
    ):
        pytest.fail("It was let through.")

    assert LlmAttempt.objects.count() == 1


def test_once_switched_off_nothing_more_is_sent_even_of_a_call_half_read(
    acme, tracker, now, server, limited, admin
):
    limited(chunk_tokens=200)
    words = "We would like to talk about the delivery of all of it. " * 8
    arrive(
        acme,
        now,
        "call-1",
        utterances=[
            {"id": f"u{at}", "speaker": "c", "start": float(at), "text": words} for at in range(6)
        ],
    )

    def beat():
        if len(server.requests) == 2:
            language_model.switch(company=acme, is_on=False, by=admin)

    gate = llm_gate.DatabaseGate(
        server.endpoint(chunk_tokens=200),
        company_id=acme.pk,
        purpose="TRACKER",
        run_ref=new_id(),
        beat=beat,
    )
    analyzer = language_model.analyzer_through(gate)
    version = tracker.current_version
    revisions = dict(Conversation.objects.values_list("pk", "text_revision"))
    (text,) = calibrating.texts_of(revisions, version=version).values()
    question = calibrating.question_of(tracker, version)

    with pytest.raises(AnalyzerBusy, match="switched the language model off"):
        analyzer.evaluate(text, [question], analyzer.calibrate([], []))

    assert len(server.requests) == 2
    run(tracker)
    scan = Scan.objects.get()
    assert (scan.state, scan.verdict, len(server.requests)) == ("DONE", "NO", 2)


def test_what_a_server_says_it_counted_is_added_up_however_much(acme, admin, server):
    """Both are whole numbers of the database, and their sum is not."""
    most = 2**31 - 1
    for tokens in (most, most):
        LlmAttempt.objects.create(
            company=acme,
            purpose="ASK",
            run_ref=new_id(),
            model="m",
            mode="PROMPT",
            outcome="RUNNING",
            tokens_in=tokens,
            tokens_out=most,
            is_estimated=False,
            begun_at=timezone.now(),
        )
    gate = llm_gate.DatabaseGate(
        server.endpoint(), company_id=acme.pk, purpose="ASK", run_ref=new_id()
    )

    with (
        pytest.raises(AnalyzerBusy, match=r"8,589,934,588 tokens"),
        gate.attempt(tokens_in=1, tokens_out=1, mode=Mode.PROMPT),
    ):
        pytest.fail("It was let through.")
