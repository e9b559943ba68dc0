"""Let a company's programs in by keys: make, rotate, revoke, and recognize them (SPEC §8).

A key reads ``tsk_<prefix>_<secret>``: eight characters that find its row, and 32 random bytes of
which the row keeps only the SHA-256, so a copy of the database opens nothing. So much chance needs
no slow hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from credits import audit, integrations, key_rules, limits, roles
from credits.audit import Action
from credits.companies import CompanyClosed
from credits.identifiers import new_id

# What is wrong with what a key is to be is found beside the keys.
from credits.key_rules import KeyWithoutScope as KeyWithoutScope
from credits.key_rules import NotANetwork as NotANetwork
from credits.key_rules import TooManyNetworks as TooManyNetworks
from credits.key_rules import UnknownScope as UnknownScope
from credits.models import (
    ApiKey,
    Company,
    Integration,
    IntegrationContext,
    LimitWindow,
    Scope,
    User,
)
from credits.models.api_keys import PREFIX_LENGTH
from credits.roles import Act

SECRET_BYTES = 32
PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
FORMAT = re.compile(rf"tsk_([a-z2-7]{{{PREFIX_LENGTH}}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
# Compared with when no key has the prefix, so that both refusals take the same steps.
NO_DIGEST = bytes(32)
USE_NOTED_EVERY = timedelta(minutes=1)
LIVE_KEYS_MAX = 100
# What is done in the name of the person who made the key, and by no key without one.
IN_A_PERSON_S_NAME = frozenset({Scope.PURCHASES_REQUEST, Scope.TRACKERS_WRITE})
LIFE_DAYS_MAX = 3650
OVERLAP_DEFAULT = timedelta(hours=24)
OVERLAP_MAX = timedelta(days=30)


class KeyRefused(Exception):
    """This key opens nothing: check it, or ask a tech admin of your company for a new one."""


class ScopeNeedsPerson(Exception):
    """A key that requests purchases or changes trackers does so in a person's name; name one."""


class MakerRefused(Exception):
    """Only a tech admin of the company makes its keys; name one of them."""


class TooManyKeys(Exception):
    """A company has at most 100 keys that work; revoke one that is no longer used."""


class KeyExpiresInThePast(Exception):
    """A key has to expire later than now."""


class AlreadyMade(Exception):
    """This form made its key already; the secret was shown once. Open the form anew for another."""


class AlreadyRevoked(Exception):
    """This key is revoked already."""


class KeyNotUsable(Exception):
    """Only a key that works can be replaced; make a new one instead."""


class AlreadyReplaced(Exception):
    """This key has a successor already; replace that one."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, and its text, which is never seen again. ``repr`` leaves the text out."""

    key: ApiKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyLimit:
    """How many credits a key may use in each local day or month; hard."""

    credits: Decimal
    window: str = LimitWindow.MONTH


def refuse_maker(*, company: Company, by: User) -> None:
    """Check that a person may make keys of a company, as its page does.

    :raises MakerRefused: they are deactivated, or have no role there that makes keys.
    """
    membership = by.memberships.filter(company=company).first()
    if (
        not by.is_active
        or membership is None
        or Act.MANAGE_KEYS not in roles.MATRIX[roles.standing_of(membership.role)]
    ):
        raise MakerRefused(MakerRefused.__doc__)


