"""Acts on a purchase whose turn it is not, and what pages say of one."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal

import pytest
from django.urls import reverse

from billing import purchases
from billing.models import Purchase
from tests.support import api, contracts, pages, people
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

ADD = "/admin/billing/purchase/add/"
REQUEST = "/admin/billing/purchase/request/"


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def vera():
    return people.vera()


@pytest.fixture
def client(acme, vera):
    return signed_in(vera, acme)


def order(**changes) -> dict[str, str]:
    return {
        "amount": "50000",
        "order_reference": "PO-7",
        "starts_on": "2026-01-01",
        "ends_on": "2199-12-31",
        "note": "",
        "replaces": "",
        "key": str(uuid.uuid4()),
    } | changes


def seen_on(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found, "This is no confirmation page."
    return found[1]


def confirmed(client, url: str, form: dict[str, str]):
    """Look at the figures, then confirm them."""
    seen = seen_on(text_of(client.post(url, form)))
    return client.post(url, form | {"seen": seen, "step": "confirm"})


def act(name: str, purchase) -> str:
    return reverse(f"admin:billing_purchase_{name}", args=[purchase.pk])


@pytest.mark.parametrize(
    ("name", "prepare", "sentence"),
    [
        ("fulfil", contracts.requested, "Purchase #1 is not approved yet; approve it first."),
        ("void", contracts.approved, "This purchase added no credits; cancel it instead."),
        ("approve", contracts.approved, "Purchase #1 is approved already. Nothing was changed."),
    ],
)
def test_a_page_of_an_act_whose_turn_it_is_not_says_why(
    acme, vera, client, name, prepare, sentence
):
    purchase = prepare(acme, vera)

    assert sentence in text_of(client.get(act(name, purchase), follow=True))


def test_who_approved_above_the_limit_does_not_get_to_the_form_of_fulfilling(acme, vera, client):
    contracts.contract(acme, "2026-01-01", approval_limit=Decimal(1000))
    purchase = contracts.requested(acme, people.bob(acme))
    purchases.approve(purchase=purchase, by=vera, now=contracts.NOW)

    page = client.get(act("fulfil", purchase), follow=True)
    other = signed_in(people.vera(), acme).get(act("fulfil", purchase))

    assert page.redirect_chain == [(f"/admin/billing/purchase/{purchase.pk}/change/", 302)]
    assert "a person who neither asked for it nor fulfils it has to approve it" in text_of(page)
    assert other.status_code == 200


@pytest.mark.parametrize("name", ["approve", "cancel", "fulfil", "void"])
def test_a_page_of_what_was_decided_meanwhile_says_so_and_leads_back(acme, vera, client, name):
    """Two people look at one purchase; the second opens an act that the first has done."""
    purchase = contracts.requested(acme, vera)
    purchases.cancel(purchase=purchase, by=vera, reason="Ordered by mistake", now=contracts.NOW)

    page = client.get(act(name, purchase), follow=True)

    assert page.redirect_chain == [(f"/admin/billing/purchase/{purchase.pk}/change/", 302)]
    assert "Purchase #1 is cancelled already. Nothing was changed." in text_of(page)


def test_a_confirmation_of_what_was_decided_meanwhile_says_so(acme, vera, client):
    purchase = contracts.requested(acme, vera)
    form = {
        "key": str(uuid.uuid4()),
        "seen": seen_on(text_of(client.get(act("approve", purchase)))),
    }
    purchases.cancel(purchase=purchase, by=vera, reason="Ordered by mistake", now=contracts.NOW)

    answer = client.post(act("approve", purchase), form | {"step": "confirm"})

    assert answer.status_code == 200
    assert "Purchase #1 is cancelled already. Nothing was changed." in text_of(answer)


def test_a_purchase_that_starts_later_shows_its_credits_and_their_day(acme, client):
    people.credits_for(acme, "200")
    confirmed(client, ADD, order(amount="1000", starts_on="2190-12-10"))
    purchase = Purchase.objects.get()
    grant = purchase.grant

    addresses = {
        "/admin/billing/purchase/": "purchase-remaining",
        f"/admin/billing/purchase/{purchase.pk}/change/": "purchase-remaining",
        "/admin/credits/creditgrant/": "grant-remaining",
        f"/admin/credits/creditgrant/{grant.pk}/change/": "grant-remaining",
        "/admin/credits/": "grant-left",
    }
    for address, metric in addresses.items():
        page = pages.read(client.get(address))
        assert "1,000.0 from 10 Dec 2190" in page.text, address
        assert page.all(data_metric=f"{metric}-scheduled", data_value="1000.0"), address
        assert not page.all(data_metric=metric, data_value="0.0"), address


def test_a_cancelled_one_that_never_started_has_nothing_left(acme, client):
    confirmed(client, ADD, order(amount="1000", starts_on="2190-12-10"))
    purchase = Purchase.objects.get()
    confirmed(client, act("void", purchase), {"reason": "Ordered twice", "key": str(uuid.uuid4())})

    page = pages.read(client.get(f"/admin/billing/purchase/{purchase.pk}/change/"))

    assert page.figure("purchase-remaining") == "0.0"


def test_a_key_s_request_names_the_key_and_who_made_it(acme, client):
    alice = people.alice(acme)
    program = api.of(acme, by=alice)
    program.post(
        "/api/v1/purchases", {"amount": "5"}, "application/json", headers={"idempotency-key": "1"}
    )
    purchase = Purchase.objects.get()
    words = "by key Nightly job (made by Alice)"

    listed = pages.read(client.get("/admin/billing/purchase/")).text
    shown = pages.read(client.get(f"/admin/billing/purchase/{purchase.pk}/change/")).text
    decided = pages.read(client.get(act("approve", purchase))).text

    assert words in listed
    assert words in shown
    assert "key Nightly job (made by Alice)" in decided
