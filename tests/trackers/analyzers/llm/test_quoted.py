"""What stands in quotation marks in a model's own words was said by somebody, word for word."""

from __future__ import annotations

import pytest

from trackers.analyzers.llm import quoted

SAID = (
    "That is far too expensive for us, and we don't sign before May.",
    "我们觉得价格太贵了。",
)
INVENTED = "we gladly pay double"


@pytest.mark.parametrize(
    "text",
    [
        "The price is too high for them.",
        "They find it “far too expensive for us”.",
        "They find it “Far too Expensive for us,” and say so.",
        'They said "too expensive" and "we don\'t sign".',
        "They said 'we don't sign before May'.",
        "They said ‘we don’t sign’.",
        "Sie sagten „too expensive“ und »before May«.",
        "They said “that is … too expensive […] before May”.",
        "They said “May”.",
        "他们说「价格太贵」。",
        "The 5\" one is not what Carl's people want; it's the customers' choice.",
        "They said &quot;too expensive&quot;.",
    ],
)
def test_words_that_were_said_may_be_quoted(text):
    assert quoted.is_said(text, SAID)


@pytest.mark.parametrize(
    "marks",
    [
        "“{}”",
        "”{}”",
        "„{}“",
        "‘{}’",
        "‚{}‘",
        "'{}'",
        '"{}"',
        "＂{}＂",
        "«{}»",
        "« {} »",
        "»{}«",
        "‹{}›",
        "「{}」",
        "``{}''",
        "''{}''",
        "&quot;{}&quot;",
        "&#8220;{}&#8221;",
        "“{}",
        "“too expensive”, and “{}”",
        "“too expensive «{}» for us”",
        "““{}””",
        "“too expensive” “ {} ”",
        "“too expensive … {}”",
    ],
)
def test_words_that_nobody_said_may_not_be_quoted_in_any_marks(marks):
    assert not quoted.is_said(f"They said {marks.format(INVENTED)} today.", SAID)


@pytest.mark.parametrize(
    "words",
    [
        "we sign before May",
        "too expensive for us, and we sign",
        "far to expensive",
        "pens",
        "yes",
        "That is far too expensive for us, and we don't sign before May. " + "We agree. " * 30,
    ],
)
def test_a_quote_that_says_something_else_is_none_however_near_or_short(words):
    assert not quoted.is_said(f"They said “{words}”.", SAID)
