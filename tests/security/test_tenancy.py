"""Nobody sees another company's rows: every admin address × method, as that company's people.

Another company says its canary in every text it has. The walk asks for all of its rows and must
never meet the canary, while the same walk over one's own rows does find one's own.
"""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import models
from django.urls import URLPattern, reverse

from credits.admin.scoped import CompanyScopedAdmin
from credits.models import Company, JobRun, Membership, RateCard, User
from tests.security import seeding
from tests.support import people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.browsing import signed_in
from trackers import analyzers

pytestmark = pytest.mark.django_db

OWN, OTHER = "kanari-of-acme", "kanari-of-beta"
# Finds both, and is neither when a page repeats what was searched for.
TERM = "kanari-of"
# Pages whose rows belong to no company, or to the vendor's people alone.
UNSCOPED = {User, Company, RateCard, JobRun}
# Lists that show figures and dates only.
WITHOUT_TEXT = {"Drawdown"}
LEAVING = {"logout", "login", "password_change", "password_change_done"}
REQUESTS_MIN = 250
OWN_PAGES_MIN = 8


class Walk:
    """One person's requests, and where each canary was met."""

    def __init__(self, user: User, forged: Company) -> None:
        # The session names the other company, as if it could be forged.
        self.client = signed_in(user, forged)
        self.client.raise_request_exception = False
        self.count = 0
        self.met: dict[str, list[str]] = {OWN: [], OTHER: []}
        self.broken: list[str] = []

    def ask(self, method: str, url: str, data: dict) -> None:
        response = getattr(self.client, method)(url, data, follow=True)
        self.count += 1
        body = b"".join(response) if response.streaming else response.content
        seen = body.decode() + str(response.headers) + str(response.redirect_chain)
        where = f"{method} {url} {data if method == 'get' else ''}"
        if response.status_code >= 500:
            self.broken.append(where)
        for canary, places in self.met.items():
            if canary in seen:
                places.append(where)

    def visit(self, model_admin, target: Company, *, posts: bool) -> None:
        """Ask for every address of one model's pages, naming the target's rows."""
        model = model_admin.model
        row = rows_of(model, target).first()
        for pattern in model_admin.get_urls():
            if pattern.name is None:
                continue
            url = address(pattern, row)
            self.ask("get", url, {})
            if posts:
                self.ask("post", url, crafted(model, target, row))
        changelist = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for query in (
            {"q": TERM},
            *({f"{name}__id__exact": pk} for name, pk in keys_to(model, target).items()),
        ):
            self.ask("get", changelist, query)

    def autocomplete(self, target: Company) -> None:
        for model in admin.site._registry:
            for field in model._meta.concrete_fields:
                if field.is_relation:
                    data = {
                        "app_label": model._meta.app_label,
                        "model_name": model._meta.model_name,
                        "field_name": field.name,
                    }
                    self.ask("get", reverse("admin:autocomplete"), data)
                    self.ask("get", reverse("admin:autocomplete"), data | {"term": TERM})

    def site_pages(self, target: Company) -> None:
        for pattern in admin.site.get_urls():
            if isinstance(pattern, URLPattern) and pattern.name and pattern.name not in LEAVING:
                if pattern.pattern.converters or pattern.pattern.regex.groups:
                    continue
                url = reverse(f"admin:{pattern.name}")
                self.ask("get", url, {})
                self.ask("get", url, {"company": target.pk})
                self.ask("post", url, {"company": target.pk})


def address(pattern: URLPattern, row) -> str:
    return reverse(
        f"admin:{pattern.name}", kwargs=dict.fromkeys(pattern.pattern.converters, str(row.pk))
    )


def keys_to(model, target: Company) -> dict[str, str]:
    """Return a row of the target for each key of the model."""
    found = {}
    for field in model._meta.concrete_fields:
        if field.is_relation:
            row = rows_of(field.remote_field.model, target).first()
            if row is not None:
                found[field.name] = str(row.pk)
    return found


def crafted(model, target: Company, row) -> dict[str, str]:
    """Return a form that answers whatever a page may ask, and names the target's rows."""
    texts = {
        field.name: "x"
        for field in model._meta.concrete_fields
        if isinstance(field, (models.CharField, models.TextField))
    }
    answers = {
        "format": "0",
        "resource": "0",
        "include_free_use": "on",
        "post": "yes",
        "confirm": "yes",
        "step": "confirm",
        "action": "delete_selected",
        "_selected_action": str(row.pk),
        "_save": "Save",
    }
    return texts | answers | keys_to(model, target)


