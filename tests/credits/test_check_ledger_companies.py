"""``check_ledger`` finds a row whose key leads to another company or another conversation."""

from __future__ import annotations

import pytest

from tests.support import conversations, people
from tests.support.corrupting import corrupt

pytestmark = pytest.mark.django_db


def test_a_row_of_another_company_is_named(books, run):
    acme, globex = books
    corrupt(acme, f"UPDATE credits_drawdown SET company_id = {globex.pk} WHERE entry_id = {{e5}}")

    code, lines = run(company=globex.slug)

    assert code == 1
    assert f"I16 company {globex.slug}, credits_drawdown " in lines[0]
    assert lines[0].endswith(": entry_id is not a row of its company")


def test_what_is_said_to_be_said_in_another_conversation_is_named(run):
    acme = people.company()
    one, other = (conversations.conversation(acme, name) for name in ("one", "other"))
    said = one.utterances.first()
    corrupt(
        acme,
        f"UPDATE trackers_utterance SET conversation_id = '{other.pk}', position = 9"
        f" WHERE id = {said.pk}",
    )

    assert run() == (
        1,
        [
            (
                f"I16 company {acme.slug}, trackers_utterance {said.pk}: speaker_id is not a row of"
                " its conversation"
            ),
            "Checked 0 ledger entries: 1 breach.",
        ],
    )


def test_rows_of_a_company_that_was_deleted_are_named(books, run):
    acme, globex = books
    corrupt(acme, "DELETE FROM credits_company WHERE id = {company}")

    code, lines = run()

    assert code == 1
    assert [line for line in lines if line.endswith("has rows of a company that is not there")] == [
        f"I16 company no. {acme.pk}, credits_{table}: has rows of a company that is not there"
        for table in ("creditpool", "creditgrant", "ledgerentry", "usageevent", "reservation")
    ]
    assert globex.slug not in "".join(lines)


def test_entries_without_company_and_pool_are_named(books, run):
    acme, _ = books
    corrupt(
        acme,
        "DELETE FROM credits_company WHERE id = {company}",
        "DELETE FROM credits_creditpool WHERE company_id = {company}",
        "DELETE FROM credits_hold WHERE company_id = {company}",
        "DELETE FROM credits_reservation WHERE company_id = {company}",
    )

    _, lines = run()

    assert (
        f"I16 company no. {acme.pk}, credits_ledgerentry: has rows of a company that is not there"
    ) in lines
