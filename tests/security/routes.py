"""Every address of the site, found by walking the resolver, so that a new one is found by itself.

What stands in an address (``<uuid:tracker_id>``) is filled with a row of the company asked about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from billing.models import Purchase
from credits.models import (
    Company,
    CreditGrant,
    LedgerEntry,
    Membership,
    SpendingLimit,
    UsageEvent,
    User,
)
from trackers.models import (
    AskRequest,
    Backfill,
    Brief,
    BriefRun,
    Conversation,
    Scan,
    Tracker,
)

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


@dataclass(frozen=True)
class Route:
    """One pattern: ``name`` with its namespace (of one without a name, the pattern itself)."""

    name: str
    pattern: str
    view: Any

    @property
    def parameters(self) -> list[str]:
        return [one or other for one, other in PARAMETER.findall(self.pattern)]

    @property
    def model(self) -> type[models.Model] | None:
        """Return the model whose admin pages it is among."""
        for model in admin.site._registry:
            if self.pattern.startswith(f"admin/{model._meta.app_label}/{model._meta.model_name}/"):
                return model
        return None

    def address(self, target: Company) -> str:
        """Fill the pattern with rows of the target."""

        def value(found: re.Match[str]) -> str:
            parameter = found[1] or found[2]
            fill = FILLED.get(parameter)
            assert fill, f"{self.name}: say in {__name__} what “{parameter}” is filled with"
            return str(fill(self, target))

        return "/" + PARAMETER.sub(value, self.pattern)


def every_route() -> list[Route]:
    """Return all of them, each once, in the resolver's order."""
    found = {route.name: route for route in _walk(get_resolver(), "", "")}
    return list(found.values())


def rows_of(model: Any, target: Company) -> models.QuerySet:
    """Return a model's rows of one company; all rows of a model that knows no company."""
    rows = model._default_manager.order_by("pk")
    if model is Company:
        return rows.filter(pk=target.pk)
    if model is User:
        return rows.filter(memberships__company=target)
    if any(field.name == "company" for field in model._meta.concrete_fields):
        return rows.filter(company=target)
    path = getattr(admin.site._registry.get(model), "company_path", None)
    return rows.filter(**{path: target}) if path else rows


def _walk(resolver: URLResolver, prefix: str, namespace: str) -> list[Route]:
    found = []
    for one in resolver.url_patterns:
        pattern = prefix + _text(one.pattern)
        if isinstance(one, URLResolver):
            inner = f"{namespace}{one.namespace}:" if one.namespace else namespace
            found += _walk(one, pattern, inner)
        else:
            found.append(_route(one, pattern, namespace))
    return found


def _route(one: URLPattern, pattern: str, namespace: str) -> Route:
    name = f"{namespace}{one.name}" if one.name else f"/{pattern}"
    return Route(name, pattern, one.callback)


def _text(pattern: Any) -> str:
    if isinstance(pattern, RoutePattern):
        return str(pattern._route)
    return str(pattern._regex).removeprefix("^").removesuffix("$")


def _row(route: Route, target: Company) -> Any:
    return rows_of(route.model or Tracker, target).first().pk


def _first(model: Any) -> Callable[[Route, Company], Any]:
    return lambda _route, target: rows_of(model, target).first().pk


def _entry(route: Route, target: Company) -> Any:
    return rows_of(LedgerEntry, target).first().sequence


NAMED_BY_API: dict[str, type[models.Model]] = {
    "api/v1/grants/<uuid:id>": CreditGrant,
    "api/v1/usage/<uuid:id>": UsageEvent,
    "api/v1/usage/<uuid:id>/explanation": UsageEvent,
    "api/v1/purchases/<uuid:id>": Purchase,
    "api/v1/trackers/<uuid:id>": Tracker,
    "api/v1/trackers/<uuid:id>/publish": Tracker,
    "api/v1/trackers/<uuid:id>/unpublish": Tracker,
    "api/v1/trackers/<uuid:id>/estimate": Tracker,
    "api/v1/trackers/<uuid:id>/backfill-estimate": Tracker,
    "api/v1/backfills/<uuid:id>": Backfill,
    "api/v1/backfills/<uuid:id>/pause": Backfill,
    "api/v1/backfills/<uuid:id>/resume": Backfill,
    "api/v1/backfills/<uuid:id>/stop": Backfill,
    "api/v1/results/<uuid:id>": Scan,
    "api/v1/conversations/<uuid:id>": Conversation,
    "api/v1/limits/<uuid:id>": SpendingLimit,
    "api/v1/limits/<uuid:id>/end": SpendingLimit,
    "api/v1/ask/<uuid:id>": AskRequest,
    "api/v1/briefs/<uuid:id>": Brief,
    "api/v1/briefs/<uuid:id>/runs": Brief,
    "api/v1/brief-runs/<uuid:id>": BriefRun,
}
FILLED: dict[str, Callable[[Route, Company], Any]] = {
    "object_id": _row,
    "pk": _row,
    "tracker_id": _first(Tracker),
    "backfill_id": _first(Backfill),
    "scan_id": _first(Scan),
    "key_id": _row,
    "integration_id": _row,
    "job_id": _row,
    "contract_id": _row,
    "purchase_id": _row,
    "company_id": lambda _route, target: target.pk,
    "person_id": _row,
    "membership_id": _first(Membership),
    "id": lambda route, target: rows_of(NAMED_BY_API[route.pattern], target).first().pk,
    # Leaving for a row's page “on the site”, of which there is none.
    "content_type_id": lambda _route, _target: ContentType.objects.get_for_model(Tracker).pk,
    "what": lambda _route, _target: "account",
    "company_slug": lambda _route, target: target.slug,
    "sequence": _entry,
    "name": lambda _route, _target: "unauthorized",
    "secret": lambda _route, _target: "nonsense",
    "app_label": lambda _route, _target: apps.get_app_config("credits").label,
    "url": lambda _route, _target: "nowhere",
}
