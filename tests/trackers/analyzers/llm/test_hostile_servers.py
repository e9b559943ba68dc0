"""What a server may do to who asks it: answer without end, or packed, or count what is none."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from datetime import timedelta

import pytest

from tests.support import language_models
from tests.support.language_models import answering, completion, failing, found, verdict
from tests.trackers.analyzers.llm.test_faults import fails
from tests.trackers.analyzers.llm.texts import read
from trackers.analyzers.base import AnalyzerBusy, AnalyzerRefused


def dripping(first: bytes, drop: bytes):
    """Return what begins an answer and goes on with it for ever, a drop at a time."""

    def drip(connection):
        connection.sendall(first)
        while True:
            connection.sendall(drop)
            time.sleep(0.2)

    return drip


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    ],
)
def test_an_answer_that_drips_is_ended_in_time(analyzer_at, gate, first, drop):
    with language_models.speaking(dripping(first, drop)) as address:
        failure = fails(analyzer_at(base_url=address, timeout_seconds=1))

    assert str(failure) == "The language model did not answer within 1 seconds."
    assert gate.outcomes == ["TIMEOUT"]


def test_a_packed_answer_is_never_unpacked(analyzer, server, gate):
    """A hundred kilobytes of it would be thirty megabytes."""
    read(analyzer)
    good = json.dumps({"answers": [verdict("t1", "no")]})
    body = completion(good).body | {"padding": "x" * 30_000_000}
    packed = gzip.compress(json.dumps(body).encode(), 1)
    server.always = lambda request: language_models.Reply(200, packed, Content_Encoding="gzip")
    tracemalloc.start()

    fails(analyzer, AnalyzerRefused)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert gate.outcomes == ["OK", "MALFORMED", "MALFORMED"]
    assert most < 10_000_000


def test_an_answer_without_end_is_cut(analyzer, server, gate):
    server.always = answering("x" * 3_000_000)

    fails(analyzer, AnalyzerRefused)

    assert set(gate.outcomes) == {"MALFORMED"}


@pytest.mark.parametrize("usage", [(0, 0), (-5, -1), (2**31 - 1, 2**31 - 1)])
def test_what_cannot_have_been_counted_is_estimated(analyzer, server, gate, usage):
    server.always = answering({"answers": [verdict("t1", "no")]}, usage=usage)

    read(analyzer)

    (attempt,) = gate.attempts
    assert (attempt.is_estimated, attempt.tokens_in) == (True, None)
    assert 10 < attempt.tokens_out < 60


def test_lost_figures_are_estimated_from_what_was_sent_and_received(analyzer, server, gate):
    server.always = lambda request: completion({"answers": [verdict("t1", "no")]}, usage=None)

    read(analyzer)

    (attempt,) = gate.attempts
    assert (attempt.is_estimated, attempt.tokens_in) == (True, None)
    assert 10 < attempt.tokens_out < 60


def test_of_a_model_that_thinks_aloud_the_last_answer_counts(analyzer, server):
    drafts = json.dumps({"answers": [verdict("t1", "no")]})
    meant = json.dumps({"answers": [found("t1", "u2", "too expensive for us")]})
    server.always = answering(f"<think>Of {{t1}}: {drafts}? {{}}</think>\n{meant}\nDone {{}}.")

    (finding,) = read(analyzer)

    assert (finding.verdict, len(server.requests)) == ("YES", 1)


def test_a_right_answer_in_too_many_bytes_is_none(analyzer, server, gate):
    read(analyzer)
    body = completion({"answers": [verdict("t1", "no")]}).body | {"padding": "x" * 2_000_001}
    server.always = lambda request: language_models.Reply(200, body)

    fails(analyzer, AnalyzerRefused)

    assert gate.outcomes == ["OK", "MALFORMED", "MALFORMED"]


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("86400", 3600),
        ("1e400", 3600),
        ("-5", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("nan", 30),
        ("soon", 30),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 30),
    ],
)
def test_however_long_a_server_asks_to_wait_it_is_asked_again_within_the_hour(
    analyzer, server, wish, seconds
):
    server.always = failing(429, Retry_After=wish)

    failure = fails(analyzer, AnalyzerBusy)

    assert failure.retry_after == timedelta(seconds=seconds)


def test_an_id_of_a_request_holds_nothing_but_an_id(analyzer, server, gate):
    server.always = lambda request: language_models.Reply(
        200,
        completion({"answers": [verdict("t1", "no")]}).body,
        x_request_id="<script>req-7</script>" * 50,
    )

    read(analyzer)

    assert gate.attempts[0].request_id.startswith("scriptreq-7/script")
    assert len(gate.attempts[0].request_id) == 200


def test_nothing_of_the_environment_leads_a_request_elsewhere_or_goes_with_it(
    analyzer_at, server, monkeypatch
):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "of-somebody-else")

    (finding,) = read(analyzer_at())

    assert finding.verdict == "YES"
    assert "of-somebody-else" not in str(server.requests[0].headers)
