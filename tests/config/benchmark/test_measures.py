"""The measures of a benchmark, counted by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from config.benchmark.folder import Label
from config.benchmark.scoring import Result, measure


def result(name, *, is_yes=False, is_unsure=False):
    return Result(name, is_yes, 0.5, Decimal("0.5"), (), is_unsure)


def test_unsure_counts_as_no_and_is_told_apart():
    """Ten results: three found, four unsure of which three are there, three not found with none."""
    results = [
        *(result(f"found-{n}", is_yes=True) for n in range(3)),
        *(result(f"unsure-{n}", is_unsure=True) for n in range(4)),
        *(result(f"not-{n}") for n in range(3)),
    ]
    there = {"found-0", "found-1", "found-2", "unsure-0", "unsure-1", "unsure-2"}
    labels = {one.conversation: Label(one.conversation in there, None) for one in results}

    found = measure(results, labels)

    assert found["unsure_share"] == 0.4
    assert (found["yes_among_unsure"], found["yes_among_not_found"]) == (0.75, 0.0)
    assert found["f1"] == pytest.approx(2 * 3 / (3 + 6))


def test_without_an_unsure_result_nothing_is_said_of_them():
    found = measure([result("one", is_yes=True)], {"one": Label(True, None)})

    assert (found["unsure_share"], found["yes_among_unsure"]) == (0.0, None)
    assert found["yes_among_not_found"] is None
