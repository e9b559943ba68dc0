"""Acts on trackers by a key: in whose name, on which state, and how a refusal is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import AuthenticationFailed

from credits import amounts, roles
from credits.api import answers, problems
from credits.api.problem_types import PRECONDITION_REQUIRED, WRONG_STATE
from credits.api.problems import Problem, ProblemType
from credits.api.views import ApiView, not_found
from credits.audit import Actor
from credits.companies import CompanyClosed
from credits.models import AuditActor, Membership, Scope, User
from credits.roles import Act
from trackers.backfills import BackfillRefused, NotAffordable, NotRunning
from trackers.configuring import NotSaved
from trackers.discarding import NotDiscarded
from trackers.models import Tracker
from trackers.publishing import AlreadyPublished, NotPublishable, NotPublished, StaleForm

IF_MATCH = "If-Match"
ANY_STATE = "*"
NO_STATE = 0  # Of no saved tracker: they count from 1.
# No tracker was changed a billion times; int() reads no number of thousands of digits.
EDIT_NUMBER = re.compile(r'(?:W/)?"?([0-9]{1,9})"?', re.ASCII)

IF_MATCH_PARAMETER = OpenApiParameter(
    IF_MATCH,
    str,
    OpenApiParameter.HEADER,
    required=True,
    description='The ETag of the tracker as you know it, such as “"7"”; “*” for whatever is '
    "there now.",
)
STATE_PROBLEMS: tuple[ProblemType, ...] = (
    WRONG_STATE,
    problems.PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
)
_IN_THE_WRONG_STATE = (
    AlreadyPublished,
    NotPublished,
    NotPublishable,
    NotDiscarded,
    NotRunning,
    BackfillRefused,
)
Row = TypeVar("Row", bound=Model)


def etag_parameter(status: int) -> OpenApiParameter:
    """Describe the state that an answer shows."""
    return OpenApiParameter(
        "ETag",
        str,
        OpenApiParameter.HEADER,
        response=[status],
        description="Changes when the tracker is changed; send it as If-Match.",
    )


def one(rows: QuerySet[Row], id: UUID, noun: str) -> Row:
    """Return the row of the company's own that an address names.

    :raises Problem: there is none.
    """
    found = rows.filter(pk=id).first()
    if found is None:
        raise not_found(noun)
    return found


def through(view: ApiView) -> Actor:
    """Return the key as the audit trail names it."""
    return Actor(AuditActor.API_KEY, view.key.pk, view.key.name)


def person(view: ApiView) -> User:
    """Return the person who made the key, if they may still change trackers of the company.

    :raises Problem: nobody made it, or they may not any more.
    """
    made_by = view.key.created_by
    membership = Membership.objects.filter(company=view.company, user=made_by).first()
    if (
        made_by is None
        or membership is None
        or not made_by.is_active
        or Act.EDIT_TRACKERS not in roles.MATRIX[roles.standing_of(membership.role)]
    ):
        raise Problem(
            problems.MISSING_SCOPE,
            "The person who made this key may not change trackers; a tech admin of your company "
            "makes a new key.",
            required_scope=str(Scope.TRACKERS_WRITE),
        )
    return made_by


def seen(view: ApiView, tracker: Tracker) -> int:
    """Return the edit number that the request was decided on.

    :raises Problem: it does not say.
    """
    text = view.request.headers.get(IF_MATCH, "").strip()
    if not text:
        raise Problem(PRECONDITION_REQUIRED, PRECONDITION_REQUIRED.detail)
    if text == ANY_STATE:
        return tracker.edit_number
    number = EDIT_NUMBER.fullmatch(text)
    return int(number[1]) if number else NO_STATE


def about(view: ApiView, id: UUID) -> dict[str, str]:
    """Return what a request on a row says outside its body."""
    return {"id": str(id), IF_MATCH: view.request.headers.get(IF_MATCH, "")}


def with_etag(response: HttpResponse) -> HttpResponse:
    """Add the state that the answer shows, which a replay shows again."""
    shown: dict[str, Any] = json.loads(response.content)
    response["ETag"] = etag(shown.get("tracker", shown)["edit_number"])
    return response


def etag(edit_number: int) -> str:
    return f'"{edit_number}"'


@contextmanager
def refusals() -> Iterator[None]:
    """Answer what an act raises; its docstring or message is the sentence that is shown.

    :raises Problem: for every refusal.
    """
    try:
        yield
    except CompanyClosed as error:
        # Closed since the key was recognized: from now on it opens nothing.
        raise AuthenticationFailed(problems.UNAUTHORIZED.detail) from error
    except StaleForm as error:
        raise Problem(problems.PRECONDITION_FAILED, str(error)) from error
    except NotSaved as error:
        if isinstance(error.__cause__, StaleForm):
            raise Problem(problems.PRECONDITION_FAILED, str(error)) from error
        name = error.field or ""
        raise Problem(
            problems.INVALID_BODY,
            f"{name}: {error}" if name else str(error),
            errors=[{"name": name, "detail": str(error)}],
        ) from error
    except NotAffordable as error:
        raise Problem(
            problems.INSUFFICIENT_CREDITS,
            str(error),
            required=amounts.text(error.required),
            available=amounts.text(error.available),
            shortfall=amounts.text(error.required - error.available),
            limit_source=answers.POOL,
        ) from error
    except _IN_THE_WRONG_STATE as error:
        raise Problem(WRONG_STATE, str(error)) from error
