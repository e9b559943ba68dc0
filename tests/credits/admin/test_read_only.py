"""What the ledger states is read-only for everyone, and each list costs the same however long."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from credits import charging
from credits.admin.scoped import ReadOnlyAdmin
from credits.ledger import Use
from credits.models import (
    CreditGrant,
    Drawdown,
    LedgerEntry,
    Reservation,
    Role,
    UsageEvent,
    User,
)
from credits.rating import Work
from credits.roles import Act
from tests.support import people
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

STATED = [LedgerEntry, Drawdown, UsageEvent, Reservation, CreditGrant]


def use(name: str = "Pricing objection") -> Use:
    return Use("TRACKER", name, uuid.uuid4(), "CONTINUOUS")


def page(model, name: str, *args) -> str:
    return reverse(f"admin:credits_{model._meta.model_name}_{name}", args=args)


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def superuser():
    return User.objects.create_superuser("root@vendor.example", people.PASSWORD)


def spend(company, times: int = 1) -> None:
    for _ in range(times):
        people.credits_for(company, "10")
        charging.charge(company=company, use=use(), work=Work(long_calls=1), rates=people.rates())
        held = charging.reserve(
            company=company, amount=Decimal("2.5"), use=use(), rates=people.rates()
        )
        charging.capture(reservation=held, work=Work(long_calls=2), rates=people.rates())
        charging.reserve(company=company, amount=Decimal("0.5"), use=use(), rates=people.rates())


@pytest.mark.parametrize("model", STATED)
def test_a_superuser_cannot_change_what_the_ledger_states(acme, superuser, model):
    spend(acme)
    client = signed_in(superuser, acme)
    row = model.objects.filter(company=acme).first()
    before = model.objects.values().get(pk=row.pk)

    detail = client.get(page(model, "change", row.pk))
    answers = [
        client.post(page(model, "change", row.pk), {"amount": "1"}).status_code,
        client.get(page(model, "delete", row.pk)).status_code,
        client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code,
    ]

    assert detail.status_code == 200
    assert 'name="_save"' not in text_of(detail)
    assert answers == [403, 403, 403]
    assert model.objects.values().get(pk=row.pk) == before


@pytest.mark.parametrize("model", [LedgerEntry, Drawdown, UsageEvent, Reservation])
def test_a_superuser_cannot_add_what_the_ledger_states(acme, superuser, model):
    client = signed_in(superuser, acme)

    answers = [
        client.get(page(model, "add")).status_code,
        client.post(page(model, "add"), {"amount": "1"}).status_code,
    ]

    assert answers == [403, 403]
    assert not model.objects.exists()


@pytest.mark.parametrize("model", STATED)
def test_no_list_offers_an_action_or_obeys_one(acme, superuser, model):
    spend(acme)
    client = signed_in(superuser, acme)
    row = model.objects.filter(company=acme).first()
    count = model.objects.count()

    shown = text_of(client.get(page(model, "changelist")))
    client.post(
        page(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk]}
    )

    assert 'name="action"' not in shown
    assert model.objects.count() == count


@pytest.mark.parametrize("model", STATED)
@pytest.mark.parametrize("has_company", [True, False])
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(acme, superuser, model, has_company):
    spend(acme)
    client = signed_in(superuser, acme if has_company else None)
    client.get(page(model, "changelist"))
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(page(model, "changelist"))
    spend(acme, times=6)
    spend(people.company("Beta"), times=3)

    with CaptureQueriesContext(connection) as many:
        response = client.get(page(model, "changelist"))

    assert response.status_code == 200
    assert len(many) == len(few)
    assert not [
        query["sql"]
        for query in many
        if f'COUNT(*) AS "__count" FROM "{model._meta.db_table}"' in query["sql"]
    ]


def test_the_ledger_shows_its_figures_in_order_with_the_words_of_the_report(acme):
    people.credits_for(acme, "10")
    charging.charge(
        company=acme, use=use(), work=Work(long_calls=2, emails_with_text=1), rates=people.rates()
    )
    client = signed_in(people.alice(acme))

    shown = text_of(client.get(page(LedgerEntry, "changelist")))

    assert shown.index("#2") < shown.index("#1")
    assert "Consuming credits" in shown
    assert 'data-status="used"' in shown
    assert 'data-metric="entry-amount" data-value="-2.1">−2.1<' in shown
    assert 'data-metric="balance-before" data-value="10.0">10.0<' in shown
    assert 'data-metric="balance-after" data-value="7.9">7.9<' in shown
    assert "Pricing objection, Continuous" in shown


def test_an_entry_shows_which_grants_it_drew_on(acme):
    people.credits_for(acme, "1.5")
    people.credits_for(acme, "10")
    charging.charge(company=acme, use=use(), work=Work(long_calls=2), rates=people.rates())
    entry = LedgerEntry.objects.get(company=acme, sequence=3)
    client = signed_in(people.alice(acme))

    shown = text_of(client.get(page(LedgerEntry, "change", entry.pk)))

    assert 'data-metric="drawdown" data-value="-1.5"' in shown
    assert 'data-metric="drawdown" data-value="-0.5"' in shown


def test_the_list_filters_by_the_company_s_own_days(acme):
    client = signed_in(people.member(acme, Role.BUSINESS_ADMIN, "Bob"))
    people.credits_for(acme, "10")

    inside = text_of(
        client.get(page(LedgerEntry, "changelist"), {"occurred_at_from": "2020-01-01"})
    )
    outside = text_of(client.get(page(LedgerEntry, "changelist"), {"occurred_at_to": "2020-01-01"}))
    no_day = client.get(page(LedgerEntry, "changelist"), {"occurred_at_to": "0000-99-99"})

    assert "Correcting credits" in inside
    assert "Correcting credits" not in outside
    assert no_day.status_code == 200


class PlainGrants(ReadOnlyAdmin):
    """A page that leaves ``list_select_related`` as Django has it."""

    view_act = Act.VIEW_LEDGER
    list_display = ("source", "created_by", "zone")
    ordering = ("-pk",)

    def zone(self, grant):
        return grant.company.time_zone


@pytest.mark.parametrize("has_company", [True, False])
def test_a_list_that_says_nothing_of_joins_asks_nothing_more_for_a_row(
    acme, superuser, has_company
):
    spend(acme, times=2)
    spend(people.company("Beta"), times=2)
    client = signed_in(superuser, acme if has_company else None)
    request = client.get(page(CreditGrant, "changelist")).wsgi_request

    rows = PlainGrants(CreditGrant, admin.site).get_changelist_instance(request).result_list
    listed = list(rows)

    with CaptureQueriesContext(connection) as captured:
        shown = [(str(row.created_by), row.company.name, row.company.time_zone) for row in listed]

    assert len(shown) == (2 if has_company else 4)
    assert [query["sql"] for query in captured] == []


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (UsageEvent, "Usage by Pricing objection"),
        (Reservation, "Reservation for Pricing objection"),
        (CreditGrant, "Adjustment grant"),
        (LedgerEntry, "#1"),
    ],
)
def test_a_page_is_headed_by_a_name_and_has_no_empty_history(acme, superuser, model, name):
    spend(acme)
    row = model.objects.filter(company=acme).order_by("pk").first()

    shown = text_of(signed_in(superuser, acme).get(page(model, "change", row.pk)))

    title = shown.split("<title>")[1].split("</title>")[0]
    assert title.split()[: len(name.split())] == name.split()
    assert f"{model.__name__} {row.pk}" not in shown
    assert page(model, "history", row.pk) not in shown