@sensitive_variables("secret")
def create(
    *,
    company: Company,
    name: str,
    scopes: Iterable[str],
    by: User | None,
    now: datetime,
    integration: Integration | None = None,
    expires_at: datetime | None = None,
    networks: Iterable[str] = (),
    key_id: UUID | None = None,
    replaces: ApiKey | None = None,
    through: audit.Actor | None = None,
    limit: KeyLimit | None = None,
) -> NewKey:
    """Make a key for a company; the answer is the only place where its text stands.

    Without ``expires_at`` it works until revoked, without ``networks`` from everywhere. The same
    ``key_id`` again makes no second key. ``through`` is who makes it in the name of ``by``, where
    that is not the person themselves. ``limit`` is set together with the key.

    :raises KeyWithoutScope: no key was made.
    :raises UnknownScope: no key was made.
    :raises NotANetwork: no key was made.
    :raises TooManyNetworks: no key was made.
    :raises TooManyKeys: no key was made.
    :raises ScopeNeedsPerson: no key was made.
    :raises CompanyClosed: no key was made.
    :raises KeyExpiresInThePast: no key was made.
    :raises LimitRefused: no key was made.
    :raises TooManyLimits: no key was made.
    :raises AlreadyMade: the id was used before.
    """
    if company.closed_at is not None:
        raise CompanyClosed(company)
    chosen = key_rules.known_scopes(scopes)
    if by is None and not IN_A_PERSON_S_NAME.isdisjoint(chosen):
        raise ScopeNeedsPerson(ScopeNeedsPerson.__doc__)
    if expires_at is not None and expires_at <= now:
        raise KeyExpiresInThePast(KeyExpiresInThePast.__doc__)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey(
        id=key_id or new_id(),
        company=company,
        integration=integration,
        name=name,
        prefix="".join(secrets.choice(PREFIX_LETTERS) for _ in range(PREFIX_LENGTH)),
        secret_sha256=_digest(secret),
        scopes=chosen,
        networks=key_rules.known_networks(networks),
        created_at=now,
        created_by=by,
        expires_at=expires_at,
        replaces=replaces,
    )
    # Two at once may both see 99 and end with 101: the limit guards against a script gone wild.
    if live(company=company, now=now).count() >= LIVE_KEYS_MAX:
        raise TooManyKeys(TooManyKeys.__doc__)
    _save(key, limit=limit, by=by, through=through)
    return NewKey(key=key, text=f"tsk_{key.prefix}_{secret}")


def rotate(
    *,
    key: ApiKey,
    by: User | None,
    now: datetime,
    overlap: timedelta = OVERLAP_DEFAULT,
    through: audit.Actor | None = None,
) -> NewKey:
    """Make a key that may do the same; the old one works on for ``overlap``, 30 days at most.

    The new one lives as long as the old one was made for. ``by`` is in whose name it acts, and
    whose act this is unless it came ``through`` something else.

    :raises ValueError: for an overlap below 0 or above 30 days.
    :raises ScopeNeedsPerson: nobody replaces a key that acts in a person's name.
    :raises KeyNotUsable: the key is revoked or expired.
    :raises AlreadyReplaced: it was rotated before.
    """
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise ValueError(f"Two keys overlap for up to {OVERLAP_MAX}, not {overlap}.")
    with transaction.atomic():
        # Locked, so that of two rotations at once the second sees the first.
        old = ApiKey.objects.select_for_update(no_key=True, of=("self",)).get(pk=key.pk)
        refuse_rotation(key=old, now=now)
        made = create(
            company=old.company,
            integration=old.integration,
            name=old.name,
            scopes=old.scopes,
            networks=old.networks,
            by=by,
            now=now,
            expires_at=None if old.expires_at is None else now + (old.expires_at - old.created_at),
            replaces=old,
            through=through,
        )
        ends_at = now + overlap
        was = old.expires_at
        old.expires_at = ends_at if was is None else min(was, ends_at)
        old.save(update_fields=["expires_at"])
        audit.record(
            action=Action.REPLACED,
            by=through or by,
            company=old.company,
            subject=audit.named(old, old.name),
            before={"works_until": was},
            after={"works_until": old.expires_at, "successor": start_of(made.key)},
        )
        limits.follow(old=old, new=made.key)
    return made


def refuse_rotation(*, key: ApiKey, now: datetime) -> None:
    """Check that a key can be replaced.

    :raises KeyNotUsable: it is revoked or expired.
    :raises AlreadyReplaced: it was rotated before.
    """
    if not is_usable(key, now=now):
        raise KeyNotUsable(KeyNotUsable.__doc__)
    if ApiKey.objects.filter(replaces=key).exists():
        raise AlreadyReplaced(AlreadyReplaced.__doc__)


def revoke(*, key: ApiKey, by: User | None, now: datetime) -> ApiKey:
    """End a key at once: the next request with it is refused.

    :raises AlreadyRevoked: it stays as it was.
    """
    mine = ApiKey.objects.filter(pk=key.pk, revoked_at=None)
    with transaction.atomic():
        if not mine.update(revoked_at=now, revoked_by=by):
            raise AlreadyRevoked(AlreadyRevoked.__doc__)
        _record_revoked(key, by)
    key.revoked_at, key.revoked_by = now, by
    return key


