"""From the queue to the charge: faults of the model cost nothing (SPEC §10)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import reconciliation
from credits.models import Reservation, UsageEvent
from tests.support import asks, people
from tests.support.language_models import (
    answering,
    completion,
    failing,
    slow,
    well,
)
from tests.trackers.language_model.acting import (
    arrive,
    assert_nothing_is_charged_or_held,
    outcomes,
    published,
    run,
)
from trackers import (
    analyzers,
    language_model,
)
from trackers.analyzers.base import AnalyzerFailed
from trackers.models import (
    LlmAttempt,
    LlmEndpoint,
    Quote,
    Scan,
)

pytestmark = pytest.mark.django_db


def test_a_scan_is_answered_by_the_model_and_charged_once(acme, tracker, now, server):
    arrive(acme, now, "call-1")

    run(tracker)

    scan = Scan.objects.get()
    quote = Quote.objects.get(scan=scan)
    attempt = LlmAttempt.objects.get()
    assert (scan.state, scan.verdict, scan.price) == ("DONE", "YES", Decimal("0.500"))
    assert quote.utterance.text[quote.start : quote.end] == "That is too expensive for us"
    assert (attempt.purpose, attempt.outcome, attempt.model) == ("TRACKER", "OK", "scripted-1")
    assert (attempt.tokens_in, attempt.tokens_out, attempt.request_id) == (120, 30, "req-7")
    assert attempt.company == acme
    assert UsageEvent.objects.get(company=acme).amount == Decimal("0.500")
    assert reconciliation.check() == []


def test_with_the_switch_off_nothing_is_sent(acme, server, now):
    tracker = published(acme, people.alice(acme), now)
    arrive(acme, now, "call-1")

    run(tracker)

    assert Scan.objects.get().state == "DONE"
    assert server.requests == []
    assert not LlmAttempt.objects.exists()


def test_another_company_that_switched_it_on_does_not_switch_it_on_for_all(
    acme, admin, now, server
):
    globex = people.company("Globex")
    people.credits_for(globex, "10")
    tracker = published(globex, people.bob(globex), now)
    arrive(globex, now, "call-1")

    run(tracker)

    assert (Scan.objects.get().state, server.requests) == ("DONE", [])


def test_where_the_site_lost_its_model_work_fails_and_nothing_else_reads(
    acme, tracker, now, server, settings, monkeypatch
):
    settings.LLM = None
    monkeypatch.setattr(analyzers, "in_use", lambda: pytest.fail("The built-in analyzer read."))
    monkeypatch.setattr("trackers.vectors.attached", lambda texts, revisions, **side: texts)
    arrive(acme, now, "call-1")

    run(tracker)

    scan = Scan.objects.get()
    assert (scan.state, scan.reason) == ("FAILED", language_model.NOT_SET_UP)
    assert_nothing_is_charged_or_held(acme)


def test_several_trackers_of_a_conversation_are_one_request_and_a_charge_each(
    acme, admin, now, server
):
    first = published(acme, admin, now, "Pricing objection")
    published(acme, admin, now, "Second", question="Was it too much?")
    published(acme, admin, now, "Ours", question="Did we offer a discount?", side="REP")
    arrive(acme, now, "call-1")

    run(first)

    (sent,) = server.requests
    assert [one["question"] for one in sent.questions] == [
        "Did the customer object to the price?",
        "Was it too much?",
    ]
    states = dict(Scan.objects.values_list("tracker__name", "state"))
    assert states == {"Pricing objection": "DONE", "Second": "DONE", "Ours": "PENDING"}
    charged = UsageEvent.objects.filter(company=acme).values_list("feature_name", "amount")
    assert sorted(charged) == [
        ("Pricing objection", Decimal("0.500")),
        ("Second", Decimal("0.500")),
    ]
    assert reconciliation.check() == []


def test_one_that_is_refused_together_does_not_take_the_other_with_it(acme, admin, now, server):
    first, second = (published(acme, admin, now, name) for name in ("First", "Second"))
    arrive(acme, now, "call-1")

    def picky(request):
        if len(request.questions) > 1:
            return completion(None, refusal="No.")
        return well(request)

    server.always = picky

    run(first)
    run(second)

    assert list(Scan.objects.values_list("state", flat=True)) == ["DONE", "DONE"]
    assert UsageEvent.objects.filter(company=acme).count() == 2


@pytest.mark.parametrize(
    ("act", "state", "outcome", "reason"),
    [
        (failing(503), "PENDING", "SERVER_ERROR", "answered with an error (503)"),
        (slow(1.5), "PENDING", "TIMEOUT", "did not answer within 1 seconds"),
        (answering("What?"), "FAILED", "MALFORMED", "could not be read, twice"),
        (answering(None, refusal="No."), "FAILED", "REFUSED", "declined"),
        (answering("{", finish="length"), "FAILED", "TRUNCATED", "cut off"),
        (failing(400, "maximum context length"), "FAILED", "TOO_LONG", "too long"),
        (failing(401), "PENDING", "REJECTED", "refused the request (401)"),
    ],
)
def test_a_fault_releases_the_hold_charges_nothing_and_says_why(
    acme, tracker, now, server, limited, act, state, outcome, reason
):
    limited(timeout_seconds=1)
    arrive(acme, now, "call-1")
    server.always = act

    run(tracker)

    scan = Scan.objects.get()
    assert scan.state == state
    assert reason in scan.reason
    assert outcome in outcomes()
    assert scan.verdict == ""
    assert not Reservation.objects.filter(company=acme, state="OPEN").exists()
    assert_nothing_is_charged_or_held(acme)


def test_the_fifth_failure_parks_a_scan_and_a_later_answer_is_charged_once(
    acme, tracker, now, server
):
    arrive(acme, now, "call-1")
    server.always = failing(503)

    for attempt in range(1, 6):
        LlmEndpoint.objects.update(failure_count=0, resume_at=None)
        run(tracker, clock=lambda later=now + timedelta(hours=attempt): later)

    scan = Scan.objects.get()
    assert (scan.state, scan.attempts) == ("FAILED", 5)
    assert_nothing_is_charged_or_held(acme)


def test_a_retry_after_an_outage_is_charged_once(acme, tracker, now, server):
    arrive(acme, now, "call-1")
    server.script = [failing(503)]
    run(tracker)

    run(tracker, clock=lambda: now + timedelta(hours=1))

    assert Scan.objects.get().state == "DONE"
    assert UsageEvent.objects.get(company=acme).amount == Decimal("0.500")
    assert reconciliation.check() == []


def test_one_that_asks_to_wait_is_left_alone_by_all_and_that_is_no_attempt(
    acme, tracker, now, server
):
    arrive(acme, now, "call-1", "call-2")
    server.always = failing(429, Retry_After="120")

    run(tracker)

    waits = [scan.due_at - now for scan in Scan.objects.all()]
    assert set(Scan.objects.values_list("state", "attempts")) == {("PENDING", 0)}
    assert all(timedelta(seconds=115) < wait < timedelta(seconds=240) for wait in waits)
    assert len(server.requests) == 1
    with pytest.raises(AnalyzerFailed, match="asked to wait"):
        asks.ask(acme)
    assert len(server.requests) == 1
    assert_nothing_is_charged_or_held(acme)
