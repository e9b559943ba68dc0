"""Bad arguments: one clear sentence, nothing done, nothing charged."""

from __future__ import annotations

import pytest

from credits.models import UsageEvent
from tests.support import ai_clients, conversations
from tests.support.ai_clients import AiClient

QUESTION = "Is that too expensive for you?"


HOSTILE = [
    ({}, "invalid_parameter", "account: This is needed."),
    ({"question": ""}, "invalid_parameter", "question: This is empty."),
    ({"question": " \n"}, "invalid_parameter", "question: Write the question to ask."),
    ({"question": "x" * 2001}, "invalid_parameter", "question: This is longer than 2,000"),
    ({"question": 7}, "invalid_parameter", "question: Send text."),
    ({"question": ["a"]}, "invalid_parameter", "question: Send text."),
    ({"question": "a\x00b"}, "invalid_parameter", "question: This has a character"),
    ({"account": "'; DROP TABLE credits_company; --"}, "not_found", "There is no such account"),
    ({"account": "../../etc/passwd"}, "not_found", "There is no such account"),
    ({"account": "%"}, "not_found", "There is no such account"),
    ({"period": "FOREVER"}, "invalid_parameter", "period: Choose 'LAST_7DAYS'"),
    ({"period": "CUSTOM_RANGE"}, "invalid_parameter", "period: CUSTOM_RANGE needs a start"),
    ({"since": "2026-01-01"}, "invalid_parameter", "period: CUSTOM_RANGE needs a start"),
    ({"since": "9999-99-99"}, "invalid_parameter", "since: "),
    (
        {"period": "CUSTOM_RANGE", "since": "0001-01-01T00:00:00+23:59", "until": "2026-01-01"},
        "invalid_parameter",
        "since: Write an instant like",
    ),
    (
        {"period": "CUSTOM_RANGE", "since": "2026-01-01", "until": "9999-12-31T23:59:59-23:59"},
        "invalid_parameter",
        "until: Write an instant like",
    ),
    ({"max_credits": "1.2345"}, "invalid_parameter", "max_credits: "),
    ({"max_credits": "-1"}, "invalid_parameter", "max_credits: "),
    ({"max_credits": "NaN"}, "invalid_parameter", "max_credits: "),
    ({"max_credits": "1e999999"}, "invalid_parameter", "max_credits: "),
    ({"idempotency_key": "k" * 256}, "invalid_parameter", "idempotency_key: This is longer"),
    ({"questoin": "Why?"}, "unknown_parameter", "There is no argument “questoin”. Did you mean"),
    ({"company": "beta"}, "unknown_parameter", "There is no argument “company”."),
    ({"company_id": 1, "__class__": {}}, "unknown_parameter", "There is no argument “__class__”."),
]


@pytest.mark.parametrize(("given", "code", "sentence"), HOSTILE)
def test_bad_arguments_are_refused_in_one_sentence(served, acme, given, code, sentence):
    conversations.ingest(acme, conversations.record("short"))
    program = AiClient(served, ai_clients.connection(acme).made.text)
    call = {"question": QUESTION, "account": "Globex"} | given if given else {"question": "Why?"}

    result = program.call("ask_account", **call)

    said = result.content[0].text
    assert (result.is_error, result.structured_content["code"]) == (True, code)
    assert said.startswith(sentence)
    assert "\n" not in said
    assert "Traceback" not in str(result)
    assert not UsageEvent.objects.filter(company=acme).exists()


def test_a_name_that_several_deals_have_is_refused_under_the_name_of_its_argument(served, acme):
    for name in ("Globex", "Initech"):
        conversations.ingest(acme, conversations.record(name, account={"name": name}))
    program = AiClient(served, ai_clients.connection(acme).made.text)

    result = program.call("ask_deal", question=QUESTION, deal="Globex robots")

    refused = result.structured_content
    assert (refused["code"], refused["errors"][0]["name"]) == ("invalid_parameter", "deal")
    assert result.content[0].text.startswith("deal: Several deals are named “Globex robots”: ")
    assert refused["request_id"]
