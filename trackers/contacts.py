"""The customers' people: known by e-mail address, learned from conversations as they arrive.

The first conversation that says a name, an account or the CRM's id gives it. A contact without an
account is a lead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credits.models import Company
from trackers import erasure_requests, external_ids
from trackers.importers.records import ConversationRecord
from trackers.models import Contact, Participant


@dataclass(slots=True)
class _Said:
    """What conversations say of somebody."""

    name: str = ""
    account: UUID | None = None
    external_id: str = ""


def learn(
    *,
    company: Company,
    records: Iterable[ConversationRecord],
    account_of: Callable[[ConversationRecord], UUID | None],
    known: Mapping[str, Contact],
) -> dict[str, Contact]:
    """Make the contacts that records name, the oldest first, and fill what was not known of them.

    Four statements at most, whatever their number; none where ``known`` has them all and all is
    said of them. Returns those that were made or looked up, by address.
    """
    said = _said(records, account_of)
    wanted = {
        email: one for email, one in said.items() if email not in known or _adds(one, known[email])
    }
    if not wanted:
        return {}
    Contact.objects.bulk_create(
        [
            Contact(
                company=company,
                email=email,
                name=one.name,
                account_id=one.account,
            )
            for email, one in sorted(wanted.items())
            if email not in known
        ],
        ignore_conflicts=True,
    )
    found = {
        contact.email: contact
        for contact in Contact.objects.filter(company=company, email__in=list(wanted))
    }
    _fill({email: one for email, one in wanted.items() if _adds(one, found[email])}, found)
    return found


def unused(ids: Iterable[UUID]) -> list[UUID]:
    """Return those of contacts who took part in nothing that is still there."""
    rows = Contact.objects.filter(pk__in=list(ids), removed_at=None)
    taking_part = Participant.objects.filter(contact__in=rows)
    return list(rows.exclude(pk__in=taking_part.values("contact")).values_list("pk", flat=True))


def remove(ids: Iterable[UUID], *, now: datetime) -> int:
    """Make contacts unknown; return how many. The rows stay: questions about them name them."""
    count = 0
    rows = Contact.objects.filter(pk__in=list(ids), removed_at=None)
    for contact in rows.select_for_update(no_key=True).order_by("pk"):
        contact.email = erasure_requests.unknown_address(contact.pk)
        contact.name = f"Removed person #{contact.pk.hex[-8:]}"
        contact.external_id = ""
        contact.removed_at = now
        contact.save()
        count += 1
    return count


def _said(
    records: Iterable[ConversationRecord],
    account_of: Callable[[ConversationRecord], UUID | None],
) -> dict[str, _Said]:
    said: dict[str, _Said] = {}
    for record in records:
        for person in record.participants:
            if person.role == "external" and person.email:
                one = said.setdefault(person.email, _Said())
                one.name = one.name or person.name
                one.account = one.account or account_of(record)
                one.external_id = one.external_id or person.crm_id
    return said


def _adds(said: _Said, contact: Contact) -> bool:
    """Tell whether something is said that is not known yet."""
    return (
        bool(said.name and not contact.name)
        or bool(said.account and not contact.account_id)
        or bool(said.external_id and not contact.external_id)
    )


def _fill(
    said: Mapping[str, _Said],
    contacts: dict[str, Contact],
) -> None:
    """Give contacts what they had not; in one order, so that two imports wait.

    An id of the CRM that another contact has stays that one's.
    """
    if not said:
        return
    company_id = next(iter(contacts.values())).company_id
    wanted = {one.external_id for one in said.values() if one.external_id}
    taken = external_ids.taken(Contact, company_id=company_id, ids=wanted)
    rows = Contact.objects.filter(pk__in=[contacts[email].pk for email in said])
    filled = []
    for contact in rows.select_for_update(no_key=True).order_by("pk"):
        one = said.get(contact.email)
        if one is None:
            continue  # Removed in the meantime.
        contact.name = contact.name or one.name
        contact.account_id = contact.account_id or one.account
        if not contact.external_id and one.external_id not in taken:
            contact.external_id = one.external_id
            taken.add(one.external_id)
        contacts[contact.email] = contact
        filled.append(contact)
    Contact.objects.bulk_update(filled, ["name", "account", "external_id"])