def revoke_all(*, company: Company, by: User | None, now: datetime) -> int:
    """End every key of a company, as closing it does; return how many there were."""
    keys = ApiKey.objects.filter(company=company, revoked_at=None)
    with transaction.atomic():
        # Locked, so that the lines are of those that were ended here.
        mine = list(keys.select_for_update(no_key=True).order_by("pk"))
        ApiKey.objects.filter(pk__in=[key.pk for key in mine]).update(revoked_at=now, revoked_by=by)
        for key in mine:
            _record_revoked(key, by)
    return len(mine)


@sensitive_variables("text", "secret")
def authenticate(*, text: str, address: str, now: datetime, reads_context: bool = False) -> ApiKey:
    """Return the key whose text a request from ``address`` brought, and note that it was used.

    One refusal for every reason, so that nobody learns which keys there are. A key of a personal
    integration opens only doors that keep to what that person may read: ``reads_context``.

    :raises KeyRefused: unknown, malformed, revoked, expired, from another network, of a closed
        company, personal where no door keeps to that, or of a person who has left.
    """
    found = FORMAT.fullmatch(text)
    prefix, secret = found.groups() if found else ("", "")
    keys = ApiKey.objects.select_related("company", "integration")
    key = keys.filter(prefix=prefix).first()
    expected = NO_DIGEST if key is None else bytes(key.secret_sha256)
    is_right = secrets.compare_digest(_digest(secret), expected)
    if (
        key is None
        or not (is_right and _may_be_used(key, address, now))
        or not _is_in_context(key, reads_context=reads_context)
    ):
        raise KeyRefused(KeyRefused.__doc__)
    if key.last_used_at is None or key.last_used_at <= now - USE_NOTED_EVERY:
        _note_use(key, now)
    return key


def is_usable(key: ApiKey, *, now: datetime) -> bool:
    """Tell whether a key works at an instant: not revoked, not expired."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def live(*, company: Company, now: datetime) -> QuerySet[ApiKey]:
    """Return a company's keys that work at an instant."""
    return ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), company=company, revoked_at=None
    )


def _save(
    key: ApiKey, *, limit: KeyLimit | None, by: User | None, through: audit.Actor | None
) -> None:
    """Write a new key, its limit, and what it may do in whose name: all of it, or nothing."""
    try:
        with transaction.atomic():
            key.save(force_insert=True)
            named = None if through is None else by
            audit.record(
                action=Action.ADDED,
                by=through or by,
                company=key.company_id,
                subject=audit.named(key, key.name),
                after={
                    "starts_with": start_of(key),
                    "scopes": key.scopes,
                    "networks": key.networks,
                    "works_until": key.expires_at,
                    "integration": key.integration and key.integration.name,
                    "in_the_name_of": named and named.get_full_name(),
                },
                about=named,
            )
            if limit is not None:
                limits.set(
                    company=key.company,
                    subject=limits.of_key(key),
                    window=limit.window,
                    credits=limit.credits,
                    by=by,
                    through=through,
                )
    except IntegrityError as error:
        if ApiKey.objects.filter(pk=key.pk).exists():
            raise AlreadyMade(AlreadyMade.__doc__) from error
        raise


def _record_revoked(key: ApiKey, by: User | None) -> None:
    audit.record(
        action=Action.REVOKED,
        by=by,
        company=key.company_id,
        subject=audit.named(key, key.name),
        before={"works_until": key.expires_at},
    )


def start_of(key: ApiKey) -> str:
    """Return how a key begins: what may be shown of it."""
    return f"tsk_{key.prefix}_…"


def _note_use(key: ApiKey, now: datetime) -> None:
    """Write the use down, once a minute at most, as a statement of its own before any other.

    Asked again in the UPDATE, of many requests at once one writes.
    """
    is_due = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    ApiKey.objects.filter(is_due, pk=key.pk).update(last_used_at=now)


def _may_be_used(key: ApiKey, address: str, now: datetime) -> bool:
    return (
        is_usable(key, now=now)
        and key.company.closed_at is None
        and key_rules.is_from(key, address)
    )


def _is_in_context(key: ApiKey, *, reads_context: bool) -> bool:
    mine = key.integration
    if mine is None or mine.context != IntegrationContext.PERSONAL:
        return True
    return reads_context and integrations.is_open(mine)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
