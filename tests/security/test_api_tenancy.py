"""No key ever shows another company's rows: every API address × method × parameter, with its ids.

The other company says its canary in every text it has. The same walk with its own key does find
its own canary. A row of another company answers exactly like one that does not exist.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import count

import pytest
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from billing import purchases
from billing.models import Purchase
from credits.api.views import ApiView, PageView
from credits.models import (
    CreditGrant,
    IdempotencyRecord,
    LedgerEntry,
    SpendingLimit,
    UsageEvent,
)
from tests.security import seeding
from tests.support import api, people
from trackers.models import (
    AskRequest,
    Backfill,
    Brief,
    BriefRun,
    Conversation,
    Scan,
    Tracker,
)

pytestmark = pytest.mark.django_db
OWN, OTHER = "kanari-of-acme", "kanari-of-beta"
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
NOBODY = "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"
REQUESTS_MIN = 150
# What names a row, by address. An address with an id that is not here fails the walk.
ROWS = {
    "/api/v1/grants/<uuid:id>": CreditGrant,
    "/api/v1/usage/<uuid:id>": UsageEvent,
    "/api/v1/usage/<uuid:id>/explanation": UsageEvent,
    "/api/v1/purchases/<uuid:id>": Purchase,
    "/api/v1/trackers/<uuid:id>": Tracker,
    "/api/v1/trackers/<uuid:id>/estimate": Tracker,
    "/api/v1/trackers/<uuid:id>/backfill-estimate": Tracker,
    "/api/v1/backfills/<uuid:id>": Backfill,
    "/api/v1/results/<uuid:id>": Scan,
    "/api/v1/conversations/<uuid:id>": Conversation,
    "/api/v1/limits/<uuid:id>": SpendingLimit,
    "/api/v1/ask/<uuid:id>": AskRequest,
    "/api/v1/briefs/<uuid:id>": Brief,
    "/api/v1/brief-runs/<uuid:id>": BriefRun,
}
# Acts on a row: what they take is sent to each of them.
ACTS_ON = {
    "/api/v1/trackers/<uuid:id>/publish": Tracker,
    "/api/v1/trackers/<uuid:id>/unpublish": Tracker,
    "/api/v1/backfills/<uuid:id>/pause": Backfill,
    "/api/v1/backfills/<uuid:id>/resume": Backfill,
    "/api/v1/backfills/<uuid:id>/stop": Backfill,
    "/api/v1/limits/<uuid:id>/end": SpendingLimit,
    "/api/v1/briefs/<uuid:id>/runs": Brief,
}
# Reads whose body says which rows; every other body asks for a purchase.
BODIES = {
    "/v2/calls/extensive": {
        "filter": {},
        "contentSelector": {
            "context": "Extended",
            "exposedFields": {"parties": True, "content": {"trackers": True}},
        },
    },
    "/v2/calls/transcript": {"filter": {}},
}
# Named by a place in one's own ledger: the other's places are one's own, or none.
BY_PLACE = {
    "/api/v1/ledger/<int:sequence>": LedgerEntry,
    "/api/v1/ledger/<int:sequence>/explanation": LedgerEntry,
}


@pytest.fixture
def companies(watch):
    acme, beta = seeding.seed("Acme", canary=OWN), seeding.seed(OTHER, canary=OTHER)
    for company, canary in ((acme, OWN), (beta, OTHER)):
        purchases.request(
            company=company,
            amount=Decimal(7),
            by=api.admin(company),
            now=timezone.now(),
            order_reference=f"{canary} by API",
            note=canary,
        )
    return acme, beta


def views(patterns=None, prefix="/") -> dict[str, type[ApiView]]:
    found = {}
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found |= views(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and address.startswith(("/api/v", "/v2/")):
            found[address] = pattern.callback.cls
    return found


def addresses(company) -> dict[str, str]:
    """Return every address, naming rows of the company."""
    found = {}
    for address in views():
        model = (ROWS | ACTS_ON | BY_PLACE).get(address)
        if model is None:
            assert "<" not in address, f"{address} names a row: say of which model, in ROWS."
            found[address] = address
            continue
        row = model._default_manager.filter(company=company).order_by("-pk").first()
        value = row.sequence if model is LedgerEntry else row.pk
        found[address] = re.sub(r"<.+>", str(value), address)
    return found


def ids_of(company) -> list[str]:
    """Return the ids of all rows that a filter could name, and of the company itself."""
    usage = UsageEvent.objects.filter(company=company).values_list(
        "feature_ref", "integration_ref", "user_ref", "team_ref"
    )
    named = {str(ref) for refs in usage for ref in refs if ref}
    return sorted(
        named
        | {str(company.pk), company.slug}
        | {str(key) for key in company.integrations.values_list("pk", flat=True)}
        | {str(one.public_id) for one in person_ids(company)}
    )


def person_ids(company):
    return [membership.user for membership in company.memberships.select_related("user")]


class Walk:
    """One key's requests, and where each canary was met."""

    def __init__(self, company, watch) -> None:
        self.watch = watch
        self.program = api.of(company, by=api.admin(company))
        self.numbers = count()
        self.asked = 0
        self.met: dict[str, list[str]] = {OWN: [], OTHER: []}
        self.unaudited: list[str] = []
        self.statuses: dict[str, set[int]] = {}
        self.watch.changed()

    def ask(self, method: str, url: str, body: dict | None = None):
        answer = self.program.generic(
            method,
            url,
            json.dumps(body or {}),
            "application/json",
            headers={"idempotency-key": f"walk {next(self.numbers)}"},
        )
        self.asked += 1
        seen = answer.content.decode() + str(answer.headers)
        for canary, places in self.met.items():
            if canary in seen:
                places.append(f"{method} {url}")
        if tables := self.watch.unaudited():
            self.unaudited.append(f"{method} {url}: {', '.join(sorted(tables))}")
        self.statuses.setdefault(method, set()).add(answer.status_code)
        return answer

    def everywhere(self, company) -> None:
        """Ask for every address × method, and for every filter with the company's ids."""
        for address, url in addresses(company).items():
            for method in METHODS:
                self.ask(method, url, BODIES.get(address) or self._order())
            view = views()[address]
            for name in view.parameters().fields if issubclass(view, ApiView) else ():
                for value in ids_of(company):
                    self.ask("GET", f"{url}?{name}={value}")
            for name in ("company", "company_id", "slug"):
                for value in (company.pk, company.slug):
                    self.ask("GET", f"{url}?{name}={value}")

    def _order(self) -> dict:
        return {"amount": "1", "order_reference": f"Order {self.asked}"}


