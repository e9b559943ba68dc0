"""The company's people in conversations, as users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api import pages, reading
from credits.api.fields import FlagField, instant_text
from credits.models import Scope
from trackers.api.gong import numbers, records
from trackers.api.gong.views import GongView
from trackers.erasure_requests import is_removed
from trackers.models import TeamMember

TIMED_VERSION = 7  # Of a UUID, whose first 48 bits are the milliseconds since 1970.


class UserParameters(reading.Parameters):
    """Which page. There are no avatars: nobody else's people appear among a company's."""

    cursor = serializers.CharField(required=False, max_length=pages.CURSOR_LENGTH_MAX)
    includeAvatars = FlagField(required=False)


class UsersView(GongView):
    """The team members of the key's company."""

    scopes: ClassVar = {"GET": Scope.TEAM_READ}
    parameters = UserParameters
    denied_status = 403
    order = pages.Order((("id", pages.uuid),))

    def get(self, request: Request) -> Response:
        rows = TeamMember.objects.filter(company=self.company).select_related("user")
        page = records.page(
            rows, order=self.order, cursor=self.values.get("cursor"), query={}, name="users"
        )
        return self.answer(records=page.records, users=[_user(member) for member in page.rows])


def member_of_login(user_id: Any, members: dict[Any, UUID]) -> dict[str, str]:
    """Return the number of a person's team member, where they are one, under ``creatorUserId``."""
    return {"creatorUserId": numbers.of(members[user_id])} if user_id in members else {}


def _user(member: TeamMember) -> dict[str, Any]:
    first, _, last = member.name.partition(" ")
    login = member.user
    return {
        "id": numbers.of(member.pk),
        "emailAddress": member.email,
        **_made(member.pk),
        "active": not is_removed(member) and (login is None or login.is_active),
        "emailAliases": [],
        "trustedEmailAddress": member.email,
        "firstName": first,
        "lastName": last,
        "personalMeetingUrls": [],
    }


def _made(key: UUID) -> dict[str, str]:
    """Return when a row was made, as far as its id tells."""
    if key.version != TIMED_VERSION:
        return {}
    return {"created": instant_text(datetime.fromtimestamp((key.int >> 80) / 1000, UTC))}
