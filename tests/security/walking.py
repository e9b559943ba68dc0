"""One person asks for every address there is, by every method, and notes what comes back."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from credits.models import Company, User
from tests.security import seeding
from tests.security.routes import Route, every_route, rows_of
from tests.support.browsing import signed_in
from tests.support.changes import Watch

OWN, OTHER = "kanari-of-acme", "kanari-of-beta"
# Finds both, and is neither when a page repeats what was searched for.
TERM = "kanari-of"
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
# These may end the session, so that the next request would be nobody's.
LEAVING = {"admin:logout", "admin:login", "admin:password_change", "sign_in"}


class Walk:
    """One person's requests: where each canary was met, what broke, what nobody wrote down."""

    def __init__(self, user: User | None, forged: Company | None, watch: Watch) -> None:
        self.user, self.forged, self.watch = user, forged, watch
        self.count = 0
        self.met: dict[str, list[str]] = {OWN: [], OTHER: []}
        self.broken: list[str] = []
        self.unaudited: list[str] = []
        self.statuses: dict[str, set[int]] = {}
        self.enter()

    def enter(self) -> None:
        """Sign in anew; the session names the other company, as if it could be forged."""
        self.client = Client() if self.user is None else signed_in(self.user, self.forged)
        self.client.raise_request_exception = False
        self.watch.changed()

    def ask(self, method: str, url: str, data: dict | None = None) -> int:
        send = getattr(self.client, method)
        # Where a redirect leads is walked by itself. What it would say there, as a flash message,
        # the next page says, whichever that is.
        response = send(url, data or {})
        self.count += 1
        where = f"{method} {url} {data if method == 'get' and data else ''}".strip()
        body = b"".join(response) if response.streaming else response.content
        said = body.decode(errors="replace") + str(response.headers)
        if response.status_code >= 500:
            self.broken.append(where)
        for canary, places in self.met.items():
            if canary in said:
                places.append(where)
        if tables := self.watch.unaudited():
            self.unaudited.append(f"{where}: {', '.join(sorted(tables))}")
        return response.status_code

    def everything(self, target: Company, *, except_for: str = "") -> None:
        """Ask for every address by every method, naming the target's rows wherever one is named."""
        for route in every_route():
            if route.name != except_for:
                self.visit(route, target, METHODS)
        self.autocomplete(target)

    def visit(self, route: Route, target: Company, methods: tuple[str, ...]) -> None:
        url = route.address(target)
        for method in methods:
            data = crafted(route, target) if method == "post" else None
            status = self.ask(method, url, data)
            self.statuses.setdefault(route.name, set()).add(status)
            if route.name in LEAVING:
                self.enter()
        if not route.parameters:
            self.ask("get", url, {"company": str(target.pk)})
        if route.name.endswith("_changelist"):
            self.ask("get", url, {"q": TERM})
            for name, pk in keys_to(route.model, target).items():
                self.ask("get", url, {f"{name}__id__exact": pk})

    def autocomplete(self, target: Company) -> None:
        for model in admin.site._registry:
            for field in model._meta.concrete_fields:
                if field.is_relation:
                    data = {
                        "app_label": model._meta.app_label,
                        "model_name": model._meta.model_name,
                        "field_name": field.name,
                    }
                    self.ask("get", reverse("admin:autocomplete"), data | {"term": TERM})


def keys_to(model, target: Company) -> dict[str, str]:
    """Return a row of the target for each key of the model."""
    found = {}
    for field in model._meta.concrete_fields if model else ():
        if field.is_relation:
            row = rows_of(field.remote_field.model, target).first()
            if row is not None:
                found[field.name] = str(row.pk)
    return found


def crafted(route: Route, target: Company) -> dict[str, str]:
    """Return a form that answers whatever a page may ask, and names the target's rows."""
    answers = {
        "company": str(target.pk),
        "format": "0",
        "resource": "0",
        "include_free_use": "on",
        "post": "yes",
        "confirm": "yes",
        "step": "confirm",
        "action": "delete_selected",
        "_save": "Save",
    }
    if route.model is None:
        return answers
    row = rows_of(route.model, target).first()
    texts = {
        field.name: "x"
        for field in route.model._meta.concrete_fields
        if isinstance(field, (models.CharField, models.TextField))
    }
    chosen = {} if row is None else {"_selected_action": str(row.pk)}
    return texts | answers | chosen | keys_to(route.model, target)


def contents(company: Company) -> dict[str, list[dict]]:
    """Return every row that a company has."""
    found = {
        model.__name__: list(model._default_manager.filter(company=company).order_by("pk").values())
        for model in seeding.tenant_models()
    }
    # What was refused to a person of the company is on its trail, and is no change of its rows.
    found.pop("AuditEvent")
    return found | {"Company": list(Company.objects.filter(pk=company.pk).values())}
