"""Sign a person in once by a link: for the demo's first page and for a forgotten password.

The secret is in the link only; the row keeps its SHA-256, so a copy of the database signs nobody
in.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.urls import reverse

from credits.models import SignInLink, User

LIFE = timedelta(minutes=15)
SECRET_BYTES = 32
# Added to a link's address, it leads on to the page where a first password is chosen.
CHOOSE_PASSWORD = "choose-password"


class LinkRefused(Exception):
    """This link signs nobody in; the message says why and what to do."""


class LinkUnknown(LinkRefused):
    """This sign-in link is not complete or was never made; open the whole link or ask for one."""


class LinkUsed(LinkRefused):
    """This sign-in link was used before and works only once; sign in or ask for a new one."""


class LinkExpired(LinkRefused):
    """This sign-in link is too old and works no more; sign in or ask for a new one."""


class PersonInactive(LinkRefused):
    """This person may no longer sign in; ask whoever manages your people."""


def new_link(*, user: User, now: datetime, life: timedelta = LIFE) -> str:
    """Make a link for a person, good once and for 15 minutes or ``life``; return its path here.

    :raises PersonInactive: no link was made.
    """
    if not user.is_active:
        raise PersonInactive(PersonInactive.__doc__)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    SignInLink.objects.create(user=user, secret_sha256=_digest(secret), expires_at=now + life)
    return reverse("sign_in", args=[secret])


def use(*, secret: str, now: datetime) -> User:
    """Use a link up and return the person it signs in.

    Of two uses at once one wins: the row is marked by one conditional UPDATE.

    :raises LinkUnknown: there is no such link.
    :raises LinkUsed: it signed somebody in before.
    :raises LinkExpired: its life is over, or was ended.
    :raises PersonInactive: the link stays unused.
    """
    link = SignInLink.objects.select_related("user").filter(secret_sha256=_digest(secret)).first()
    if link is None:
        raise LinkUnknown(LinkUnknown.__doc__)
    if link.used_at is not None:
        raise LinkUsed(LinkUsed.__doc__)
    if link.expires_at <= now:
        raise LinkExpired(LinkExpired.__doc__)
    if not link.user.is_active:
        raise PersonInactive(PersonInactive.__doc__)
    # No join in this UPDATE: PostgreSQL re-checks only the row's own columns after a lock wait.
    unused = SignInLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now)
    if not unused.update(used_at=now):
        link.refresh_from_db()
        raise (
            LinkExpired(LinkExpired.__doc__) if link.used_at is None else LinkUsed(LinkUsed.__doc__)
        )
    return link.user


def end_links(*, user: User, now: datetime) -> int:
    """End a person's links that nobody has used; return how many there were.

    For whatever makes them needless or wrong: a password was chosen, a membership was taken
    away, the person was deactivated. Whoever still holds such an e-mail is not signed in by it.
    """
    return SignInLink.objects.filter(user=user, used_at=None, expires_at__gt=now).update(
        expires_at=now
    )


def person_of(secret: str) -> User | None:
    """Return whom a link was made for, whatever its state; None for no link of ours."""
    link = SignInLink.objects.select_related("user").filter(secret_sha256=_digest(secret)).first()
    return None if link is None else link.user


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
