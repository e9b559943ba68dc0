"""Invite a person into a company by e-mail: a membership, and a link that signs them in once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse

from credits import audit, mails, sign_in
from credits.audit import Action
from credits.companies import CompanyClosed
from credits.models import Company, Membership, Role, User

LIFE = timedelta(days=7)


class InvitationRefused(Exception):
    """This person cannot be invited; the message says why."""


class AlreadyMember(InvitationRefused):
    """This person belongs to the company already; change their role there instead."""


class PersonDeactivated(InvitationRefused):
    """This person was deactivated; activate them first, or use another e-mail address."""


def invite(*, company: Company, email: str, name: str, role: Role, by: User) -> User:
    """Make a person a member of a company, and the person if there is none yet; return them.

    Sends nothing: call ``send`` after the commit.

    :raises CompanyClosed: nothing was changed.
    :raises AlreadyMember: nothing was changed.
    :raises PersonDeactivated: nothing was changed.
    """
    with transaction.atomic():
        _refuse_closed(company)
        user = User.objects.filter(email=email.lower()).first()
        if user is None:
            user = User.objects.create_user(email, name=name)
        if not user.is_active:
            raise PersonDeactivated(PersonDeactivated.__doc__)
        _, is_new = Membership.objects.get_or_create(
            user=user, company=company, defaults={"role": role}
        )
        if not is_new:
            raise AlreadyMember(AlreadyMember.__doc__)
        _record(Action.INVITED, user, company, by, {"role": Role(role)})
    return user


def send(
    *, user: User, company: Company, by: User, now: datetime, address: Callable[[str], str]
) -> None:
    """Send a person the link that signs them in, once within seven days, to choose a password.

    ``address`` turns a path of this site into a whole address. Never call it in a transaction:
    it waits for the mail server.

    :raises CompanyClosed: nothing was sent.
    :raises OSError: the mail server cannot be reached, or refuses.
    :raises PersonInactive: nothing was sent.
    """
    # Who has a password already needs no link that signs in whoever holds it.
    has_password = user.has_usable_password()
    path = reverse("admin:index")
    with transaction.atomic():
        _refuse_closed(company)
        if not has_password:
            path = f"{sign_in.new_link(user=user, now=now, life=LIFE)}?{sign_in.CHOOSE_PASSWORD}"
        action = Action.INVITED if has_password else Action.LINK_MADE
        _record(action, user, company, by, {"sent_to": user.email})
    mails.send(
        to=user.email,
        subject=f"Your access to the credits of {company}",
        template="credits/invitation.txt",
        context={
            "user": user,
            "company": company,
            "link": address(path),
            "has_password": has_password,
            "days": LIFE.days,
        },
    )


def _refuse_closed(company: Company) -> None:
    """Look at the company as it is now; nobody closes it until the transaction ends."""
    current = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
    if current.closed_at is not None:
        raise CompanyClosed(current)


def _record(
    action: Action, user: User, company: Company, by: User, after: dict[str, object]
) -> None:
    audit.record(action=action, by=by, company=company, subject=user, after=after)
