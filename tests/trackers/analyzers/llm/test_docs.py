"""The cost arithmetic of docs/analyzers.md is right, and rests on what is really sent."""

from __future__ import annotations

import json
import re

import pytest

from config.embedded_postgres import PROJECT
from tests.trackers.analyzers.llm.texts import OBJECTION, call, question, read

DOCS = PROJECT / "docs" / "analyzers.md"
SUM = re.compile(r"((?:[\d.,]+ [×÷+] )+[\d.,]+) = ([\d.,]+\d)")


def figure(text: str) -> float:
    return float(text.replace(",", ""))


def worked_out(sum_: str) -> float:
    return eval(re.sub(r",(?=\d)", "", sum_).replace("×", "*").replace("÷", "/"))


def test_the_sums_are_right():
    sums = SUM.findall(" ".join(DOCS.read_text().split()))

    assert len(sums) >= 6
    for sum_, total in sums:
        digits = len(total.partition(".")[2])
        assert round(worked_out(sum_), digits) == pytest.approx(figure(total)), sum_


def test_a_request_has_about_as_many_tokens_of_its_own_as_is_said(analyzer, server):
    read(analyzer, OBJECTION)

    # And the words that were said.
    assert pytest.approx(tokens(server.requests[0]) - 20, rel=0.2) == 350


def test_a_call_of_9100_words_is_as_many_pieces_and_tokens_as_is_said(analyzer, server):
    line = "so the delivery is what we would want to see by then, in all "
    long = call(*(("customer", f"{line[:58]} {at}") for at in range(650)))

    read(analyzer, long, question())

    assert len(server.requests) == 3
    assert sum(map(tokens, server.requests)) == pytest.approx(14_950, rel=0.1)


def tokens(request) -> float:
    sent = sum(len(one["content"]) for one in request.body["messages"])
    form = json.dumps(request.body["response_format"], separators=(",", ":"))
    return (sent + len(form)) / 4