def test_every_address_stands_on_the_base_that_knows_the_company():
    assert all(issubclass(view, ApiView) for view in views().values())
    assert sum(issubclass(view, PageView) for view in views().values()) >= 4
    assert len(views()) >= 10
    assert set(views()) >= set(ROWS) | set(ACTS_ON) | set(BY_PLACE)


def test_a_key_never_meets_another_company_s_rows(companies, watch):
    acme, beta = companies
    before = contents(beta)
    walk = Walk(acme, watch)

    walk.everywhere(beta)
    walk.everywhere(acme)
    print(f"{walk.asked} requests; own canary met {len(walk.met[OWN])} times")

    assert walk.met[OTHER] == []
    assert walk.unaudited == []
    assert walk.asked >= REQUESTS_MIN
    assert contents(beta) == before
    assert {status for found in walk.statuses.values() for status in found} == {
        *(200, 201, 204),
        *(400, 404, 405),
    }


def test_the_same_walk_meets_one_s_own_rows(companies, watch):
    acme, _beta = companies
    walk = Walk(acme, watch)

    walk.everywhere(acme)

    met = {re.split(r"/v\d/", place.split("?")[0])[1] for place in walk.met[OWN]}
    first = {address.split("/")[0] for address in met}
    assert first >= {"grants", "usage", "purchases", "trackers", "backfills", "results"}
    assert "conversations" in first
    assert met >= {"users", "settings/trackers", "calls/extensive", "calls/transcript"}


@pytest.mark.parametrize("address", ROWS)
def test_another_company_s_row_answers_like_none(companies, address):
    acme, beta = companies
    program = api.of(acme)
    row = ROWS[address].objects.filter(company=beta).first()

    def asked(id) -> HttpResponse:
        url = address.replace("<uuid:id>", str(id))
        if "GET" in views()[address].scopes:
            return program.get(url)
        return program.post(url, {}, "application/json", headers={"idempotency-key": f"{id}"})

    theirs, nobody_s = asked(row.pk), asked(NOBODY)

    assert theirs.status_code == nobody_s.status_code == 404
    assert shape(theirs) == shape(nobody_s)


