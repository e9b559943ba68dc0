"""Credits counted by hand from the files and SPEC §3 alone: nothing of the product is imported."""

import json
from decimal import Decimal

import pytest

KINDS = {"call": "calls", "email": "emails"}
SIDES = {"rep": {"internal"}, "customer": {"external"}, "any": {"internal", "external"}}


def credits_by_hand(folder):
    """Price each conversation for each tracker of its source and kind, and add up by kind."""
    conversations = lines(folder / "conversations.jsonl")
    total = {"calls": Decimal("0"), "emails": Decimal("0")}
    for tracker in lines(folder / "trackers.jsonl"):
        for conversation in conversations:
            read = conversation["kind"] in tracker["kinds"]
            if read and conversation.get("source", "") == tracker["source"]:
                total[KINDS[conversation["kind"]]] += price(conversation, SIDES[tracker["side"]])
    return total


def price(conversation, roles):
    people = {one["id"] for one in conversation["participants"] if one["role"] in roles}
    words = [one["text"] for one in conversation["utterances"] if one["speaker"] in people]
    if not any(letter.isalnum() for text in words for letter in text):
        return Decimal("0")
    if conversation["kind"] == "email":
        return Decimal("0.1")
    return Decimal("1.0") if conversation["duration_seconds"] > 600 else Decimal("0.5")


def lines(file):
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]


def test_the_sample_s_credits_equal_the_count_by_hand(sample_run, sample_folder):
    counted = credits_by_hand(sample_folder)

    assert counted == {"calls": Decimal("46.0"), "emails": Decimal("1.0")}
    assert sample_run.report["calls"]["credits"] == "46.0"
    assert sample_run.report["emails"]["credits"] == "1.0"


@pytest.mark.shared_data
def test_the_real_folder_s_credits_equal_the_count_by_hand(shared_run, shared_folder):
    counted = credits_by_hand(shared_folder)

    assert counted == {"calls": Decimal("1250.0"), "emails": Decimal("220.0")}
    assert shared_run.report["calls"]["credits"] == "1250.0"
    assert shared_run.report["emails"]["credits"] == "220.0"
    assert shared_run.report["check_ledger"]["breaches"] == []
