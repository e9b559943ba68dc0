"""Remove a person: nobody signs in any more, and what they did is “Removed person #…” (SPEC §10).

The row stays, since entries, usage and the audit trail name its public id for ever; its name and
address go.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from credits import audit
from credits.audit import Action
from credits.models import Membership, SignInLink, User


class AlreadyRemoved(Exception):
    """This person was removed before."""


class CannotRemoveSelf(Exception):
    """Nobody removes themselves; ask a colleague to do it."""


def is_removed(user: User) -> bool:
    return user.email == _address(user)


def remove(*, user: User, by: User | None, reason: str, now: datetime) -> dict[str, int]:
    """Deactivate a person and erase their name and address; return what went, by what it is.

    Memberships end and sign-in links go. What they decided stays, by an opaque id; whatever else
    names them is asked for in the setting ``PERSON_REMOVAL``.

    :raises AlreadyRemoved: nothing was changed.
    :raises CannotRemoveSelf: nothing was changed.
    """
    if by is not None and by.pk == user.pk:
        raise CannotRemoveSelf(CannotRemoveSelf.__doc__)
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if is_removed(person):
            raise AlreadyRemoved(AlreadyRemoved.__doc__)
        figures: dict[str, int] = {}
        for path in settings.PERSON_REMOVAL:
            figures |= import_string(path)(user=person)
        figures["memberships"] = Membership.objects.filter(user=person).delete()[0]
        figures["sign-in links"] = SignInLink.objects.filter(user=person).delete()[0]
        person.groups.clear()
        person.email = _address(person)
        person.name = f"Removed person #{str(person.public_id)[-8:]}"
        person.is_active = person.is_staff = person.is_superuser = False
        person.set_unusable_password()
        person.save()
        figures["lines of the audit trail without their words"] = audit.erase_person(
            public_id=person.public_id
        )
        audit.record(
            action=Action.ERASED,
            by=by,
            company=None,
            subject=audit.Subject(audit.type_of(User), str(person.public_id), person.name),
            reason=reason,
            about=person,
        )
    return figures


def facts(*, user: User) -> dict[str, int]:
    """Return what ``remove`` would take, by doing it and taking it back.

    :raises AlreadyRemoved: there is nothing to take.
    """
    with transaction.atomic():
        found = remove(user=user, by=None, reason="", now=user.created_at)
        transaction.set_rollback(True)
    return found


def _address(user: User) -> str:
    return f"removed-{user.public_id}@removed.invalid"
