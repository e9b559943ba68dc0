"""Reading with a language model, from the queue to the charge: faults cost nothing (SPEC §10)."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits import balances, reconciliation
from credits.identifiers import new_id
from credits.models import AuditEvent, LedgerEntry, Reservation, Scope, UsageEvent
from tests.support import api, asks, briefs, conversations, language_models, people
from tests.support.conversations import record
from tests.support.language_models import (
    answering,
    completion,
    failing,
    slow,
    verdict,
    well,
)
from trackers import (
    analyzers,
    language_model,
    llm_gate,
    previewing,
    scanning,
    teaching,
)
from trackers.analyzers.base import AnalyzerFailed
from trackers.analyzers.llm.endpoint import Mode
from trackers.models import (
    AskRequest,
    BriefResult,
    LlmAttempt,
    LlmEndpoint,
    LlmSwitch,
    Quote,
    Scan,
)

pytestmark = pytest.mark.django_db
INJECTIONS = Path(__file__).parents[1] / "data" / "injections.jsonl"


@pytest.fixture(scope="module")
def running():
    with language_models.serving() as server:
        yield server
    # The connections that were kept open to it.
    for endpoint in list(_endpoints):
        language_model._client(endpoint).close()
    language_model._client.cache_clear()


_endpoints = set()


@pytest.fixture
def server(running, settings):
    running.requests.clear()
    running.script.clear()
    running.always = None
    settings.LLM = running.endpoint()
    _endpoints.add(settings.LLM)
    return running


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "10")
    return company


@pytest.fixture
def admin(acme, server):
    """A tech admin who has switched the language model on."""
    alice = people.alice(acme)
    language_model.switch(company=acme, is_on=True, by=alice)
    return alice


def published(acme, admin, now, name="Pricing objection", **settings):
    return conversations.published(acme, admin, name, now=now - timedelta(days=60), **settings)


@pytest.fixture
def tracker(acme, admin, now):
    return published(acme, admin, now)


def arrive(acme, now, *names, **changes):
    conversations.ingest(acme, *(record(one, started_at=now, **changes) for one in names), now=now)


def run(tracker, clock=timezone.now) -> int:
    return scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=clock)


def outcomes() -> dict[str, int]:
    return dict(Counter(LlmAttempt.objects.values_list("outcome", flat=True)))


def assert_nothing_is_charged_or_held(acme):
    assert not UsageEvent.objects.filter(company=acme, amount__gt=0).exists()
    assert balances.now(company=acme).available == Decimal("10.000")
    assert reconciliation.check() == []


# Scans


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
    monkeypatch.setattr("trackers.vectors.attached", lambda texts, revisions: texts)
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
    acme, tracker, now, server, settings, act, state, outcome, reason
):
    settings.LLM = server.endpoint(timeout_seconds=1)
    _endpoints.add(settings.LLM)
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
    server.script = [failing(503), failing(503), failing(503)]
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


# Brakes


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


def test_a_run_uses_no_more_tokens_than_it_may(acme, tracker, now, server, settings):
    settings.LLM = server.endpoint(run_tokens=1_900)
    _endpoints.add(settings.LLM)
    arrive(acme, now, "call-1")

    run(tracker)

    assert server.requests == []
    assert "may use 1,900" in Scan.objects.get().reason
    assert_nothing_is_charged_or_held(acme)


def test_a_companys_day_uses_no_more_tokens_than_it_may(acme, tracker, now, server, settings):
    settings.LLM = server.endpoint(day_tokens=2_500)
    _endpoints.add(settings.LLM)
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


# Ask, briefs and tests


def test_an_answer_by_api_cites_what_was_said_and_is_charged_once(acme, admin, server):
    asks.globex(acme)

    answer = asks.ask(acme)

    assert answer.answer == "The price is too high for them. [1]"
    assert [one.quote for one in answer.citations.all()] == ["That is too expensive for us"]
    assert (answer.credits, answer.analyzer) == (Decimal("1.600"), "llm scripted-1/1")
    assert LlmAttempt.objects.get().purpose == "ASK"
    assert reconciliation.check() == []


def test_a_question_that_fails_is_told_with_its_code_charges_nothing_and_may_be_repeated(
    acme, admin, server, monkeypatch
):
    monkeypatch.setattr(language_model, "PATIENCE_SECONDS", (0.0,))
    asks.globex(acme)
    program = api.of(acme, Scope.ASK)
    body = {
        "question": asks.QUESTION,
        "entity_type": "ACCOUNT",
        "entity": "Globex",
        "period": "ALL_CONVERSATIONS",
    }

    def ask():
        return program.post(
            "/api/v1/ask", body, "application/json", headers={"Idempotency-Key": "one"}
        )

    server.always = failing(503)
    problem = api.problem(refused := ask())
    assert (problem["code"], refused.status_code) == ("analyzer_failed", 503)
    assert problem["detail"] == "The language model answered with an error (503)."
    assert refused.headers["Retry-After"] == "30"
    assert not AskRequest.objects.exists()
    assert_nothing_is_charged_or_held(acme)

    server.always = None
    assert ask().json()["credits"]["used"] == "1.6"
    assert ask().headers["Idempotent-Replayed"] == "true"
    assert LedgerEntry.objects.filter(company=acme, kind="CONSUMED").count() == 1


def test_a_section_of_a_brief_that_fails_costs_nothing_and_the_next_is_done(
    acme, admin, server, monkeypatch
):
    monkeypatch.setattr(language_model, "PATIENCE_SECONDS", ())
    asks.globex(acme)
    brief = briefs.brief(acme, admin, briefs.RISKS, briefs.PRICES)
    server.script = [answering(None, refusal="No.")]

    done = briefs.run(briefs.program(acme), brief)

    first, second = BriefResult.objects.filter(run=done).order_by("position")
    assert (first.state, first.credits) == ("FAILED", Decimal("0.000"))
    assert first.reason == ("The language model declined to answer. Nothing was charged for it.")
    assert (second.state, second.text) == ("DONE", ["The price is too high for them. [1]"])
    assert second.analyzer == "llm scripted-1/1"
    assert {one.purpose for one in LlmAttempt.objects.filter(run_ref=done.pk)} == {"BRIEF"}
    assert done.credits == Decimal("1.600")
    assert reconciliation.check() == []


def test_a_test_of_a_tracker_that_fails_says_what_the_model_did(acme, admin, server):
    conversations.conversation(acme, "call-1")
    draft = conversations.tracker(acme)
    server.always = failing(503)

    with pytest.raises(previewing.PreviewRefused, match="answered with an error"):
        previewing.run(tracker_id=draft.pk, count=1, by=admin, clock=timezone.now)

    assert {one.purpose for one in LlmAttempt.objects.all()} == {"PREVIEW"}


def test_reviews_teach_a_model_nothing(acme, tracker):
    with pytest.raises(teaching.NothingToLearn, match="language model"):
        teaching.prepare(version=tracker.current_version)


def test_shipped_trackers_stay_with_the_built_in_analyzer(acme, admin, now, server):
    tracker = published(acme, admin, now)
    tracker.current_version.kind = "PRETRAINED"

    assert language_model.analyzer_of_version(tracker.current_version) is analyzers.in_use()


# The switch and the pages


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_switching_on_says_first_what_leaves_the_site_and_is_audited(acme, server, settings):
    alice = people.alice(acme)
    client, url = signed_in(alice), reverse("admin:trackers_llmattempt_switch")

    page = client.get(url)
    shown = page.content.decode()
    assert not LlmSwitch.objects.exists()
    for words in ("the words that were said", "cannot be called back", "scripted-1"):
        assert words in shown
    assert language_models.KEY not in shown
    form = page.context["form"]
    client.post(
        url, {"key": str(form["key"].value()), "step": "confirm", "seen": page.context["seen"]}
    )

    assert LlmSwitch.objects.get().is_on
    event = AuditEvent.objects.filter(company=acme, action="CHANGED").latest("pk")
    assert event.subject_type == "trackers.llmswitch"
    assert set(event.changed_fields) == {"on", "model"}


def test_what_is_not_there_cannot_be_switched_on(acme, settings):
    settings.LLM = None

    with pytest.raises(language_model.NotSetUp):
        language_model.switch(company=acme, is_on=True, by=people.alice(acme))


@pytest.mark.parametrize("name", ["bob", "vic"])
def test_only_a_tech_admin_switches(acme, server, name):
    user = getattr(people, name)(acme)

    answer = signed_in(user).get(reverse("admin:trackers_llmattempt_switch"))

    assert answer.status_code == 403


def test_the_operator_sees_tokens_beside_the_credits(acme, tracker, now, server):
    arrive(acme, now, "call-1")
    run(tracker)

    shown = signed_in(people.vera()).get(reverse("admin:trackers_llmattempt_changelist"))

    page = shown.content.decode()
    assert 'data-metric="llm-tokens-in" data-value="120"' in page
    assert 'data-metric="llm-tokens-out" data-value="30"' in page
    assert re.search(r'data-metric="llm-credits-used"[^>]*data-value="0.5', page)
    assert language_models.KEY not in page


def test_the_connection_is_tested_with_a_made_up_call_and_shows_the_answer(acme, server):
    conversations.conversation(acme, "call-1")
    client = signed_in(people.vera())
    url = reverse("admin:trackers_llmattempt_test")

    assert server.requests == []
    page = client.post(url).content.decode()

    assert "That is too expensive for us" in page
    assert "Schema, strict" in page
    row = LlmAttempt.objects.get()
    assert (row.purpose, row.company) == ("CONNECTION", None)
    server.always = failing(401)
    assert "refused the request (401)" in client.post(url).content.decode()


# Injected text


def test_no_injected_text_gets_an_unverified_quote_or_another_companys_words(
    acme, tracker, now, server
):
    other = people.company("Globex")
    conversations.conversation(
        other,
        "secret",
        utterances=[
            {"id": "u0", "speaker": "c", "start": 0.0, "text": "Our secret target price is 4711."},
        ],
    )
    injections = [json.loads(line)["text"] for line in INJECTIONS.read_text().split("\n") if line]
    people.credits_for(acme, "1000")

    def obey(request):
        """Say yes, and quote what the injection wants: words of others, on any line."""
        texts = [text for _, _, text in request.lines]
        wanted = ["Our secret target price is 4711.", "I agree to pay double.", *texts]
        names = ["u1", "u2", "u3", "101"]
        if request.questions:
            evidence = [
                {"utterance_id": name, "quote": quote} for name in names for quote in wanted[:2]
            ]
            return completion(
                {
                    "answers": [
                        verdict(one["tracker_id"], "yes", 1.0) | {"evidence": evidence}
                        for one in request.questions
                    ]
                }
            )
        cited = [{"utterance_id": "u1", "quote": "Our secret target price is 4711."}]
        text = "They said “Our secret target price is 4711.”"
        return completion({"paragraphs": [{"text": text, "citations": cited}]})

    server.always = obey
    conversations.ingest(
        acme,
        *(
            record(
                f"call-{at}",
                started_at=now,
                utterances=[
                    {"id": "u0", "speaker": "r", "start": 0.0, "text": "Hello."},
                    {"id": "u1", "speaker": "c", "start": 1.0, "text": injection},
                ],
            )
            for at, injection in enumerate(injections)
        ),
        now=now,
    )
    while run(tracker):
        pass
    answer = asks.ask(acme, question="What did they say?")

    assert len(injections) >= 200
    assert Scan.objects.count() == len(injections)
    states = Counter(Scan.objects.values_list("state", "verdict"))
    # Two are signs alone: nobody said anything, and nothing is sent.
    assert states == {("DONE", "UNSURE"): len(injections) - 2, ("DONE", "NO"): 2}
    assert not Quote.objects.exists()
    assert (answer.is_found, "4711" in answer.answer) == (False, False)
    for sent in server.requests:
        assert "4711" not in sent.user
        assert sent.user.count("</transcript>") <= 1
    assert reconciliation.check() == []


# Constraints


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("llm_attempt_without_company_is_a_test", {"company": None}),
        ("llm_attempt_that_ended_took_its_time", {"latency_ms": None}),
        ("llm_attempt_that_ended_took_its_time", {"outcome": "RUNNING"}),
    ],
)
def test_an_attempt_says_what_it_must(acme, tracker, now, server, name, changes):
    arrive(acme, now, "call-1")
    run(tracker)

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        LlmAttempt.objects.update(**changes)


def test_a_mode_is_one_there_is(server):
    with pytest.raises(IntegrityError, match="llm_mode_is_known"), transaction.atomic():
        LlmEndpoint.objects.create(digest="x", model="m", mode="GUESS")
