"""``manage.py benchmark_trackers`` on our own labelled sample, through real workers."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from django.core.management import CommandError, call_command

from tests.config.benchmark.conftest import SAMPLE, command, scratch_databases_of
from tests.support import language_models


def test_every_tracker_reads_its_own_source_s_conversations_and_the_ledger_holds(sample_run):
    report = sample_run.report

    assert (report["calls"]["conversations"], report["calls"]["scans"]) == (22, 66)
    assert (report["emails"]["conversations"], report["emails"]["scans"]) == (10, 10)
    assert {key: row["conversations"] for key, row in report["calls"]["trackers"].items()} == {
        "north.price": 22,
        "north.competitor": 22,
        "north.anyone": 22,
    }
    assert list(report["emails"]["sources"]) == ["mails-south"]
    assert report["check_ledger"]["breaches"] == []
    # A grant for each of three companies, and a use for each tracker and team.
    assert report["check_ledger"]["entries"] == 3 + 16
    assert len(sample_run.findings) == 76


def test_measures_are_there_where_labels_can_tell(sample_run):
    report = sample_run.report

    price, anyone = (report["calls"]["trackers"][key] for key in ("north.price", "north.anyone"))
    assert price["f1_always_yes"] == 0.4286  # 2 · 6 of 22 yes / (22 + 6).
    assert anyone["f1"] is None
    assert report["calls"]["f1_always_yes"] == 0.4286
    for measure in ("precision", "recall", "f1", "auc", "evidence_hit_at_1", "evidence_hit_at_3"):
        assert 0 <= report["calls"][measure] <= 1
    assert report["calls"]["auc"] > 0.6


def test_findings_are_the_same_without_the_labels(sample_run, unlabelled_run):
    assert unlabelled_run.findings == sample_run.findings
    assert unlabelled_run.report["calls"]["credits"] == "46.0"
    assert unlabelled_run.report["calls"]["f1"] is None


@pytest.mark.django_db
def test_a_language_model_is_measured_in_the_same_way_with_what_it_used(tmp_path):
    keep_lines(tmp_path, "conversations.jsonl", lambda row: row["kind"] == "email")
    keep_lines(tmp_path, "trackers.jsonl", lambda row: row["id"] == "south.price")
    keep_lines(tmp_path, "labels.jsonl", lambda row: row["tracker"] == "south.price")

    def says_yes(request):
        (asked,) = request.questions
        name, _, text = [line for line in request.lines if line[1] == "Customer"][-1]
        return language_models.completion(
            {"answers": [language_models.found(asked["tracker_id"], name, text)]}
        )

    with language_models.serving() as server:
        server.always = says_yes
        done = command(tmp_path, "--analyzer", "llm", "--json", environment=server.environment())

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    # 4 of 10 are yes: 2 · 4 / (4 + 10).
    assert (report["emails"]["recall"], report["emails"]["f1"]) == (1.0, 0.5714)
    assert report["language_model"] == {
        "requests": 10,
        "answered": 10,
        "tokens_in": 1_200,
        "tokens_out": 300,
    }
    assert len(server.requests) == 10
    assert report["check_ledger"]["breaches"] == []


@pytest.mark.django_db
def test_the_scratch_database_is_dropped_at_the_end(tmp_path):
    keep_lines(tmp_path, "conversations.jsonl", lambda row: row["kind"] == "email")
    keep_lines(tmp_path, "trackers.jsonl", lambda row: row["id"] == "south.price")

    done = command(tmp_path)

    assert done.returncode == 0, done.stderr
    assert "south.price" in done.stdout
    assert "every invariant holds." in done.stdout
    assert scratch_databases_of(done.pid) == []


def keep_lines(folder, name, wanted):
    lines = (SAMPLE / name).read_text("utf-8").splitlines()
    kept = [line for line in lines if wanted(json.loads(line))]
    (folder / name).write_text("\n".join(kept), "utf-8")


def test_a_missing_folder_is_one_sentence_and_exit_code_2(tmp_path):
    done = command(tmp_path / "nowhere")

    assert done.returncode == 2
    assert done.stderr == f"CommandError: {tmp_path}/nowhere is not a folder.\n"
    assert done.stdout == ""


BAD_FILES = [
    ("conversations.jsonl", None, "has no conversations.jsonl."),
    ("trackers.jsonl", None, "cannot be read: No such file or directory."),
    ("trackers.jsonl", b"", "has no tracker."),
    ("trackers.jsonl", b"{", "line 1: not JSON."),
    ("trackers.jsonl", b"[]", "line 1: a value of the wrong type."),
    ("trackers.jsonl", b"\xff", "it is not UTF-8."),
    ("trackers.jsonl", b'{"id": "a", "source": "s", "kinds": ["call"]}', "'question' is missing."),
    (
        "trackers.jsonl",
        b'{"id": "a", "source": "s", "kinds": ["call"], "question": " "}',
        "“question” is empty.",
    ),
    (
        "trackers.jsonl",
        b'{"id": "a", "source": "s", "kinds": "call", "question": "Q?"}',
        "“kinds” is not a list of “call” and “email”.",
    ),
    ("conversations.jsonl", b"no JSON", "has no conversation that can be read."),
    ("labels.jsonl", b'{"tracker": "a", "conversation": "b"}', "'answer' is missing."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "content", "reason"), BAD_FILES)
def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_made(
    tmp_path, name, content, reason
):
    shutil.copytree(SAMPLE, tmp_path, dirs_exist_ok=True)
    file = tmp_path / name
    file.unlink()
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(CommandError) as refusal:
        call_command("benchmark_trackers", str(tmp_path))

    assert refusal.value.returncode == 2
    assert str(refusal.value).endswith(reason)
    assert "\n" not in str(refusal.value)
    assert scratch_databases_of(os.getpid()) == []