def rows_of(model, target: Company) -> models.QuerySet:
    rows = model._default_manager.order_by("pk")
    if model is Company:
        return rows.filter(pk=target.pk)
    if model is User:
        return rows.filter(memberships__company=target)
    if any(field.name == "company" for field in model._meta.concrete_fields):
        return rows.filter(company=target)
    path = getattr(admin.site._registry.get(model), "company_path", None)
    return rows.filter(**{path: target}) if path else rows


def contents(company: Company) -> dict[str, list[dict]]:
    return {
        model.__name__: list(model._default_manager.filter(company=company).order_by("pk").values())
        for model in seeding.tenant_models()
    }


@pytest.fixture
def companies(monkeypatch, settings, tmp_path):
    settings.EXPORTS = tmp_path / "exports"
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    JobRun.objects.create(name="settle", period="2026-11-24T10:00:00Z")
    # One's own name and company stand on every page, so they are no proof of a row.
    return seeding.seed("Acme", canary=OWN), seeding.seed(OTHER, canary=OTHER)


def person(company: Company, role: str) -> User:
    return User.objects.get(memberships__company=company, memberships__role=role)


def test_every_page_of_a_company_s_rows_stands_on_the_scoped_base():
    ours = {
        model: page
        for model, page in admin.site._registry.items()
        if model._meta.app_label in seeding.APPS
    }
    outside = {model for model, page in ours.items() if not isinstance(page, CompanyScopedAdmin)}

    assert outside <= UNSCOPED
    assert set(admin.site._registry) == set(ours)
    for model in outside - {Company}:
        assert model not in seeding.tenant_models()


def test_every_page_has_a_row_to_ask_for(companies):
    """A model without one would be walked past; ``seeding`` has to make it."""
    empty = {
        (model.__name__, company.name)
        for model in admin.site._registry
        for company in companies
        if not rows_of(model, company).exists()
    }

    assert empty == set()


@pytest.mark.parametrize("role", ["TECH_ADMIN", "VIEWER"])
def test_nobody_meets_another_company_s_rows(companies, role):
    acme, beta = companies
    before = contents(beta)
    walk = Walk(person(acme, role), forged=beta)

    walk.site_pages(beta)
    walk.autocomplete(beta)
    for model_admin in admin.site._registry.values():
        walk.visit(model_admin, beta, posts=True)
    for model_admin in admin.site._registry.values():
        walk.visit(model_admin, acme, posts=False)
    print(f"{walk.count} requests as {role}; own rows met on {len(walk.met[OWN])} pages")

    assert walk.met[OTHER] == []
    assert walk.broken == []
    assert walk.count >= REQUESTS_MIN
    assert contents(beta) == before


def test_the_same_walk_meets_one_s_own_rows(companies):
    acme, beta = companies
    walk = Walk(person(acme, "TECH_ADMIN"), forged=beta)
    viewable = {}

    for model, model_admin in admin.site._registry.items():
        seen = len(walk.met[OWN])
        walk.visit(model_admin, acme, posts=False)
        if isinstance(model_admin, CompanyScopedAdmin) and model is not Membership:
            viewable[model.__name__] = len(walk.met[OWN]) - seen

    assert {name for name, count in viewable.items() if not count} <= WITHOUT_TEXT
    assert len(walk.met[OWN]) >= OWN_PAGES_MIN


def test_vendor_staff_working_in_one_company_do_not_meet_the_other(companies):
    acme, beta = companies
    # Vendor people choose from all companies' names, on every page.
    Company.objects.filter(pk=beta.pk).update(name="Beta")
    walk = Walk(people.audrey(), forged=acme)

    for model_admin in admin.site._registry.values():
        if isinstance(model_admin, CompanyScopedAdmin):
            walk.visit(model_admin, acme, posts=False)

    assert walk.met[OTHER] == []
    assert walk.met[OWN] != []


def test_the_canary_stands_in_every_text_that_can_be_written(companies):
    """The walk finds nothing where nothing is: most text columns of the other say its name."""
    _acme, beta = companies
    silent = {
        f"{model.__name__}.{field.name}"
        for model in seeding.tenant_models()
        for field in model._meta.concrete_fields
        if seeding._is_text(field)
        and (model.__name__, field.name) not in seeding.CODES
        and model._default_manager.filter(company=beta).exists()
        and not any(
            OTHER in str(value)
            for value in model._default_manager.filter(company=beta).values_list(
                field.name, flat=True
            )
        )
    }

    assert silent == set()
    assert len(apps.get_models()) > len(seeding.tenant_models()) > 15
