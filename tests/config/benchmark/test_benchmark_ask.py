"""``manage.py benchmark_ask`` on our own labelled sample, and on the shared data."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from config import databases
from config.benchmark import asking
from config.benchmark.asking import Asked, LabeledQuestion
from config.benchmark.folder import UnusableFolder
from config.embedded_postgres import PROJECT
from tests.config.benchmark.conftest import SAMPLE, SHARED

# Measured on 26 November 2026: .502, .713, .789.
FLOORS = {"hit_at_1": 0.48, "hit_at_3": 0.69, "hit_at_5": 0.77}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "benchmark_ask", *arguments],
        cwd=PROJECT,
        env=databases.environment(databases.dsn()),
        capture_output=True,
        text=True,
        timeout=1200,
    )


def test_passages_and_quotes_are_counted_by_their_place():
    question = LabeledQuestion("q", "c", "Which?", frozenset({"u7"}))
    first = Asked(question, (frozenset({"u6", "u7"}),), ("u6",), 0.2)
    second = Asked(
        question,
        (frozenset({"u1"}), frozenset({"u2"}), frozenset({"u7"})),
        ("u1", "u2", "u7"),
        0.4,
    )
    fourth = Asked(
        question, tuple(frozenset({one}) for one in ("u1", "u2", "u3", "u7")), ("u1",), 0.6
    )
    nothing = Asked(question, (), (), 0.8)

    found = asking.report([first, second, fourth, nothing])

    assert found == {
        "questions": 4,
        "hit_at_1": 0.25,
        "hit_at_3": 0.5,
        "hit_at_5": 0.75,
        "quote_hit_at_1": 0.0,
        "quote_hit_at_3": 0.25,
        "quote_hit_at_5": 0.25,
        "seconds_per_question": 0.5,
    }


def test_a_folder_s_questions_are_asked_through_the_product(django_db_setup):
    done = run(str(SAMPLE), "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    # One of the six says no evidence and cannot be judged.
    assert report["questions"] == 5
    assert report["hit_at_1"] >= 0.6
    assert report["hit_at_5"] >= 0.8
    # A grant, and a charge for each question.
    assert report["check_ledger"] == {"entries": 6, "breaches": []}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (None, "questions.jsonl cannot be read: No such file or directory."),
        (["{"], "questions.jsonl, line 1: not JSON."),
        (['{"id": "q", "conversation": "c"}'], "questions.jsonl, line 1: 'question' is missing."),
        (
            ['{"id": "q", "conversation": "c", "question": " ", "evidence": ["u1"]}'],
            "line 1: “question” is empty.",
        ),
        (
            ['{"id": "q", "conversation": "c", "question": "Why?"}'],
            "questions.jsonl has no question with evidence.",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, lines, said):
    (tmp_path / "conversations.jsonl").write_text("")
    if lines is not None:
        (tmp_path / "questions.jsonl").write_text("\n".join(lines))

    with pytest.raises(UnusableFolder) as refused:
        asking.load(tmp_path)

    assert str(refused.value).endswith(said)


@pytest.mark.shared_data
def test_the_shared_questions_find_their_evidence_as_measured(django_db_setup):
    done = run(str(SHARED), "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["questions"] == 237
    assert {name: report[name] for name in FLOORS if report[name] < FLOORS[name]} == {}
