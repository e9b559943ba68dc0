"""What was said tells the model what to do, and it obeys: nothing of that is shown."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from credits import reconciliation
from tests.support import asks, conversations, people
from tests.support.conversations import record
from tests.support.language_models import (
    completion,
    verdict,
)
from tests.trackers.language_model.acting import (
    run,
)
from trackers.models import (
    Quote,
    Scan,
)

pytestmark = pytest.mark.django_db
INJECTIONS = Path(__file__).parents[2] / "data" / "injections.jsonl"


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
