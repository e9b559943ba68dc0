"""A quote is shown only where it was said, and what is shown is what was said."""

from __future__ import annotations

import time
import unicodedata

import pytest

from trackers.analyzers.llm import quotes

SAID = "Well – that’s far too  expensive for us,\nand our board decides in May. We will not sign."


def quoted(quote: str, text: str = SAID) -> str | None:
    place = quotes.find(quote, text)
    return None if place is None else text[place[0] : place[1]]


@pytest.mark.parametrize(
    ("quote", "shown"),
    [
        ("that’s far too  expensive for us", "that’s far too  expensive for us"),
        ("THAT'S FAR TOO EXPENSIVE FOR US", "that’s far too  expensive for us"),
        ("“our board decides in May.”", "our board decides in May"),
        ("expensive for us, and our board", "expensive for us,\nand our board"),
        # A letter was left out, one was put in.
        ("far to expensive for us", "far too  expensive for us"),
        ("our board decidess in May", "our board decides in May"),
        # Only whole words.
        ("oard decides in M", "board decides in May"),
    ],
)
def test_a_quote_that_was_said_is_found_as_it_was_said(quote, shown):
    assert quoted(quote) == shown


@pytest.mark.parametrize(
    "quote",
    [
        "our board decided against it in June",
        "We will sign tomorrow",
        "We love the price",
        "",
        "…",
        "a",
        "us",
        "too expensive for them, and their boards decide in March",
    ],
)
def test_a_quote_that_nobody_said_is_not_found(quote):
    assert quotes.find(quote, SAID) is None


def test_what_is_short_counts_only_as_all_that_was_said():
    assert quoted("Yes", "Yes.") == "Yes"
    assert quotes.find("Yes", "Yes, but not this year.") is None


def test_words_that_were_left_out_do_not_hide_what_was_said():
    shown = quoted("We will not sig", SAID)

    assert shown == "We will not sign"


@pytest.mark.parametrize("sign", ["İ", "ﬁ", "ß", "😀", "\ud800", "ǆ"])
def test_signs_that_fold_to_more_than_one_keep_their_place(sign):
    text = f"{sign}{sign} the office in Fürth is too expensive {sign}"

    assert quoted("The OFFICE in Fürth is too expensive", text) == (
        "the office in Fürth is too expensive"
    )


DEAR = "Đây là một mức giá quá đắt với chúng tôi"
COREAN = "가격이 너무 비싸서 살 수 없습니다"


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("said", [DEAR, COREAN])
def test_letters_of_one_sign_or_of_several_are_the_same(form, said):
    text = unicodedata.normalize(form, said)

    assert quoted(unicodedata.normalize("NFC", said), text) == text
    assert quoted(unicodedata.normalize("NFD", said), text) == text


def test_signs_that_nobody_sees_do_not_hide_what_was_said():
    text = "That is too\u200b ex\u00adpensive \u202afor us\u202c, we fear."

    assert quoted("too expensive for us", text) == "too\u200b ex\u00adpensive \u202afor us"


def test_a_few_wide_letters_are_enough():
    assert quoted("价格太贵了", "我们觉得价格太贵了。") is not None
    assert quoted("我们", "我们觉得价格太贵了。") is None


def test_a_long_text_is_searched_within_moments():
    text = "the price is what we talk about and the board is not here today " * 400
    began = time.process_time()

    assert (
        quotes.find("the prise is whet we talked abaut when bords are here to play", text) is None
    )
    assert time.process_time() - began < 5
