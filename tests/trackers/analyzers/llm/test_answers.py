"""An answer shows paragraphs with a quote that was said; the rest is labelled or left out."""

from __future__ import annotations

from tests.support.language_models import answering, error, well
from tests.trackers.analyzers.llm.texts import OBJECTION, call
from trackers.analyzers.llm import answering as answers

QUESTION = "What about the price?"


def paragraph(text: str, *citations: tuple[str, str]) -> dict:
    cited = [{"utterance_id": name, "quote": quote} for name, quote in citations]
    return {"text": text, "citations": cited}


def asked(analyzer, server, *paragraphs):
    server.always = answering({"paragraphs": list(paragraphs)})
    return analyzer.ask(QUESTION, [OBJECTION])


def test_a_paragraph_cites_the_words_as_they_were_said(analyzer, server):
    answer = asked(
        analyzer,
        server,
        paragraph("It costs too much for them.", ("u2", "too expensive for us")),
        paragraph("So it is refused.", ("u2", "too expensive for us"), ("u1", "our proposal")),
    )

    assert answer.text == "It costs too much for them. [1]\nSo it is refused. [1][2]"
    quotes = [(one.conversation_id, one.evidence.quote) for one in answer.citations]
    assert quotes == [("call", "too   expensive for us"), ("call", "our proposal")]


def test_a_paragraph_without_words_that_were_said_is_not_shown_as_an_answer(analyzer, server):
    answer = asked(
        analyzer,
        server,
        paragraph("It costs too much.", ("u2", "too expensive for us")),
        paragraph("They will sign in May.", ("u2", "We sign in May.")),
    )

    first, second = answer.text.split("\n")
    assert first == "It costs too much. [1]"
    assert second == f"{answers.UNBACKED}They will sign in May."


def test_an_answer_of_which_nothing_was_said_says_so_first(analyzer, server):
    answer = asked(analyzer, server, paragraph("They will sign in May."))

    assert answer.text.split("\n")[0] == answers.NOTHING
    assert answer.citations == ()


def test_a_paragraph_that_quotes_what_nobody_said_is_left_out(analyzer, server):
    answer = asked(
        analyzer,
        server,
        paragraph("Carl said “we will pay any price you name”.", ("u2", "too expensive for us")),
        paragraph("Carl said “too expensive for us”.", ("u2", "too expensive for us")),
    )

    assert "any price" not in answer.text
    assert answer.text.split("\n") == [
        "Carl said “too expensive for us”. [1]",
        "Left out: a paragraph that quoted words nobody said.",
    ]


def test_only_as_much_is_sent_as_one_request_carries(analyzer_at, server):
    chatter = [("rep", f"The weather in week {at} was as one expects it.") for at in range(400)]
    long = call(*chatter, ("customer", "The price is too expensive for us."), *chatter, id="long")

    answer = analyzer_at(chunk_tokens=1_000).ask(QUESTION, [long, OBJECTION])

    assert len(server.requests) == 1
    assert len(server.requests[0].user) < 6_000
    assert {one.conversation_id for one in answer.citations} == {"long", "call"}


def test_where_even_that_is_too_long_less_is_sent(analyzer_at, server):
    server.always = lambda request: (
        error(400, "context length exceeded") if len(request.user) > 3_000 else well(request)
    )
    chatter = [("rep", f"The price in week {at} was as one expects it.") for at in range(400)]
    long = call(*chatter, ("customer", "The price is too expensive for us."))

    answer = analyzer_at(chunk_tokens=2_000).ask("Is the price too expensive?", [long])

    assert answer.citations
    assert len(server.requests) > 1


def test_with_nothing_to_read_nothing_is_sent(analyzer, server):
    assert analyzer.ask(QUESTION, [call()]).text == answers.NO_CONVERSATION
    assert server.requests == []
