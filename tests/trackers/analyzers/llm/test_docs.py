"""The cost arithmetic of docs/analyzers.md is right, and rests on what is really sent."""

from __future__ import annotations

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

    sent = sum(len(one["content"]) for one in server.requests[0].body["messages"])
    schema = len(str(server.requests[0].body["response_format"]))
    assert 300 < (sent + schema) / 4 < 600


def test_a_call_of_9100_words_is_as_many_pieces_as_is_said(analyzer, server):
    words = " ".join(["delivery"] * 45 + ["is", "what", "we", "want", "now"])
    long = call(*(("customer", words[:230] + f" {at}.") for at in range(190)))

    read(analyzer, long, question())

    assert len(server.requests) == 3
