"""The pages of purchases: in two steps, exact figures first, once (UX §1 e)."""

from __future__ import annotations

import re
import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from billing.models import Contract, Purchase
from credits import balances, charging
from credits.models import CreditGrant
from credits.rating import Work
from tests.support import contracts, pages, people, statement
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


def test_an_order_shows_the_balance_before_and_after_and_then_adds_it(acme, vera, client):
    people.credits_for(acme, "12400")
    form = order()

    page = pages.read(client.post(ADD, form))
    nothing_yet = Purchase.objects.count()
    answer = confirmed(client, ADD, form)

    assert page.figure("balance-before") == "12400.0"
    assert page.figure("balance-after") == "62400.0"
    assert "31 Dec 2199" in page.text
    assert nothing_yet == 0
    purchase = Purchase.objects.get()
    assert answer["Location"] == reverse("admin:billing_purchase_change", args=[purchase.pk])
    assert (purchase.state, purchase.fulfilled_by) == ("FULFILLED", vera)
    assert balances.now(company=acme).remaining == Decimal(62400)


def test_a_later_start_says_its_day_and_changes_nothing_today(acme, client):
    people.credits_for(acme, "12400")
    form = order(starts_on="2190-12-01")

    page = pages.read(client.post(ADD, form))
    confirmed(client, ADD, form)

    assert "12,400.0 → 62,400.0 on 1 Dec 2190 00:00 CET" in page.text
    assert balances.now(company=acme).remaining == Decimal(12400)


def test_without_an_expiration_date_the_contract_s_months_count(acme, client):
    confirmed(client, ADD, order(starts_on="2190-07-01", ends_on=""))

    assert Purchase.objects.get().ends_on == date(2191, 6, 30)


def test_a_double_submit_adds_once(acme, client):
    form = order()
    seen = seen_on(text_of(client.post(ADD, form)))
    confirm = form | {"seen": seen, "step": "confirm"}

    first, second = client.post(ADD, confirm), client.post(ADD, confirm)

    assert first["Location"] == second["Location"]
    assert CreditGrant.objects.count() == 1


def test_the_same_form_with_another_amount_adds_nothing_more(acme, client):
    form = order()
    confirmed(client, ADD, form)

    answer = client.post(ADD, form | {"amount": "60000", "step": "confirm"})

    assert "This form was used before with other values; open it anew to do more." in text_of(
        answer
    )
    assert balances.now(company=acme).remaining == Decimal(50000)


def test_the_same_order_from_another_form_names_the_first(acme, client):
    confirmed(client, ADD, order())

    answer = client.post(ADD, order(order_reference="po-7"))

    assert "Already recorded as #1." in text_of(answer)
    assert Purchase.objects.count() == 1


def test_figures_that_moved_are_shown_again(acme, client):
    people.credits_for(acme, "100")
    form = order()
    seen = seen_on(text_of(client.post(ADD, form)))
    charging.charge(
        company=acme, use=statement.use(), work=Work(long_calls=1), rates=people.rates()
    )

    again = text_of(client.post(ADD, form | {"seen": seen, "step": "confirm"}))

    assert "The figures have moved since you looked. Nothing was done yet; look again." in again
    assert not Purchase.objects.exists()


def test_a_confirmation_for_another_company_does_nothing(acme, vera, client):
    beta = people.company("Beta")
    form = order()
    seen = seen_on(text_of(client.post(ADD, form)))

    answer = signed_in(vera, beta).post(ADD, form | {"seen": seen, "step": "confirm"})

    assert "You are working in Beta now. Nothing was done yet; look again." in text_of(answer)
    assert not Purchase.objects.exists()


def test_a_confirmation_that_nobody_was_shown_does_nothing(client):
    answer = client.post(ADD, order(step="confirm"))

    assert answer.status_code == 200
    assert not Purchase.objects.exists()


def test_above_the_limit_it_waits_under_to_approve(acme, client, vera):
    contracts.contract(acme, "2026-01-01", approval_limit=Decimal(1000))
    form = order()

    page = text_of(client.post(ADD, form))
    confirmed(client, ADD, form)
    waiting = text_of(client.get("/admin/billing/purchase/?state=REQUESTED"))
    asked = text_of(client.get(act("approve", Purchase.objects.get())))

    assert "waits under “To approve” for somebody else" in page
    assert 'data-status="requested"' in waiting
    assert "a person who neither asked for it nor fulfils it has to approve it" in asked
    assert 'value="confirm"' not in asked
    assert not CreditGrant.objects.exists()


