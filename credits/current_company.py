"""Which company a signed-in person is working in, and what they may do there (SPEC §1).

With several memberships one is current, chosen in the header; lists never mix. Vendor people see
all companies until they choose one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from credits import roles
from credits.companies import CompanyClosed
from credits.models import Company, Membership, User
from credits.roles import Act, Standing

SESSION_KEY = "company_id"


@dataclass(frozen=True, slots=True)
class Scope:
    """The companies whose rows a request may touch, and the acts it may do.

    ``company`` is None for vendor people who look at all companies, and for people without any
    membership, who may do nothing. ``membership`` is the person's own in the company, None for
    vendor people.
    """

    standing: Standing | None
    company: Company | None
    choices: tuple[Company, ...]
    membership: Membership | None = None

    @property
    def is_vendor(self) -> bool:
        return self.standing in (Standing.VENDOR_STAFF, Standing.VENDOR_AUDITOR)

    def may(self, act: Act, *, company_id: int | None = None) -> bool:
        """Tell whether the person may do an act; a closed company is only read.

        ``company_id`` is of the company that the act concerns, None for the current one.
        """
        return self.is_allowed(act) and self._closed(act, company_id) is None

    def refusal(self, act: Act, *, company_id: int | None = None) -> PermissionDenied:
        """Return what to raise for an act that ``may`` refuses, with its reason.

        The role is the reason, unless the company is closed to an act that the role allows.
        """
        closed = self._closed(act, company_id)
        if closed is None or not self.is_allowed(act):
            return PermissionDenied()
        return PermissionDenied(str(CompanyClosed(closed)))

    def _closed(self, act: Act, company_id: int | None) -> Company | None:
        """Return the company concerned if it is closed to an act."""
        concerned = self.company
        if company_id is not None:
            concerned = next((one for one in self.choices if one.pk == company_id), None)
        is_closed = concerned is not None and concerned.closed_at is not None
        return concerned if is_closed and act not in roles.POSSIBLE_WHEN_CLOSED else None

    def is_allowed(self, act: Act) -> bool:
        return self.standing is not None and act in roles.MATRIX[self.standing]

    def limit(self, rows: QuerySet[Any], path: str = "company") -> QuerySet[Any]:
        """Return only rows of the companies in scope; ``path`` leads from a row to its company."""
        if self.company is not None:
            return rows.filter(**{path: self.company})
        return rows if self.is_vendor else rows.none()

    def covers(self, company_id: int | None) -> bool:
        """Tell whether a company's rows are in scope; None asks for rows that have none."""
        if company_id is None:
            return self.is_vendor and self.company is None
        if self.company is not None:
            return self.company.pk == company_id
        return self.is_vendor


NOBODY = Scope(standing=None, company=None, choices=())


class CurrentCompanyMiddleware:
    """Set ``request.company_scope``, found when it is first asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.company_scope = SimpleLazyObject(lambda: find(request))  # type: ignore[attr-defined]
        return self.get_response(request)


def scope_of(request: HttpRequest) -> Scope:
    """Return the scope that the middleware found."""
    scope: Scope = request.company_scope  # type: ignore[attr-defined]
    return scope


def find(request: HttpRequest) -> Scope:
    """Work out the scope from the person, their memberships and the choice in the session."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return NOBODY
    chosen = request.session.get(SESSION_KEY)
    memberships = _memberships(user)
    groups = memberships[0].group_names if memberships else None  # type: ignore[attr-defined]
    if standing := roles.vendor_standing(user, groups):
        companies = tuple(Company.objects.order_by("name", "pk"))
        current = next((company for company in companies if company.pk == chosen), None)
        return Scope(standing=standing, company=current, choices=companies)
    if not memberships:
        return NOBODY
    current_one = next((one for one in memberships if one.company_id == chosen), memberships[0])
    return Scope(
        standing=roles.standing_of(current_one.role),
        company=current_one.company,
        choices=tuple(membership.company for membership in memberships),
        membership=current_one,
    )


def _memberships(user: User) -> list[Membership]:
    """Return a person's memberships with, in the same query, the names of the person's groups."""
    if user.is_superuser:
        return []
    groups = ArraySubquery(Group.objects.filter(user=user).values("name"))
    rows = user.memberships.annotate(group_names=groups).select_related("company")
    return list(rows.order_by("company__name", "company"))


def choose(request: HttpRequest, company: Company | None) -> None:
    """Make a company the current one; None shows vendor people all companies.

    :raises Company.DoesNotExist: it is not among the person's companies.
    """
    scope = scope_of(request)
    if company is None:
        request.session.pop(SESSION_KEY, None)
    elif company in scope.choices:
        request.session[SESSION_KEY] = company.pk
    else:
        raise Company.DoesNotExist("There is no such company.")


def company_of(row: Model, path: str = "company") -> int | None:
    """Return the id of the company a row belongs to, following ``path``; None if it has none."""
    *steps, last = path.split("__")
    for step in steps:
        row = getattr(row, step)
    if last == "pk":
        return int(row.pk)
    company_id: int | None = getattr(row, f"{last}_id")
    return company_id
