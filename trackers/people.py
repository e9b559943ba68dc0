"""Find or make the people and accounts that incoming conversations name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from credits.models import Company
from trackers import contacts, external_ids
from trackers.importers.records import AccountRecord, ConversationRecord, DealRecord
from trackers.models import Contact, CustomerAccount, Deal, Team, TeamMember


class Directory:
    """The teams, members, contacts, accounts and deals of one company, as conversations name them.

    Members are known by e-mail address, never by name. Who took part on the company's side is one;
    the first conversation that a member owns sets the team, the first mention an account's type.
    A deal's stage is that of its newest conversation. An account or deal whose id of the CRM is
    known is that one, whatever it is called here.
    """

    def __init__(self, company: Company) -> None:
        self.company = company
        self._teams: dict[str, UUID] = {}
        self._members: dict[str, UUID] = {}
        self._without_team: set[str] = set()
        self._accounts: dict[str, UUID] = {}
        self._deals: dict[tuple[str, str], Deal] = {}
        self._contacts: dict[str, Contact] = {}
        # By the CRM's id, what the account or deal of that id is called.
        self._account_names: dict[str, str] = {}
        self._deal_keys: dict[str, tuple[str, str]] = {}

    def learn(self, records: Iterable[ConversationRecord]) -> None:
        """Make what the records name and is not there yet; a few statements a chunk."""
        records = sorted(records, key=lambda record: record.started_at)
        self._learn_teams(records)
        self._learn_members(records)
        self._learn_accounts(records)
        self._learn_deals(records)
        self._contacts |= contacts.learn(
            company=self.company,
            records=records,
            account_of=lambda record: self.account_id(record.account),
            known=self._contacts,
        )

    def team_id(self, name: str | None) -> UUID | None:
        return self._teams[name] if name else None

    def member_id(self, email: str | None) -> UUID | None:
        return self._members[email] if email else None

    def known_member_id(self, email: str | None) -> UUID | None:
        """Return the member with this address, None when nobody has it."""
        return self._members.get(email) if email else None

    def contact_id(self, email: str | None) -> UUID | None:
        """Return the contact with this address, None when nobody has it."""
        contact = self._contacts.get(email) if email else None
        return contact.pk if contact else None

    def account_id(self, record: AccountRecord | None) -> UUID | None:
        return self._accounts[self._account_name(record)] if record else None

    def deal_id(self, account: AccountRecord | None, deal: DealRecord | None) -> UUID | None:
        return self._deals[self._deal_key(account, deal)].pk if account and deal else None

    def _account_name(self, record: AccountRecord) -> str:
        return self._account_names.get(record.crm_id, record.name)

    def _deal_key(self, account: AccountRecord, deal: DealRecord) -> tuple[str, str]:
        return self._deal_keys.get(deal.crm_id, (self._account_name(account), deal.name))

    def _learn_teams(self, records: list[ConversationRecord]) -> None:
        names = {record.team for record in records if record.team} - self._teams.keys()
        Team.objects.bulk_create(
            [Team(company=self.company, name=name) for name in sorted(names)],
            ignore_conflicts=True,
        )
        found = Team.objects.filter(company=self.company, name__in=names)
        self._teams |= {team.name: team.pk for team in found}

    def _learn_members(self, records: list[ConversationRecord]) -> None:
        """Make everybody of the company's side who has an address, and the team of who owns."""
        teams: dict[str, str] = {}
        for record in records:
            if record.owner and record.team:
                teams.setdefault(record.owner, record.team)
        owners = {record.owner for record in records if record.owner}
        took_part = {
            person.email
            for record in records
            for person in record.participants
            if person.email and person.role == "internal"
        }
        new = (owners | took_part) - self._members.keys()
        TeamMember.objects.bulk_create(
            [
                TeamMember(
                    company=self.company, email=email, team_id=self.team_id(teams.get(email))
                )
                for email in sorted(new)
            ],
            ignore_conflicts=True,
        )
        for member in TeamMember.objects.filter(company=self.company, email__in=new):
            self._members[member.email] = member.pk
            if member.team_id is None:
                self._without_team.add(member.email)
        self._join_teams({email: teams[email] for email in self._without_team & teams.keys()})

    def _join_teams(self, teams: dict[str, str]) -> None:
        """Give those a team who own for the first time; a team that somebody has stays."""
        for name in sorted(set(teams.values())):
            emails = [email for email, team in teams.items() if team == name]
            TeamMember.objects.filter(company=self.company, email__in=emails, team=None).update(
                team=self._teams[name]
            )
        self._without_team -= teams.keys()

    def _learn_accounts(self, records: list[ConversationRecord]) -> None:
        named = [record.account for record in records if record.account]
        ids = {one.crm_id for one in named if one.crm_id} - self._account_names.keys()
        if ids:
            known = CustomerAccount.objects.filter(company=self.company, external_id__in=ids)
            self._account_names |= dict(known.values_list("external_id", "name"))
        types = {self._account_name(one): one.type for one in named}
        new = types.keys() - self._accounts.keys()
        CustomerAccount.objects.bulk_create(
            [
                CustomerAccount(company=self.company, name=name, account_type=types[name])
                for name in sorted(new)
            ],
            ignore_conflicts=True,
        )
        found = CustomerAccount.objects.filter(company=self.company, name__in=new)
        self._accounts |= {account.name: account.pk for account in found}
        fresh = {one.crm_id: one.name for one in reversed(named) if one.crm_id in ids}
        fresh = {key: name for key, name in fresh.items() if key not in self._account_names}
        external_ids.give(
            CustomerAccount,
            company_id=self.company.pk,
            ids={self._accounts[name]: key for key, name in fresh.items()},
        )
        self._account_names |= fresh

    def _learn_deals(self, records: list[ConversationRecord]) -> None:
        # Sorted by start, so the last stage of a deal is that of its newest conversation.
        named = [
            (record.account, record.deal, record.started_at)
            for record in records
            if record.account and record.deal
        ]
        ids = {deal.crm_id for _, deal, _ in named if deal.crm_id} - self._deal_keys.keys()
        if ids:
            known = Deal.objects.filter(company=self.company, external_id__in=ids)
            self._deal_keys |= {
                key: (account, name)
                for key, account, name in known.values_list("external_id", "account__name", "name")
            }
        newest: dict[tuple[str, str], tuple[str, datetime]] = {
            self._deal_key(account, deal): (deal.stage, started_at)
            for account, deal, started_at in named
        }
        Deal.objects.bulk_create(
            [
                Deal(company=self.company, account_id=self._accounts[account], name=name)
                for account, name in sorted(newest.keys() - self._deals.keys())
            ],
            ignore_conflicts=True,
        )
        found = Deal.objects.filter(
            company=self.company,
            account__name__in={account for account, _ in newest},
            name__in={name for _, name in newest},
        ).select_related("account")
        self._deals |= {(deal.account.name, deal.name): deal for deal in found}
        moved = []
        for key, (stage, started_at) in newest.items():
            deal = self._deals[key]
            if deal.stage_as_of is None or started_at >= deal.stage_as_of:
                deal.stage, deal.stage_as_of = stage, started_at
                moved.append(deal)
        Deal.objects.bulk_update(moved, ["stage", "stage_as_of"])
        fresh = {
            deal.crm_id: self._deal_key(account, deal)
            for account, deal, _ in reversed(named)
            if deal.crm_id in ids and deal.crm_id not in self._deal_keys
        }
        external_ids.give(
            Deal,
            company_id=self.company.pk,
            ids={self._deals[place].pk: key for key, place in fresh.items()},
        )
        self._deal_keys |= fresh
