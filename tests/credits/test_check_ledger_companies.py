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
