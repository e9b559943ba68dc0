"""``import_accounts``: types and stages as a CRM has them; a bad line costs only itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from credits.models import AuditEvent, Company
from tests.support import conversations, people
from trackers.models import CustomerAccount, Deal

pytestmark = pytest.mark.django_db

ROWS = b"Account,Account type,Deal,Stage\nGlobex,customer,Robots,won\nInitech,prospect,,\n"


@pytest.fixture
def run(tmp_path, acme, capsys):
    def importing(content: bytes, company: str = acme.slug, **options):
        file = tmp_path / "crm.csv"
        file.write_bytes(content)
        code = 0
        try:
            call_command("import_accounts", file, company=company, **options)
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out

    return importing


def test_it_makes_and_changes_accounts_and_deals(acme, run):
    CustomerAccount.objects.create(company=acme, name="Globex", account_type="prospect")

    code, said = run(ROWS)

    assert code == 0
    assert said == (
        "Imported: 1 new accounts, 1 with another type, 1 new deals, 0 in another stage, "
        "0 unchanged.\n"
    )
    accounts = CustomerAccount.objects.order_by("name").values_list("name", "account_type")
    assert list(accounts) == [("Globex", "customer"), ("Initech", "prospect")]
    assert (Deal.objects.get().name, Deal.objects.get().stage) == ("Robots", "won")
    assert AuditEvent.objects.get(subject_type="accounts").action == "IMPORTED"


def test_the_same_again_changes_nothing(acme, run):
    run(ROWS)

    _, said = run(ROWS)

    assert said.endswith("0 in another stage, 3 unchanged.\n")


def test_a_dry_run_only_says_so(acme, run):
    _, said = run(ROWS, dry_run=True)

    assert said.startswith("Would be imported: 2 new accounts")
    assert not CustomerAccount.objects.exists()
    assert not AuditEvent.objects.filter(subject_type="accounts").exists()


def test_a_later_conversation_moves_the_deal_on_and_an_earlier_one_does_not(acme, run):
    run(b"Account,Deal,Stage\nGlobex,Globex robots,won\n")
    now = timezone.now()

    conversations.ingest(acme, conversations.record("before", started_at=now - timedelta(days=1)))
    kept = Deal.objects.get().stage
    conversations.ingest(acme, conversations.record("after", started_at=now + timedelta(hours=1)))

    assert (kept, Deal.objects.get().stage) == ("won", "evaluation")


def test_a_bad_line_is_named(acme, run):
    code, said = run(ROWS + b",customer,,\n")

    assert code == 1
    assert "line 4: the account has no name." in said


def test_what_cannot_be_taken_in_is_refused(acme, run):
    with pytest.raises(CommandError, match="No line could be read"):
        run(b"Name\nx\n")
    with pytest.raises(CommandError, match="There is no company"):
        run(ROWS, company="nobody")
    alice = people.alice(acme)
    Company.objects.filter(pk=acme.pk).update(
        closed_at=timezone.now(), closed_by=alice, closing_reason="x"
    )
    with pytest.raises(CommandError, match="is closed"):
        run(ROWS)
    assert not CustomerAccount.objects.exists()
