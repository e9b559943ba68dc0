"""Heads kept outside the database find a chain that was rewritten to its end."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from credits.models import CreditPool, LedgerEntry
from tests.support.corrupting import CHANGED, corrupt, entry, pool

pytestmark = pytest.mark.django_db
REHASH = """
    UPDATE credits_ledgerentry SET hash = ledger_entry_hash('1', company_id, sequence, kind,
        amount, balance_before, balance_after, occurred_at, recorded_at, cause, cause_ref,
        grant_id, corrects_sequence, actor_ref,
        (SELECT ledger_drawdown_digest(array_agg(grant_id ORDER BY id),
                    array_agg(amount ORDER BY id))
           FROM credits_drawdown WHERE entry_id = credits_ledgerentry.id),
        coalesce((SELECT hash FROM credits_ledgerentry before
                   WHERE before.company_id = credits_ledgerentry.company_id
                     AND before.sequence = credits_ledgerentry.sequence - 1), %s))
     WHERE id = %s
"""


def printed(capsys) -> str:
    call_command("ledger_heads")
    return capsys.readouterr().out


def rewritten(company) -> None:
    """Change who acted, and hash the chain anew to its end, as somebody who knows the recipe."""
    names = corrupt(company, entry(3, "actor_ref = cause_ref"))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for sequence in range(1, 6):
            cursor.execute(REHASH, [bytes(32), names[f"e{sequence}"]])
        cursor.execute("SET LOCAL session_replication_role = origin")
    last = LedgerEntry.objects.get(company=company, sequence=5)
    corrupt(company, pool(f"last_hash = decode('{bytes(last.hash).hex()}', 'hex')"))


def test_each_company_has_its_line(books, capsys):
    acme, globex = books
    last = {one: bytes(CreditPool.objects.get(pk=one.pk).last_hash).hex() for one in books}

    lines = printed(capsys).splitlines()

    assert lines == [
        f"{acme.pk} {acme.slug} 5 {last[acme]}",
        f"{globex.pk} {globex.slug} 1 {last[globex]}",
    ]


def test_a_ledger_that_went_on_continues_its_heads(books, run, capsys, tmp_path):
    acme, _ = books
    (tmp_path / "heads").write_text(f"# yesterday\n\n{printed(capsys)}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_settle(%s)", [acme.pk])

    assert run(heads=str(tmp_path / "heads"))[0] == 0


def test_a_chain_rewritten_to_its_end_is_found_by_the_head_alone(books, run, capsys, tmp_path):
    acme, globex = books
    file = tmp_path / "heads"
    file.write_text(printed(capsys))
    kept = bytes(CreditPool.objects.get(pk=acme.pk).last_hash).hex()
    rewritten(acme)
    now = bytes(CreditPool.objects.get(pk=acme.pk).last_hash).hex()

    without = run()
    code, lines = run(heads=str(file))

    assert without == (0, ["Checked 6 ledger entries: every invariant holds."])
    assert (code, lines[:-1]) == (
        1,
        [
            f"HEAD company {acme.slug}, entry #5: has the hash {now[:16]}…, kept was {kept[:16]}…",
        ],
    )
    assert run(heads=str(file), company=globex.slug)[0] == 0


def test_a_chain_that_was_cut_is_found_by_its_head(books, run, capsys, tmp_path):
    acme, _ = books
    file = tmp_path / "heads"
    file.write_text(printed(capsys))
    corrupt(acme, "DELETE FROM credits_ledgerentry WHERE id = {e5}")

    _, lines = run(heads=str(file))

    assert (
        f"HEAD company {acme.slug}, entry #5: was the last one when the heads were kept, and is "
        "gone"
    ) in lines


def test_one_changed_byte_of_an_entry_names_that_entry(books, run):
    acme, _ = books
    corrupt(acme, entry(2, "hash = set_byte(hash, 31, 255 - get_byte(hash, 31))"))

    assert run() == (
        1,
        [
            f"I10 company {acme.slug}, entry #2: {CHANGED}",
            "Checked 6 ledger entries: 1 breach.",
        ],
    )


@pytest.mark.parametrize("line", ["7 acme 5", "seven acme 5 " + "0" * 64, "7 acme 5 " + "g" * 64])
def test_a_file_of_something_else_is_one_sentence_and_exit_2(db, tmp_path, line):
    (tmp_path / "heads").write_text(f"# heads\n{line}\n")

    with pytest.raises(CommandError, match=r"^Line 2 is not one that “ledger_heads” printed") as no:
        call_command("check_ledger", heads=str(tmp_path / "heads"))

    assert no.value.returncode == 2


def test_a_file_that_is_not_there_is_one_sentence_and_exit_2(db, tmp_path):
    with pytest.raises(CommandError, match=r"^The file “.*/heads” cannot be read: ") as refusal:
        call_command("check_ledger", heads=str(tmp_path / "heads"))

    assert refusal.value.returncode == 2
