"""Let an AI client in: its integration and its key are made together, or neither is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from credits import api_keys, integrations, limits
from credits.api_keys import KeyLimit, NewKey
from credits.models import (
    ApiKey,
    Company,
    Integration,
    IntegrationContext,
    IntegrationKind,
    Scope,
    User,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A client's integration and its key, whose text is never seen again."""

    integration: Integration
    made: NewKey


def connect(
    *,
    company: Company,
    name: str,
    scopes: Collection[Scope],
    by: User,
    now: datetime,
    context: IntegrationContext = IntegrationContext.SHARED,
    person: User | None = None,
    expires_at: datetime | None = None,
    key_id: UUID | None = None,
    limit: KeyLimit | None = None,
) -> Connection:
    """Make an MCP integration and a key for it. The same ``key_id`` again makes nothing.

    ``limit`` is the client's: it holds for all keys it will have.

    :raises integrations.NameMissing: nothing was made.
    :raises integrations.NameTaken: nothing was made.
    :raises integrations.PersonMissing: nothing was made.
    :raises integrations.NotAMember: nothing was made.
    :raises api_keys.KeyWithoutScope: nothing was made.
    :raises api_keys.TooManyKeys: nothing was made.
    :raises limits.LimitRefused: nothing was made.
    :raises limits.TooManyLimits: nothing was made.
    :raises api_keys.AlreadyMade: the id was used before.
    :raises CompanyClosed: nothing was made.
    """
    if key_id is not None and ApiKey.objects.filter(pk=key_id).exists():
        raise api_keys.AlreadyMade(api_keys.AlreadyMade.__doc__)
    with transaction.atomic():
        integration = integrations.create(
            company=company,
            name=name,
            kind=IntegrationKind.MCP,
            by=by,
            context=context,
            person=person,
        )
        made = api_keys.create(
            company=company,
            name=integration.name,
            scopes=scopes,
            by=by,
            now=now,
            integration=integration,
            expires_at=expires_at,
            key_id=key_id,
        )
        if limit is not None:
            limits.set(
                company=company,
                subject=limits.of_integration(integration),
                window=limit.window,
                credits=limit.credits,
                by=by,
            )
    return Connection(integration, made)