def test_the_sidebar_counts_what_waits_to_be_approved(acme, vera):
    contracts.requested(acme, people.bob(acme))
    contracts.requested(acme, vera, "2")
    badge = re.compile(r"Purchases</span>.*?<span[^>]*>\s*(\d+)\s*</span>", re.DOTALL)

    page = text_of(signed_in(vera, acme).get("/admin/billing/contract/"))

    assert badge.search(page)[1] == "2"


def test_a_company_s_request_is_approved_and_fulfilled_by_staff(acme, vera, client):
    bob = people.bob(acme)
    theirs = signed_in(bob, acme)
    wish = {"amount": "7000", "starts_on": "", "note": "For autumn", "key": str(uuid.uuid4())}

    page = text_of(theirs.get("/admin/credits/"))
    confirmed(theirs, REQUEST, wish)
    purchase = Purchase.objects.get()
    seen = seen_on(text_of(client.get(act("approve", purchase))))
    client.post(
        act("approve", purchase), {"key": str(uuid.uuid4()), "seen": seen, "step": "confirm"}
    )
    days = {"starts_on": "2026-01-01", "ends_on": "2199-12-31", "order_reference": "PO-9"}
    confirmed(client, act("fulfil", purchase), days | {"key": str(uuid.uuid4())})

    assert f'href="{REQUEST}"' in page
    assert "Request more credits" in page
    purchase.refresh_from_db()
    assert (purchase.requested_by, purchase.approved_by, purchase.fulfilled_by) == (bob, vera, vera)
    assert (purchase.state, purchase.order_reference) == ("FULFILLED", "PO-9")
    assert balances.now(company=acme).remaining == Decimal(7000)


def test_a_request_sent_twice_is_one(acme):
    theirs = signed_in(people.bob(acme), acme)
    wish = {"amount": "7000", "starts_on": "", "note": "", "key": str(uuid.uuid4())}
    seen = seen_on(text_of(theirs.post(REQUEST, wish)))
    confirm = wish | {"seen": seen, "step": "confirm"}

    first, second = theirs.post(REQUEST, confirm), theirs.post(REQUEST, confirm)

    assert first["Location"] == second["Location"]
    assert Purchase.objects.count() == 1


def test_reversing_says_how_much_is_used_and_takes_the_rest(acme, vera, client):
    purchase = contracts.fulfilled(acme, vera)
    statement.charge(acme, "41000")
    form = {"reason": "Typed a zero too many", "key": str(uuid.uuid4())}

    page = pages.read(client.post(act("void", purchase), form))
    confirmed(client, act("void", purchase), form)
    shown = text_of(client.get(reverse("admin:billing_purchase_change", args=[purchase.pk])))

    assert "41,000.0 of 50,000.0 already used; 9,000.0 can be taken back." in page.text
    assert page.figure("purchase-taken") == "9000.0"
    assert balances.now(company=acme).remaining == 0
    assert "<s>" in shown
    assert "Typed a zero too many" in shown
    assert f"/admin/credits/creditgrant/{purchase.grant_id}/change/" in shown
    assert "#3</a> (Voided" in shown


def test_a_used_up_purchase_cannot_be_reversed_and_the_page_says_so(acme, vera, client):
    purchase = contracts.fulfilled(acme, vera)
    statement.charge(acme, "50000")

    answer = client.post(
        act("void", purchase), {"reason": "Typed a zero too many", "key": str(uuid.uuid4())}
    )

    assert "nothing can be taken back" in text_of(answer)
    assert 'value="confirm"' not in text_of(answer)


