"""What a request leaves behind: its tokens on record, and what it says of the server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support.language_models import like_llama
from trackers import llm_connection, llm_gate
from trackers.analyzers.llm.endpoint import Mode
from trackers.analyzers.llm.gate import Outcome
from trackers.models import LlmAttempt, LlmEndpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(acme, admin, server):
    """What makes a request that was estimated to send 700 tokens, and ends as it is told."""

    def ask(outcome: Outcome, **said) -> LlmAttempt:
        gate = llm_gate.DatabaseGate(
            server.endpoint(), company_id=acme.pk, purpose="ASK", run_ref=new_id()
        )
        with gate.attempt(tokens_in=700, tokens_out=300, mode=Mode.PROMPT) as attempt:
            attempt.outcome = outcome
            for name, value in said.items():
                setattr(attempt, name, value)
        return LlmAttempt.objects.latest("begun_at", "pk")

    return ask


COUNTED = {"tokens_in": 120, "tokens_out": 30}


@pytest.mark.parametrize(
    ("outcome", "said", "tokens"),
    [
        (Outcome.OK, COUNTED, (120, 30, False)),
        (Outcome.MALFORMED, COUNTED, (120, 30, False)),
        (Outcome.REFUSED, COUNTED, (120, 30, False)),
        (Outcome.OK, {"tokens_out": 30, "is_estimated": True}, (700, 30, True)),
        # Nobody knows what became of these: they may be on the provider's bill.
        (Outcome.TIMEOUT, {}, (700, 0, True)),
        (Outcome.MALFORMED, {}, (700, 0, True)),
        # The server says that it did not do these.
        (Outcome.MODE_REFUSED, {}, (0, 0, False)),
        (Outcome.TOO_LONG, {}, (0, 0, False)),
        (Outcome.RATE_LIMITED, {}, (0, 0, False)),
        (Outcome.SERVER_ERROR, {}, (0, 0, False)),
        (Outcome.UNREACHABLE, {}, (0, 0, False)),
        (Outcome.REJECTED, {}, (0, 0, False)),
    ],
)
def test_what_may_be_on_the_providers_bill_counts_and_what_is_a_guess_says_so(
    asked, outcome, said, tokens
):
    row = asked(outcome, **said)

    assert row.outcome == outcome
    assert (row.tokens_in, row.tokens_out, row.is_estimated) == tokens


@pytest.mark.parametrize(
    ("before", "pause"),
    [(3, None), (4, 30), (5, 60), (6, 120), (9, 600), (40, 600)],
)
def test_each_failure_in_a_row_after_the_fifth_doubles_the_pause_up_to_ten_minutes(
    asked, server, before, pause
):
    known = LlmEndpoint.objects.create(
        digest=server.endpoint().digest, model="m", failure_count=before
    )
    began = timezone.now()

    asked(Outcome.SERVER_ERROR)

    known.refresh_from_db()
    assert known.failure_count == before + 1
    if pause is None:
        assert known.resume_at is None
    else:
        assert began < known.resume_at - timedelta(seconds=pause) < timezone.now()


@pytest.mark.parametrize("outcome", ["TIMEOUT", "UNREACHABLE", "REJECTED"])
def test_whatever_is_the_servers_fault_counts_as_a_failure_and_an_answer_ends_the_row(
    asked, server, outcome
):
    asked(Outcome(outcome))
    asked(Outcome(outcome))
    failed = LlmEndpoint.objects.get().failure_count
    asked(Outcome.MODE_REFUSED)
    still = LlmEndpoint.objects.get().failure_count
    asked(Outcome.MALFORMED, **COUNTED)

    assert (failed, still, LlmEndpoint.objects.get().failure_count) == (2, 2, 0)


def test_a_shorter_wait_does_not_cut_a_longer_one_short(acme, admin, server):
    first, second = (
        llm_gate.DatabaseGate(
            server.endpoint(), company_id=acme.pk, purpose="ASK", run_ref=new_id()
        )
        for _ in range(2)
    )
    began = timezone.now()
    limited = {"tokens_in": 1, "tokens_out": 1, "mode": Mode.PROMPT}

    # Both were under way when the server asked the first to wait.
    with first.attempt(**limited) as one, second.attempt(**limited) as other:
        one.outcome = other.outcome = Outcome.RATE_LIMITED
        other.retry_after_seconds, one.retry_after_seconds = 600.0, 5.0

    assert LlmEndpoint.objects.get().resume_at >= began + timedelta(seconds=600)


def test_a_test_of_the_connection_asks_a_server_that_is_left_alone_and_finds_out_anew(server):
    LlmEndpoint.objects.create(
        digest=server.endpoint().digest,
        model="m",
        mode="PROMPT",
        failure_count=7,
        resume_at=timezone.now() + timedelta(minutes=5),
    )
    server.always = like_llama

    result = llm_connection.test(company=None)

    assert result.finding.verdict == "YES"
    assert [one.mode for one in result.attempts] == ["JSON_SCHEMA", "JSON_OBJECT"]
    known = LlmEndpoint.objects.get()
    assert (known.mode, known.failure_count, known.resume_at) == ("JSON_OBJECT", 0, None)
