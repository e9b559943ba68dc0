"""Each fault of a model's server has its consequence, and none is ever an answer (MODEL)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.support import language_models
from tests.support.language_models import (
    answering,
    completion,
    error,
    failing,
    found,
    like_llama,
    only_words,
    slow,
    verdict,
    well,
)
from tests.trackers.analyzers.llm.texts import OBJECTION, call, question, read
from trackers.analyzers.base import (
    AnalyzerBusy,
    AnalyzerFailed,
    AnalyzerRefused,
)

TOO_LONG = (400, "This model's maximum context length is 512 tokens", "context_length_exceeded")
LONG = call(
    *(("rep", f"Point {at} of our proposal is the delivery.") for at in range(30)),
    ("customer", "That is too expensive for us."),
)


def fails(analyzer, kind=AnalyzerFailed, *questions) -> AnalyzerFailed:
    with pytest.raises(kind) as caught:
        read(analyzer, OBJECTION, *questions)
    return caught.value


def test_a_yes_comes_with_the_words_as_they_were_said(analyzer, server):
    (finding,) = read(analyzer)

    assert (finding.verdict, finding.confidence, finding.score) == ("YES", "HIGH", 0.95)
    assert [one.quote for one in finding.evidence] == ["That is too   expensive for us – sorry"]
    assert finding.evidence[0].utterance_id == "101"
    sent = server.requests[0]
    assert (sent.form, sent.body["temperature"], sent.body["model"]) == (
        "json_schema",
        0,
        "scripted-1",
    )
    assert sent.body["response_format"]["json_schema"]["strict"] is True
    assert sent.headers["authorization"] == f"Bearer {language_models.KEY}"


def test_the_ids_of_an_answer_are_those_of_the_request(analyzer, server):
    read(analyzer, OBJECTION, question("a"), question("b"))

    schema = server.requests[0].body["response_format"]["json_schema"]["schema"]
    item = schema["properties"]["answers"]["items"]["properties"]
    line = item["evidence"]["items"]["properties"]["utterance_id"]
    assert item["tracker_id"]["enum"] == ["t1", "t2"]
    # The customer's words count, so only the customer's line may be named.
    assert line["enum"] == ["u2"]


@pytest.mark.parametrize(
    ("kind", "forms", "mode"),
    [
        (like_llama, ["json_schema", "json_object"], "JSON_OBJECT"),
        (only_words, ["json_schema", "json_object", "none"], "PROMPT"),
        (well, ["json_schema"], "JSON_SCHEMA"),
    ],
)
def test_the_strictest_form_that_the_server_takes_is_found_out_once(
    analyzer, server, gate, kind, forms, mode
):
    server.always = kind

    read(analyzer)
    (finding,) = read(analyzer)

    assert finding.verdict == "YES"
    assert [one.form for one in server.requests] == [*forms, forms[-1]]
    assert gate.known.mode == mode
    assert gate.outcomes == ["MODE_REFUSED"] * (len(forms) - 1) + ["OK", "OK"]


def test_a_server_that_names_the_answers_length_otherwise_is_understood(analyzer, server, gate):
    def newer(request):
        if "max_tokens" in request.body:
            return error(400, "Use 'max_completion_tokens' instead of 'max_tokens'.")
        if "temperature" in request.body:
            return error(400, "'temperature' does not support 0 with this model.")
        return well(request)

    server.always = newer

    (finding,) = read(analyzer)

    assert finding.verdict == "YES"
    assert "max_completion_tokens" in server.requests[-1].body
    assert gate.known.mode == "JSON_SCHEMA"


def test_one_that_asks_to_wait_is_waited_for(analyzer, server, gate):
    server.always = failing(429, Retry_After="17")

    failure = fails(analyzer, AnalyzerBusy)

    assert failure.retry_after == timedelta(seconds=17)
    assert (len(server.requests), gate.outcomes) == (1, ["RATE_LIMITED"])


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_an_error_of_the_server_is_for_the_task_to_try_again(analyzer, server, gate, status):
    read(analyzer)
    server.always = failing(status)

    failure = fails(analyzer)

    assert str(failure) == f"The language model answered with an error ({status})."
    assert not isinstance(failure, (AnalyzerBusy, AnalyzerRefused))
    # Once: the SDK would have sent it three times.
    assert (len(server.requests), gate.outcomes) == (2, ["OK", "SERVER_ERROR"])


def test_where_somebody_waits_a_short_outage_is_waited_out(analyzer_at, server, gate):
    patient = analyzer_at(patience=(0.5, 1.5))
    patient.ask("What about the price?", [OBJECTION])
    server.script = [failing(503), failing(503)]

    answer = patient.ask("What about the price?", [OBJECTION])

    assert answer.citations
    assert gate.outcomes == ["OK", "SERVER_ERROR", "SERVER_ERROR", "OK"]
    server.always = failing(503)
    with pytest.raises(AnalyzerFailed):
        patient.ask("What about the price?", [OBJECTION])
    assert len(server.requests) == 7


def test_a_server_that_is_down_is_not_taken_for_one_that_knows_no_form(analyzer, server, gate):
    server.always = failing(503)

    fails(analyzer)

    assert gate.known is None


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_an_outage_at_the_first_request_is_not_taken_for_a_form_that_is_not_known(
    analyzer, server, gate, status
):
    server.script = [failing(status)]
    fails(analyzer)

    read(analyzer)

    assert gate.outcomes == ["SERVER_ERROR", "OK"]
    assert [one.form for one in server.requests] == ["json_schema", "json_schema"]
    assert gate.known.mode == "JSON_SCHEMA"


def test_after_an_outage_the_form_is_found_out_from_the_beginning(analyzer, server, gate):
    server.script = [like_llama, failing(500)]
    fails(analyzer)
    assert gate.known is None
    server.always = like_llama

    read(analyzer)

    forms = ["json_schema", "json_object", "json_schema", "json_object"]
    assert [one.form for one in server.requests] == forms
    assert gate.outcomes == ["MODE_REFUSED", "SERVER_ERROR", "MODE_REFUSED", "OK"]
    assert gate.known.mode == "JSON_OBJECT"


def test_where_somebody_waits_an_outage_at_the_first_request_is_waited_out_in_the_same_form(
    analyzer_at, server, gate
):
    server.script = [failing(500), failing(500, "Internal Server Error")]

    answer = analyzer_at(patience=(0.5, 1.5)).ask("What about the price?", [OBJECTION])

    assert answer.citations
    assert [one.form for one in server.requests] == ["json_schema"] * 3
    assert gate.known.mode == "JSON_SCHEMA"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Bad request."),
        (422, "Unprocessable"),
        (501, "Not implemented"),
        (404, "response_format is not known here"),
        (500, "json_schema is not supported"),
        (500, "failed to parse grammar"),
    ],
)
def test_an_answer_about_the_form_leads_to_the_next_form(analyzer, server, gate, status, said):
    def strict_refused(request):
        return error(status, said) if request.form == "json_schema" else well(request)

    server.always = strict_refused

    (finding,) = read(analyzer)

    assert finding.verdict == "YES"
    assert gate.outcomes == ["MODE_REFUSED", "OK"]
    assert gate.known.mode == "JSON_OBJECT"


def test_an_answer_that_does_not_come_in_time_is_sent_for_once(analyzer_at, server, gate):
    server.always = slow(1.6)

    failure = fails(analyzer_at(timeout_seconds=1))

    assert str(failure) == "The language model did not answer within 1 seconds."
    assert (len(server.requests), gate.outcomes) == (1, ["TIMEOUT"])


def test_a_server_that_is_not_there_is_said_to_be_unreachable(analyzer_at, gate):
    failure = fails(analyzer_at(base_url="http://127.0.0.1:9/v1"))

    assert str(failure) == "The language model could not be reached."
    assert gate.outcomes == ["UNREACHABLE"]


def test_a_redirect_is_not_followed(analyzer, server, gate):
    server.always = lambda request: language_models.Reply(
        307, {}, Location=f"{server.address}/elsewhere"
    )

    fails(analyzer)

    assert (len(server.requests), gate.outcomes) == (1, ["REJECTED"])


@pytest.mark.parametrize(
    "content",
    [
        "I would rather not say.",
        "{",
        "[]",
        "null",
        None,
        json.dumps({"answers": "yes"}),
        json.dumps({"answers": []}),
        json.dumps({"answers": [verdict("t9", "yes")]}),
        json.dumps({"answers": [verdict("t1", "perhaps")]}),
        json.dumps({"answers": [["t1", "yes"]]}),
        json.dumps({"answers": [verdict("t1", "yes") | {"tracker_id": ["t1"]}]}),
        json.dumps({"answers": [verdict("t1", "yes") | {"answer": ["yes"]}]}),
        json.dumps({"answers": [{"answer": "yes"}]}),
        '{"answers": ' + "[" * 100_000,
    ],
)
def test_what_is_not_in_the_form_asked_for_is_asked_for_once_more_then_given_up(
    analyzer, server, gate, content
):
    read(analyzer)
    server.always = answering(content)

    failure = fails(analyzer, AnalyzerRefused)

    assert str(failure) == "The language model's answer could not be read, twice."
    assert gate.outcomes == ["OK", "MALFORMED", "MALFORMED"]


@pytest.mark.parametrize("said", ["Yes", " YES "])
def test_a_yes_may_be_written_otherwise(analyzer, server, said):
    yes = found("t1", "u2", "too expensive for us") | {"answer": said}
    server.always = answering({"answers": [yes, {"answer": "no"}]})

    (finding,) = read(analyzer)

    assert finding.verdict == "YES"


def test_a_second_try_that_is_in_form_counts(analyzer, server):
    read(analyzer)
    server.script = [answering("Let me think …")]

    (finding,) = read(analyzer)

    assert finding.verdict == "YES"


NESTED = b'{"choices": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"choices": []}', b'{"choices": null}', b"[1]", NESTED]
)
def test_what_is_not_the_protocol_is_no_answer(analyzer, server, gate, body):
    read(analyzer)
    server.always = lambda request: language_models.Reply(200, body)

    fails(analyzer, AnalyzerFailed)

    assert gate.outcomes[1:] == ["MALFORMED", "MALFORMED"]


@pytest.mark.parametrize(
    "how", [{"refusal": "I cannot help with that."}, {"finish": "content_filter"}]
)
def test_a_model_that_declines_is_final(analyzer, server, gate, how):
    server.always = answering(None, **how)

    failure = fails(analyzer, AnalyzerRefused)

    assert str(failure) == "The language model declined to answer."
    assert gate.outcomes == ["REFUSED"]


def test_an_answer_cut_off_is_asked_for_in_smaller_pieces(analyzer, server, gate):
    def cut_off(request):
        return completion("{", finish="length") if len(request.lines) > 10 else well(request)

    server.always = cut_off

    (finding,) = read(analyzer, LONG)

    assert finding.verdict == "YES"
    assert finding.evidence[0].quote == "That is too expensive for us"
    assert gate.outcomes.count("TRUNCATED") == 2


def test_an_answer_always_cut_off_is_given_up_and_is_no_no(analyzer, server):
    server.always = answering("{", finish="length")

    failure = fails(analyzer, AnalyzerRefused)

    assert "cut off" in str(failure)


def test_a_text_too_long_for_the_model_is_read_in_pieces(analyzer, server, gate):
    def short_of_memory(request):
        return error(*TOO_LONG) if len(request.lines) > 8 else well(request)

    server.always = short_of_memory

    (finding,) = read(analyzer, LONG)

    assert finding.verdict == "YES"
    assert "TOO_LONG" in gate.outcomes


def test_a_text_that_never_fits_is_given_up(analyzer, server):
    server.always = failing(*TOO_LONG)

    assert "too long" in str(fails(analyzer, AnalyzerRefused))


@pytest.mark.parametrize(
    "refusal",
    [
        (413, "Request Entity Too Large"),
        (400, "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        (400, "Please reduce the length of the messages or completion."),
        (400, "Input is too long for requested model."),
        (500, "the request exceeds the available context size"),
        (429, "Request too large for model on tokens per minute: Limit 6000, Requested 9000"),
    ],
)
def test_servers_say_in_many_ways_that_a_text_is_too_long(analyzer, server, gate, refusal):
    server.always = lambda request: error(*refusal) if len(request.lines) > 20 else well(request)

    (finding,) = read(analyzer, LONG)

    assert finding.verdict == "YES"
    assert "TOO_LONG" in gate.outcomes


def test_a_model_that_leaves_a_question_out_is_asked_each_alone_in_the_form_it_takes(
    analyzer, server, gate
):
    """As the smallest real model does: it answers the first question twice."""

    def forgetful(request):
        first = request.questions[0]["tracker_id"]
        if request.form == "json_schema":
            return like_llama(request)
        if len(request.questions) > 1:
            return completion({"answers": [verdict(first, "no"), verdict(first, "no")]})
        return well(request)

    server.always = forgetful

    findings = read(analyzer, OBJECTION, question("a"), question("b"))

    assert [one.verdict for one in findings] == ["YES", "YES"]
    assert gate.known.mode == "JSON_OBJECT"
    assert gate.outcomes == ["MODE_REFUSED", "MALFORMED", "MALFORMED", "OK", "OK"]
