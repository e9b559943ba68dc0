"""Ask, briefs and tests of trackers with a language model, through their doors."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from credits import reconciliation
from credits.models import LedgerEntry, Scope
from tests.support import api, asks, briefs, conversations
from tests.support.language_models import (
    answering,
    failing,
)
from tests.trackers.language_model.acting import (
    assert_nothing_is_charged_or_held,
    published,
)
from trackers import (
    analyzers,
    language_model,
    previewing,
    teaching,
)
from trackers.models import (
    AskRequest,
    BriefResult,
    LlmAttempt,
)

pytestmark = pytest.mark.django_db


def test_an_answer_by_api_cites_what_was_said_and_is_charged_once(acme, admin, server):
    asks.globex(acme)

    answer = asks.ask(acme)

    assert answer.answer == "The price is too high for them. [1]"
    assert [one.quote for one in answer.citations.all()] == ["That is too expensive for us"]
    assert (answer.credits, answer.analyzer) == (Decimal("1.600"), "llm scripted-1/2")
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
    assert second.analyzer == "llm scripted-1/2"
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
