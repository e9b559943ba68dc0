"""Take in accounts and deals: their types and stages as a CRM has them (SPEC §5).

What a conversation has stored stays: filters read what was true when it arrived. An account or
deal whose id of the CRM is known is that one, whatever the file calls it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from credits.models import Company
from trackers import external_ids, ingestion, locks
from trackers.importers.directory import DirectoryRow
from trackers.models import CustomerAccount, Deal


@dataclass(slots=True)
class DirectoryReport:
    """What an import of accounts and deals did, or would do."""

    accounts_created: int = 0
    accounts_changed: int = 0
    deals_created: int = 0
    deals_changed: int = 0
    unchanged: int = 0

    @property
    def created(self) -> int:
        return self.accounts_created + self.deals_created

    @property
    def changed(self) -> int:
        return self.accounts_changed + self.deals_changed


def preview(*, company: Company, rows: Iterable[DirectoryRow], now: datetime) -> DirectoryReport:
    """Say what an import would do, by doing it and taking it back."""
    with transaction.atomic():
        report = take_in(company=company, rows=rows, now=now)
        transaction.set_rollback(True)
    return report


def take_in(*, company: Company, rows: Iterable[DirectoryRow], now: datetime) -> DirectoryReport:
    """Make and change accounts and deals, all of them or none; return what was done.

    A stage from the file is as of now: a conversation that starts later moves the deal on.

    :raises CompanyClosed: nothing was written.
    """
    read = list(rows)
    report = DirectoryReport()
    with transaction.atomic():
        # In turn with imports of conversations, which give ids of the CRM too.
        ingestion.take_turns(company)
        locks.keep_open(company.pk)
        found = _as_known(company, read)
        accounts = _take_in_accounts(company, found, report)
        _take_in_deals(company, found, accounts, now, report)
        _give_ids(company, found, accounts)
    return report


def _as_known(company: Company, rows: list[DirectoryRow]) -> list[DirectoryRow]:
    """Return the rows with the names that accounts and deals of their ids have here."""
    accounts = CustomerAccount.objects.filter(
        company=company, external_id__in={row.account_id for row in rows if row.account_id}
    )
    names = dict(accounts.values_list("external_id", "name"))
    deals = Deal.objects.filter(
        company=company, external_id__in={row.deal_id for row in rows if row.deal_id}
    )
    places = {
        key: (account, name)
        for key, account, name in deals.values_list("external_id", "account__name", "name")
    }
    found = []
    for row in rows:
        one = replace(row, account=names.get(row.account_id or "", row.account))
        account, deal = places.get(row.deal_id or "", (one.account, one.deal))
        if account != one.account:
            # The deal is still with the account it was made for; what the row says of another
            # account is not said of that one.
            one = replace(one, account=account, account_type=None, account_id=None)
        found.append(replace(one, deal=deal))
    return found


def _give_ids(
    company: Company,
    rows: list[DirectoryRow],
    accounts: dict[str, CustomerAccount],
) -> None:
    """Give accounts and deals the ids of the CRM that they have not."""
    external_ids.give(
        CustomerAccount,
        company_id=company.pk,
        ids={accounts[row.account].pk: row.account_id for row in rows if row.account_id},
    )
    wanted = {(row.account, row.deal): row.deal_id for row in rows if row.deal and row.deal_id}
    if not wanted:
        return
    deals = Deal.objects.filter(
        company=company, account__in=accounts.values(), name__in={name for _, name in wanted}
    )
    keys = {account.pk: name for name, account in accounts.items()}
    external_ids.give(
        Deal,
        company_id=company.pk,
        ids={
            pk: wanted.get((keys[account], name), "")
            for pk, account, name in deals.values_list("pk", "account", "name")
        },
    )


def _take_in_accounts(
    company: Company, rows: list[DirectoryRow], report: DirectoryReport
) -> dict[str, CustomerAccount]:
    types: dict[str, str | None] = {}
    for row in rows:
        types[row.account] = row.account_type or types.get(row.account)
    created = CustomerAccount.objects.bulk_create(
        [
            CustomerAccount(company=company, name=name, account_type=types[name] or "")
            for name in sorted(
                types.keys()
                - set(
                    CustomerAccount.objects.filter(company=company, name__in=types).values_list(
                        "name", flat=True
                    )
                )
            )
        ],
        ignore_conflicts=True,
    )
    stored = CustomerAccount.objects.filter(company=company, name__in=types)
    accounts = {one.name: one for one in stored.select_for_update(no_key=True).order_by("pk")}
    changed = []
    for name, account in accounts.items():
        wanted = types[name]
        if wanted is not None and account.account_type != wanted:
            account.account_type = wanted
            changed.append(account)
    CustomerAccount.objects.bulk_update(changed, ["account_type"], batch_size=1000)
    report.accounts_created += len(created)
    report.accounts_changed += len(changed)
    report.unchanged += len(accounts) - len(created) - len(changed)
    return accounts


def _take_in_deals(
    company: Company,
    rows: list[DirectoryRow],
    accounts: dict[str, CustomerAccount],
    now: datetime,
    report: DirectoryReport,
) -> None:
    stages: dict[tuple[str, str], str | None] = {}
    for row in rows:
        if row.deal is not None:
            key = (row.account, row.deal)
            stages[key] = row.stage or stages.get(key)
    names = {deal for _, deal in stages}
    stored = Deal.objects.filter(
        company=company, account__in=accounts.values(), name__in=names
    ).select_related("account")
    known = {(deal.account.name, deal.name) for deal in stored}
    created = Deal.objects.bulk_create(
        [
            Deal(
                company=company,
                account=accounts[account],
                name=deal,
                stage=stages[account, deal] or "",
                stage_as_of=now if stages[account, deal] else None,
            )
            for account, deal in sorted(stages.keys() - known)
        ],
        ignore_conflicts=True,
    )
    changed, seen = [], 0
    for deal in stored.all().select_for_update(of=("self",), no_key=True).order_by("pk"):
        if (deal.account.name, deal.name) not in stages:
            continue
        seen += 1
        wanted = stages[deal.account.name, deal.name]
        if wanted is not None and deal.stage != wanted:
            deal.stage, deal.stage_as_of = wanted, now
            changed.append(deal)
    Deal.objects.bulk_update(changed, ["stage", "stage_as_of"], batch_size=1000)
    report.deals_created += len(created)
    report.deals_changed += len(changed)
    report.unchanged += seen - len(created) - len(changed)
