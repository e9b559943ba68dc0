"""Who asks, and through which door: what a charged request is metered and paid as."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from credits.ledger import Use
from credits.models import (
    FREE_ACTIONS,
    ApiKey,
    Company,
    FeatureType,
    Integration,
    UsageAction,
    User,
)


@dataclass(frozen=True, slots=True)
class Feature:
    """What is asked for, as usage rows name it: no personal text."""

    type: FeatureType
    name: str
    ref: UUID | None = None


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, through which door; fills the refs of the usage event.

    ``action`` is API_REQUEST or MCP_REQUEST, which are charged, or MANUAL, which is free.
    ``user`` is the person at the page, or the one a key acts for. ``conversations`` is the
    authorisation context: which of the company's conversations may be read; empty means all.
    """

    company: Company
    action: UsageAction
    user: User | None = None
    api_key: ApiKey | None = None
    integration: Integration | None = None
    request_id: str = ""
    conversations: Q = field(default_factory=Q)

    @property
    def is_free(self) -> bool:
        return self.action in FREE_ACTIONS

    @property
    def context(self) -> str:
        """Name the authorisation context: requests of one context read the same."""
        return str(self.conversations)

    @property
    def narrowing(self) -> str:
        """Say why not all of the company's conversations are read; nothing where they are."""
        return ""

    def use(self, feature: Feature, *, action: UsageAction | None = None) -> Use:
        """Return what the ledger writes on reservations and usage events."""
        return Use(
            feature_type=feature.type,
            feature_name=feature.name,
            feature_ref=feature.ref,
            action=action or self.action,
            integration_ref=self.integration.pk if self.integration else None,
            api_key_ref=self.api_key.pk if self.api_key else None,
            user_ref=self.user.public_id if self.user else None,
            request_id=self.request_id,
        )