def test_the_page_offers_what_can_be_done_in_its_state(acme, vera, client):
    rows = {
        "requested": contracts.requested(acme, vera, "1"),
        "approved": contracts.approved(acme, vera, "2"),
        "fulfilled": contracts.fulfilled(acme, vera, "3"),
    }

    offered = {
        state: re.findall(
            r'/purchase/[\w-]+/(?:approve|fulfil|cancel|void)/">(\w+)</a>',
            text_of(client.get(reverse("admin:billing_purchase_change", args=[row.pk]))),
        )
        for state, row in rows.items()
    }

    assert offered == {
        "requested": ["Approve", "Cancel"],
        "approved": ["Fulfil", "Cancel"],
        "fulfilled": ["Reverse"],
    }


def test_cancelling_needs_a_reason(acme, vera, client):
    purchase = contracts.requested(acme, vera)
    url = act("cancel", purchase)

    short = client.post(url, {"reason": "no", "key": str(uuid.uuid4()), "step": "confirm"})
    confirmed(client, url, {"reason": "They changed their minds", "key": str(uuid.uuid4())})

    assert "Ensure this value has at least 10 characters" in text_of(short)
    purchase.refresh_from_db()
    assert (purchase.state, purchase.cancel_reason) == ("CANCELLED", "They changed their minds")


def test_a_purchase_of_another_company_is_not_found(acme, vera, client):
    purchase = contracts.requested(people.company("Beta"), vera)

    codes = {client.get(act(name, purchase)).status_code for name in ("approve", "cancel", "void")}

    assert codes == {404}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": "0"}, "Enter an amount above 0 and at most 1,000,000,000 credits."),
        ({"amount": "-5"}, "Enter an amount above 0 and at most 1,000,000,000 credits."),
        ({"amount": "1e400"}, "Enter an amount above 0 and at most 1,000,000,000 credits."),
        ({"amount": "0.0001"}, "Credits have at most three decimal places; 0.0001 has more."),
        ({"amount": "many"}, "Enter a number, such as 50000 or 12.5."),
        ({"amount": "NaN"}, "Enter a number, such as 50000 or 12.5."),
        ({"amount": ""}, "This field is required."),
        ({"starts_on": ""}, "This field is required."),
        (
            {"starts_on": "2190-02-02", "ends_on": "2190-02-01"},
            "The credits would end before they start; choose a later expiration date.",
        ),
        (
            {"order_reference": "x" * 201},
            "Ensure this value has at most 200 characters (it has 201).",
        ),
        ({"key": "mine"}, "Enter a valid UUID."),
    ],
)
@pytest.mark.parametrize("step", ["", "confirm"])
def test_what_cannot_be_recorded_is_said_in_one_sentence(client, changes, sentence, step):
    answer = client.post(ADD, order(step=step) | changes)

    errors = answer.context["form"].errors
    assert [error for messages in errors.values() for error in messages] == [sentence]
    assert not Purchase.objects.exists()


def test_an_order_whose_last_day_is_past_is_refused(client):
    form = order(starts_on="2020-01-01", ends_on="2020-12-31")
    seen = seen_on(text_of(client.post(ADD, form)))

    answer = client.post(ADD, form | {"seen": seen, "step": "confirm"})

    assert "A grant must expire after it starts" in text_of(answer)
    assert not Purchase.objects.exists()


def test_a_purchase_is_never_edited_or_deleted_by_its_page(acme, vera, client):
    purchase = contracts.requested(acme, vera)
    change = reverse("admin:billing_purchase_change", args=[purchase.pk])
    delete = reverse("admin:billing_purchase_delete", args=[purchase.pk])

    codes = client.post(change, order()).status_code, client.post(delete).status_code

    assert codes == (403, 403)
    assert Contract.objects.count() == 0


def test_the_list_says_what_stands_where(acme, vera, client):
    contracts.requested(acme, vera, "1")
    contracts.approved(acme, vera, "2")
    contracts.fulfilled(acme, vera, "3")

    shown = {
        state: re.findall(
            r'data-metric="purchase-amount" data-value="([^"]+)"',
            text_of(client.get("/admin/billing/purchase/", {"state": state})),
        )
        for state in ("REQUESTED", "APPROVED", "FULFILLED", "voided", "CANCELLED")
    }

    assert shown == {
        "REQUESTED": ["1.0"],
        "APPROVED": ["2.0"],
        "FULFILLED": ["3.0"],
        "voided": [],
        "CANCELLED": [],
    }
