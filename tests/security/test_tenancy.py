"""Nobody sees another company's rows: every address × method × standing (SPEC §1, DESIGN §7).

Another company says its canary in every text it has. The walk finds all addresses by itself, asks
for that company's rows and must never meet the canary; over one's own rows it does meet one's own.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib import admin
from django.urls import clear_url_caches, path
from unfold.admin import ModelAdmin

from credits.admin.scoped import CompanyScopedAdmin
from credits.models import Company, Integration, JobRun, Membership, RateCard, User
from tests.security import seeding
from tests.security.routes import every_route, rows_of
from tests.security.walking import METHODS, OTHER, OWN, Walk, contents
from tests.support import people

pytestmark = pytest.mark.django_db

# Pages whose rows belong to no company, or to the vendor's people alone.
UNSCOPED = {User, Company, RateCard, JobRun}
# Lists that show figures and dates only.
WITHOUT_TEXT = {"Drawdown"}
# Vendor people may go over to any company, and then see its rows.
CHOOSING = "admin:choose_company"
REQUESTS_MIN = 1000
ROUTES_MIN = 130
OWN_PAGES_MIN = 20


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """Format no traceback for each of a thousand refusals; a failure is in the walk's answers."""
    caplog.set_level("CRITICAL", logger="django.request")


@pytest.fixture
def companies(watch):
    JobRun.objects.create(name="settle", period="2026-11-24T10:00:00Z")
    # One's own name and company stand on every page, so they are no proof of a row.
    return seeding.seed("Acme", canary=OWN), seeding.seed(OTHER, canary=OTHER)


def person(company: Company, role: str) -> User:
    return User.objects.get(memberships__company=company, memberships__role=role)


def plain(company: Company) -> None:
    """Take the canary off what vendor people see of every company: its name and its people."""
    Company.objects.filter(pk=company.pk).update(name="Beta", slug="beta")
    for user in User.objects.filter(memberships__company=company):
        User.objects.filter(pk=user.pk).update(name="Somebody", email=f"{user.pk}@beta.example")


def of_company(role: str):
    return lambda acme, beta: (person(acme, role), beta, beta, {OTHER})


def of_vendor(make):
    def who(acme: Company, beta: Company):
        plain(beta)
        # They may choose any company; they work in Acme now.
        return make(), acme, beta, {OTHER}

    return who


# Who walks, which company the session names, whose rows are asked for, what must not be met.
STANDINGS = {
    "vendor staff": of_vendor(people.vera),
    "vendor auditor": of_vendor(people.audrey),
    "tech admin": of_company("TECH_ADMIN"),
    "business admin": of_company("BUSINESS_ADMIN"),
    "viewer": of_company("VIEWER"),
    "other company's tech admin": lambda acme, beta: (
        person(beta, "TECH_ADMIN"),
        acme,
        acme,
        {OWN},
    ),
    "person without membership": lambda acme, beta: (
        User.objects.create_user("nora@nowhere.example", people.PASSWORD),
        beta,
        beta,
        {OWN, OTHER},
    ),
    "anonymous": lambda acme, beta: (None, None, beta, {OWN, OTHER}),
}


@pytest.mark.parametrize("standing", STANDINGS)
def test_nobody_meets_another_company_s_rows(companies, watch, standing):
    acme, beta = companies
    user, forged, target, forbidden = STANDINGS[standing](acme, beta)
    before = contents(target)
    walk = Walk(user, forged, watch)

    walk.everything(target, except_for=CHOOSING if standing.startswith("vendor") else "")
    print(f"{walk.count} requests to {len(walk.statuses)} addresses as {standing}")

    assert [place for canary in forbidden for place in walk.met[canary]] == []
    assert walk.broken == []
    assert walk.unaudited == []
    after = contents(target)
    if standing == "vendor staff":
        # Companies are the vendor's own rows: whatever they work in, they may rename any.
        before.pop("Company")
        after.pop("Company")
    assert after == before
    assert len(walk.statuses) >= ROUTES_MIN
    assert walk.count >= REQUESTS_MIN


def test_the_same_walk_meets_one_s_own_rows(companies, watch):
    acme, beta = companies
    walk = Walk(person(acme, "TECH_ADMIN"), beta, watch)
    met = {}

    for route in every_route():
        seen = len(walk.met[OWN])
        walk.visit(route, acme, ("get",))
        page = admin.site._registry.get(route.model)
        if isinstance(page, CompanyScopedAdmin) and route.model is not Membership:
            name = route.model.__name__
            met[name] = met.get(name, 0) + len(walk.met[OWN]) - seen

    assert {name for name, count in met.items() if not count} <= WITHOUT_TEXT
    assert walk.met[OTHER] == []
    assert len(walk.met[OWN]) >= OWN_PAGES_MIN


@pytest.mark.parametrize("make", [people.vera, people.audrey])
def test_vendor_people_meet_the_rows_of_the_company_they_work_in(companies, watch, make):
    acme, beta = companies
    plain(beta)
    walk = Walk(make(), acme, watch)

    for route in every_route():
        if isinstance(admin.site._registry.get(route.model), CompanyScopedAdmin):
            walk.visit(route, acme, ("get",))

    assert walk.met[OTHER] == []
    assert len(walk.met[OWN]) >= OWN_PAGES_MIN


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


class LeakyAdmin(ModelAdmin):
    """A page written the way Django's tutorial does."""

    list_display = ("name", "kind")
    search_fields = ("name",)

    def has_view_permission(self, request, obj=None):
        return True

    has_module_permission = has_view_permission


@pytest.fixture
def leaky_page(settings):
    """Add a page outside the base, with addresses of its own, for one test."""
    # Before the page is there: the site's own addresses are made when they are first imported.
    urls = import_module(django_settings.ROOT_URLCONF).urlpatterns
    stands = admin.site._registry.pop(Integration)
    admin.site.register(Integration, LeakyAdmin)
    module = ModuleType("urls_with_a_leak")
    module.urlpatterns = [one for one in urls if getattr(one, "namespace", "") != "admin"]
    module.urlpatterns.append(path("admin/", admin.site.urls))
    sys.modules[module.__name__] = module
    settings.ROOT_URLCONF = module.__name__
    clear_url_caches()
    yield
    admin.site._registry[Integration] = stands
    del sys.modules[module.__name__]
    settings.ROOT_URLCONF = "config.urls"
    clear_url_caches()


def test_a_new_page_outside_the_base_is_found_by_the_walk(companies, watch, leaky_page):
    acme, beta = companies
    walk = Walk(person(acme, "VIEWER"), beta, watch)

    for route in every_route():
        if route.model is Integration:
            walk.visit(route, beta, METHODS)

    assert "get /admin/credits/integration/" in walk.met[OTHER]
    with pytest.raises(AssertionError):
        test_every_page_of_a_company_s_rows_stands_on_the_scoped_base()


def test_the_canary_stands_in_every_text_that_can_be_written(companies):
    """The walk finds nothing where nothing is: every text column of the other says its name."""
    _acme, beta = companies
    silent = {
        f"{model.__name__}.{field.name}"
        for model in seeding.tenant_models()
        for field in model._meta.concrete_fields
        if seeding.is_text(field)
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
