"""``check_ledger`` of books with more breaches than a rule lists: no company goes unnamed."""

from __future__ import annotations

import json

import pytest

from credits import reconciliation
from tests.support.corrupting import corrupt

pytestmark = pytest.mark.django_db


def test_entries_that_are_not_listed_are_counted_for_each_company(books, run, monkeypatch):
    monkeypatch.setattr(reconciliation, "BREACHES_PER_RULE_MAX", 2)
    acme, globex = books
    corrupt(acme, "UPDATE credits_drawdown SET amount = amount - 1")

    code, lines = run(allow_test_clock=True)

    # Of six entries with a wrong sum two are listed; of three lots two, of two captured lots both.
    assert code == 1
    assert f"I6 company {acme.slug}, 3 more: not listed; one rule lists 2" in lines
    assert f"I6 company {globex.slug}, 1 more: not listed; one rule lists 2" in lines
    assert len([line for line in lines if " more: " in line]) == 3
    assert lines[-1] == "Checked 6 ledger entries: 13 breaches."


@pytest.mark.parametrize("sessions", [1, 2])
def test_every_company_with_a_breach_is_named(books, run, monkeypatch, sessions):
    monkeypatch.setattr(reconciliation, "BREACHES_PER_RULE_MAX", 1)
    acme, globex = books
    corrupt(acme, "UPDATE credits_creditpool SET balance = balance + 1")

    code, (line,) = run("--json", allow_test_clock=True, sessions=sessions)

    found = [one for one in json.loads(line)["breaches"] if one["invariant"] == "I1"]
    assert code == 1
    assert {one["company"] for one in found} == {acme.slug, globex.slug}
    assert [one["count"] for one in found] == [1, 1]
    assert [one["subject"] for one in found] == ["pool", "1 more"]


def test_as_many_as_a_rule_lists_are_all_listed(books, run, monkeypatch):
    monkeypatch.setattr(reconciliation, "BREACHES_PER_RULE_MAX", 6)
    acme, _ = books
    corrupt(acme, "UPDATE credits_drawdown SET amount = amount - 1")

    _, lines = run(allow_test_clock=True)

    assert [line for line in lines if " more: " in line] == []
    assert lines[-1] == "Checked 6 ledger entries: 13 breaches."
