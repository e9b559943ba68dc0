"""What files hold is told from their names and beginnings."""

from __future__ import annotations

import json

import pytest

from trackers.importers import formats
from trackers.importers.formats import MixedFiles
from trackers.importers.reading import MemoryFile

OURS = b'{"id": "1", "kind": "call", "account": {"name": "x"}, "utterances": []}\n'
GONG = json.dumps({"calls": [{"metaData": {"id": "1"}}]}).encode()
CSV = b"Account,Account type\nGlobex,customer\n"


def told(*files: tuple[str, bytes]) -> str:
    return formats.detect([MemoryFile(name, content) for name, content in files])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("crm.csv", CSV),
        ("CRM.CSV", b"Customer;Kind\n"),
        ("crm.csv", "Account\tDeal\n".encode("utf-16")),
        ("crm", b"\xef\xbb\xbfAccount\nGlobex\n"),
        ("export.txt", b"\xef\xbb\xbfDeal;ACCOUNT NAME\r\n"),
        ("export.txt", b'"Deal (open)"\t" account "\r\n'),
    ],
)
def test_accounts_and_deals_are_told_by_the_file_s_name_or_its_column(name, content):
    assert told((name, content)) == "DIRECTORY"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (OURS, "JSONL"),
        (GONG, "GONG"),
        (b'["Deal","Account","Type"]\n', "JSONL"),
        (b"The account,the deal\n", "JSONL"),
        (b"Deal,Stage\nAccount,won\n", "JSONL"),
        (b"", "JSONL"),
        (b'"Account' + b"x" * 200_000, "JSONL"),
    ],
)
def test_what_only_mentions_an_account_is_none(content, expected):
    assert told(("calls.json", content)) == expected


def test_a_half_of_gong_s_calls_tells_what_the_others_are():
    assert told(("a.json", b"\n" * 70_000 + GONG), ("b.json", GONG)) == "GONG"


@pytest.mark.parametrize("other", [OURS, GONG])
def test_accounts_together_with_calls_are_refused_in_one_sentence(other):
    with pytest.raises(MixedFiles) as refusal:
        told(("calls.json", other), ("crm.csv", CSV))

    assert str(refusal.value) == (
        "Upload accounts and deals (CSV) by themselves, not together with calls and e-mails."
    )
