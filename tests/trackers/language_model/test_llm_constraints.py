"""Rows about the language model say what they must."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from tests.trackers.language_model.acting import (
    arrive,
    run,
)
from trackers.models import (
    LlmAttempt,
    LlmEndpoint,
)

pytestmark = pytest.mark.django_db


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