@pytest.mark.parametrize("address", [*ACTS_ON, "/api/v1/trackers/<uuid:id>"])
def test_no_key_acts_on_another_company_s_row(companies, address):
    acme, beta = companies
    program = api.of(acme, by=api.admin(acme))
    row = (ROWS | ACTS_ON)[address].objects.filter(company=beta).first()
    before = contents(beta)
    method = "POST" if address in ACTS_ON else "DELETE"

    def act(id):
        return program.generic(
            method,
            address.replace("<uuid:id>", str(id)),
            "{}",
            "application/json",
            headers={"idempotency-key": f"act {id}", "if-match": "*"},
        )

    theirs, nobody_s = act(row.pk), act(NOBODY)

    assert theirs.status_code == nobody_s.status_code == 404
    assert shape(theirs) == shape(nobody_s)
    assert contents(beta) == before


def test_no_key_approves_or_fulfils_a_purchase(companies, watch):
    """Whatever is asked, of any address, by any method, with every scope there is."""
    acme, _beta = companies
    asked = Purchase.objects.filter(company=acme, state="REQUESTED").order_by("number")
    approved = purchases.approve(purchase=asked[0], by=people.vera(), now=timezone.now())
    before = {one.pk: one.state for one in Purchase.objects.all()}
    grants = CreditGrant.objects.count()
    walk = Walk(acme, watch)

    for url in addresses(acme).values():
        for method in METHODS:
            walk.ask(method, url, {"amount": "1"})
            walk.ask(method, url, {"state": "FULFILLED", "id": str(approved.pk)})
            for verb in ("approve", "fulfil", "cancel"):
                walk.ask(method, f"{url}/{verb}", {})

    after = {one.pk: one.state for one in Purchase.objects.all()}
    assert before.items() <= after.items()
    assert {state for pk, state in after.items() if pk not in before} == {"REQUESTED"}
    assert CreditGrant.objects.count() == grants


def test_a_place_in_the_ledger_is_always_a_place_in_one_s_own(companies):
    acme, beta = companies
    theirs = LedgerEntry.objects.filter(company=beta).count()

    for place in range(theirs + 3):
        answer = api.of(acme).get(f"/api/v1/ledger/{place}")
        if answer.status_code == 200:
            entry = LedgerEntry.objects.get(company=acme, sequence=place)
            assert answer.json()["hash"] == bytes(entry.hash).hex()


def test_a_cursor_of_another_company_shows_one_s_own_rows_only(companies):
    acme, beta = companies
    lists = ("trackers", "backfills", "results", "conversations")
    for url in ("grants", "ledger", "usage", "purchases", *lists):
        page = api.of(beta).get(f"/api/v1/{url}", {"limit": 1}).json()
        if page["next_cursor"] is None:
            continue
        answer = api.of(acme).get(f"/api/v1/{url}", {"limit": 1, "cursor": page["next_cursor"]})
        assert OTHER not in answer.content.decode()
        assert answer.status_code == 200


def test_one_company_s_retry_key_tells_another_nothing(companies):
    acme, beta = companies

    def request(company, amount):
        return api.of(company, by=api.admin(company)).post(
            "/api/v1/purchases",
            {"amount": amount},
            "application/json",
            headers={"idempotency-key": "shared"},
        )

    theirs, mine = request(beta, "5"), request(acme, "6")

    assert (theirs.status_code, mine.status_code) == (201, 201)
    assert IdempotencyRecord.objects.filter(key="shared").count() == 2


def shape(response):
    """Return all of an answer but what is of this one request."""
    own = {"request_id", "instance"}
    headers = {name: value for name, value in response.items() if name != "X-Request-Id"}
    return headers, {k: v for k, v in response.json().items() if k not in own}


def contents(company) -> dict[str, list[dict]]:
    return {
        model.__name__: list(model._default_manager.filter(company=company).order_by("pk").values())
        for model in seeding.tenant_models()
    }
