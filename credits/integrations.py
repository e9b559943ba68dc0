"""Name the clients that spend credits, and say whose conversations each may read (SPEC §8)."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from credits import audit
from credits.audit import Action
from credits.companies import CompanyClosed
from credits.models import Company, Integration, IntegrationContext, IntegrationKind, User

NAME_LENGTH_MAX = 200


class NameTaken(Exception):
    """An integration of your company has this name already; choose another."""


class NameMissing(Exception):
    """Give the integration a name of 1 to 200 characters: it stands in the usage report."""


class PersonMissing(Exception):
    """A personal integration names the person whose conversations it may read."""


class NotAMember(Exception):
    """This person is not of your company; choose one who is."""


def create(
    *,
    company: Company,
    name: str,
    kind: IntegrationKind,
    by: User,
    context: IntegrationContext = IntegrationContext.SHARED,
    person: User | None = None,
) -> Integration:
    """Make an integration; its kind, context and person never change.

    A personal one reads the conversations in which ``person`` or their team took part.

    :raises NameMissing: nothing was made.
    :raises NameTaken: nothing was made.
    :raises PersonMissing: nothing was made.
    :raises NotAMember: nothing was made.
    :raises CompanyClosed: nothing was made.
    """
    if company.closed_at is not None:
        raise CompanyClosed(company)
    if not 0 < len(name.strip()) <= NAME_LENGTH_MAX:
        raise NameMissing(NameMissing.__doc__)
    is_personal = context == IntegrationContext.PERSONAL
    if not is_personal:
        person = None
    elif person is None:
        raise PersonMissing(PersonMissing.__doc__)
    elif not people(company).filter(pk=person.pk).exists():
        raise NotAMember(NotAMember.__doc__)
    row = Integration(
        company=company,
        name=name.strip(),
        kind=kind,
        context=context,
        person=person,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            audit.record(
                action=Action.ADDED,
                by=by,
                company=company,
                subject=audit.named(row, row.name),
                after={
                    "kind": row.kind,
                    "context": row.context,
                    "person": row.person and row.person.get_full_name(),
                },
                about=row.person,
            )
    except IntegrityError as error:
        if Integration.objects.filter(company=company, name=row.name).exists():
            raise NameTaken(NameTaken.__doc__) from error
        raise
    return row


def people(company: Company) -> QuerySet[User]:
    """Return who may stand behind a personal integration: the active people of the company."""
    return User.objects.filter(memberships__company=company, is_active=True)


def is_open(integration: Integration) -> bool:
    """Tell whether keys of an integration open anything: not once its person has left."""
    if integration.person_id is None:
        return True
    return people(integration.company).filter(pk=integration.person_id).exists()
