"""Test the connection to the language model: one question about a call that we made up."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from credits.identifiers import new_id
from credits.models import Company
from trackers import language_model, llm_gate
from trackers.analyzers.base import (
    Affiliation,
    AnalyzerFailed,
    ConversationText,
    Finding,
    Kind,
    Side,
    TrackerQuestion,
    UtteranceText,
)
from trackers.analyzers.llm.endpoint import Endpoint
from trackers.models import LlmAttempt, LlmPurpose

CALL = ConversationText(
    id="connection-test",
    kind=Kind.CALL,
    utterances=(
        UtteranceText("1", Affiliation.COMPANY, "Here is our proposal for next year."),
        UtteranceText("2", Affiliation.NON_COMPANY, "That is too expensive for us."),
        UtteranceText("3", Affiliation.COMPANY, "I will ask for a better price."),
    ),
)
QUESTION = TrackerQuestion(
    id="connection-test", text="Did the customer object to the price?", side=Side.CUSTOMER
)


@dataclass(frozen=True, slots=True)
class Result:
    """What the model answered, or why it did not, and each request that took."""

    finding: Finding | None
    problem: str
    attempts: tuple[LlmAttempt, ...]


def test(*, company: Company | None) -> Result:
    """Ask the model as a tracker would; find out anew how its server is spoken to.

    No text of any company is sent. What it used stands on record, with the company that is chosen.

    :raises NotSetUp: this site has no language model.
    """
    endpoint: Endpoint | None = settings.LLM
    if endpoint is None:
        raise language_model.NotSetUp(language_model.NotSetUp.__doc__)
    run_ref = new_id()
    gate = llm_gate.DatabaseGate(
        endpoint,
        company_id=None if company is None else company.pk,
        purpose=LlmPurpose.CONNECTION,
        run_ref=run_ref,
        is_fresh=True,
    )
    analyzer = language_model.analyzer_through(gate)
    finding, problem = None, ""
    try:
        (finding,) = analyzer.evaluate(CALL, [QUESTION], analyzer.calibrate([QUESTION], []))
    except AnalyzerFailed as failure:
        problem = str(failure)
    attempts = LlmAttempt.objects.filter(run_ref=run_ref).order_by("begun_at", "pk")
    return Result(finding, problem, tuple(attempts))
