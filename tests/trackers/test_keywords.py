"""Keywords are found as people mean them, and in linear time whatever comes (SPEC §5)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackers import keywords
from trackers.analyzers.base import Affiliation, ConversationText, Kind, Side, UtteranceText
from trackers.keywords import Matcher

REP, CUSTOMER = Affiliation.COMPANY, Affiliation.NON_COMPANY


def found(text: str, *terms: str, forms: bool = False, language: str = "en") -> list[str]:
    hits = Matcher(terms, related_forms=forms).hits(text, language)
    return [text[hit.start : hit.end] for hit in hits]


def call(*said: tuple[Affiliation, str], language: str = "") -> ConversationText:
    turns = tuple(UtteranceText(f"u{at}", who, text) for at, (who, text) in enumerate(said))
    return ConversationText("call-1", Kind.CALL, turns, language)


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("What is the PRICE?", "price", ["PRICE"]),
        ("It is priceless.", "price", []),
        ("The prices rose.", "price", []),
        (
            "That is too—expensive, too expensive!",
            "too expensive",
            ["too—expensive", "too expensive"],
        ),
        ("A follow up, a FOLLOW-UP", "follow-up", ["follow up", "FOLLOW-UP"]),
        ("I don’t know", "don't", ["don’t"]),
        ("We are too. Expensive it is not.", "too expensive", []),
        ("version 3.5 it is", "3.5", ["3.5"]),
        ("cafe\u0301 or Café", "CAFÉ", ["cafe\u0301", "Café"]),
        ("a cafe", "café", []),
        ("pri\u00adce", "price", ["pri\u00adce"]),
        ("die STRASSE", "Straße", ["STRASSE"]),
        ("in İstanbul", "istanbul", ["İstanbul"]),
        ("in istanbul", "İSTANBUL", ["istanbul"]),
        ("это ЦЕНА", "цена", ["ЦЕНА"]),
        ("这个价格太高了", "价格", ["价格"]),
        ("ราคาแพงมาก", "ราคา", ["ราคา"]),
        ("I write C++ and C.", "C++", ["C++"]),
        ("50% off", "50 %", ["50%"]),
        ("the ﬁnance team", "finance", ["ﬁnance"]),
        ("ΣΟΦΟΣ", "σοφος", ["ΣΟΦΟΣ"]),
        ("price_list", "price", ["price"]),
    ],
)
def test_a_term_is_found_as_whole_words_in_any_writing(text, term, expected):
    assert found(text, term) == expected


def test_other_forms_of_a_word_are_found_where_they_are_asked_for():
    text = "Pricing, prices and the price; competitors compete."

    assert found(text, "price", "competitor") == ["price"]
    assert found(text, "price", forms=True) == ["Pricing", "prices", "price"]
    assert found("mehrere Verträge", "Vertrag", forms=True, language="de") == ["Verträge"]
    assert found("mehrere Verträge", "Vertrag", forms=True, language="en") == []
    assert found("viele Angebote, des Angebots", "Angebot", forms=True, language="de") == [
        "Angebote",
        "Angebots",
    ]


def test_a_language_without_rules_has_words_as_they_are_written():
    assert found("prices", "price", forms=True, language="ja") == []


def test_of_two_terms_at_one_place_the_longer_counts_and_none_overlaps():
    assert found("the price list price", "price", "price list") == ["price list", "price"]


def test_the_side_s_words_alone_are_read_and_the_first_three_utterances_quoted():
    said = call(
        (REP, "Our price is fair."),
        (CUSTOMER, "Hm. That price! It is high. What is it to you?"),
        (CUSTOMER, "price"),
        (CUSTOMER, "A price, a price"),
        (CUSTOMER, "price"),
    )

    finding = Matcher(["price", "cost"], side=Side.CUSTOMER).read("q", said)
    of_rep = Matcher(["price"], side=Side.REP).read("q", said)
    nothing = Matcher(["cost"]).read("q", said)

    assert (finding.verdict, finding.score, finding.answer) == ("YES", 1.0, "“price” (5 times)")
    assert [(one.utterance_id, one.quote) for one in finding.evidence] == [
        ("u1", "That price!"),
        ("u2", "price"),
        ("u3", "A price, a price"),
    ]
    assert [one.quote for one in of_rep.evidence] == ["Our price is fair."]
    assert (nothing.verdict, nothing.score, nothing.answer, nothing.evidence) == (
        "NO",
        0.0,
        "No",
        (),
    )


def test_word_forms_follow_the_language_the_record_named():
    german = call((CUSTOMER, "Wir haben mehrere Angebote."), language="de")
    unnamed = call((CUSTOMER, "We have several offers."))
    matcher = Matcher(["Angebot", "offer"], related_forms=True)

    assert matcher.read("q", german).answer == "“Angebot”"
    assert matcher.read("q", unnamed).answer == "“offer”"


def test_a_quote_of_a_long_sentence_is_cut_around_the_term():
    text = "x " * 400 + "price" + " y" * 400

    [evidence] = Matcher(["price"]).read("q", call((CUSTOMER, text))).evidence

    assert "price" in evidence.quote
    assert 100 < len(evidence.quote) <= 300
    assert text[evidence.start : evidence.end] == evidence.quote


@pytest.mark.parametrize("term", ["", " ", "…", "–", "_", "\u0301", "\u200d"])
def test_a_term_without_a_word_is_refused(term):
    with pytest.raises(keywords.NoWords):
        keywords.refuse_unfindable(term)


def test_a_term_has_at_most_ten_words():
    keywords.refuse_unfindable("a " * 10)
    with pytest.raises(keywords.TooManyWords):
        keywords.refuse_unfindable("a " * 11)


HOSTILE = {
    "dots": ".",
    "dots and spaces": ". ",
    "one endless word": "a",
    "the beginning of a term again and again": "a ",
    "marks": "\u0301",
    "joiners": "\u200d",
    "signs": "+",
    "ideographs": "价",
    "lines": "\r\n",
    "ligatures that grow eighteenfold": "\ufdfa ",
    "half terms": "price li",
    "hyphens": "a-",
    "possessives": "a's ",
    "plurals": "analyses-",
}


def seconds_for(text: str) -> float:
    matcher = Matcher(
        ["a a a a a a a a a b", "price list", "价价价价价价价价格", "a-a a-a-a a-a-a-b"],
        related_forms=True,
    )
    began = time.process_time()
    matcher.hits(text)
    return time.process_time() - began


@pytest.mark.parametrize("name", HOSTILE)
def test_twice_the_hostile_text_takes_about_twice_the_time(name):
    piece = HOSTILE[name]
    seconds_for(piece * 1000)
    short = min(seconds_for(piece * 20_000) for _ in range(3))

    long = min(seconds_for(piece * 80_000) for _ in range(2))

    # Quadratic would be 16 times; the clock's own noise is below 10 ms.
    assert long < 9 * short + 0.05


def written(text: str) -> str:
    """Return the letters of a text as they are compared: hyphens and the dotless ı aside."""
    words = [word.form for word in keywords.words_of(text) if word]
    return "".join(words).replace("ı", "i")


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_what_is_found_stands_where_it_is_said_to(text, term):
    hits = Matcher([term]).hits(text)

    for hit in hits:
        assert written(text[hit.start : hit.end]) == written(term)
    assert [hit.start for hit in hits] == sorted(hit.start for hit in hits)


@settings(deadline=None)
@given(st.text(alphabet="ab価é\u0301 .+-", max_size=30))
def test_every_term_is_found_in_itself(term):
    forms = [word for word in keywords.words_of(term) if word]
    whole = " ".join(word.form for word in forms)

    assert bool(forms) == bool(Matcher([term]).hits(whole))
