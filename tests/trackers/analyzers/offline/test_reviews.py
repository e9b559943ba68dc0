from __future__ import annotations

from trackers.analyzers.offline.reviews import Review, log_likelihood, threshold

SCORES = [index / 100 for index in range(1, 100)]


def test_without_reviews_the_threshold_stays_near_one_half():
    assert 0.3 < threshold([], SCORES) < 0.7


def test_reviews_that_say_no_raise_the_threshold():
    reviews = [Review(score=0.7, is_yes=False)] * 15 + [Review(score=0.95, is_yes=True)] * 5

    assert threshold(reviews, SCORES) > 0.75


def test_reviews_that_say_yes_lower_the_threshold():
    reviews = [Review(score=0.3, is_yes=True)] * 15 + [Review(score=0.05, is_yes=False)] * 5

    assert threshold(reviews, SCORES) < 0.3


def test_extreme_scores_are_reviewed_like_any():
    reviews = [Review(score=0.0, is_yes=False), Review(score=1.0, is_yes=True)]

    assert 0.0 < threshold(reviews, [0.0, 1.0]) <= 1.0


def test_scores_that_tell_yes_from_no_explain_the_reviews_better():
    said = [True, True, False, False]
    telling = [Review(*one) for one in zip((0.9, 0.8, 0.2, 0.1), said, strict=True)]
    blind = [Review(*one) for one in zip((0.9, 0.1, 0.8, 0.2), said, strict=True)]

    assert log_likelihood(blind) < log_likelihood(telling) < 0.0
