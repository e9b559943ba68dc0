"""Cancelling, voiding, adjusting and refunding by a person: two steps, exact figures, once."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from config.demo.clock import seeded_clock
from credits import charging, reconciliation
from credits.models import Correction, CreditGrant, LedgerEntry, UsageEvent
from tests.support import people, statement
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

WHY = "Ordered twice by mistake"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    with seeded_clock(NOON) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    return people.company()


@pytest.fixture
def client(acme):
    return signed_in(people.vera(), acme)


def page_of(act: str, subject=None) -> str:
    name = {"refund": "usageevent", "void": "creditgrant"}.get(act, "creditgrant")
    return reverse(f"admin:credits_{name}_{act}", args=[] if subject is None else [subject.pk])


def wish(**changes) -> dict[str, str]:
    return {"reason": WHY, "key": str(uuid.uuid4())} | changes


def confirmed(client, url: str, form: dict[str, str], **ticks):
    """Look at the figures, then confirm them; return the page that showed them and the answer."""
    page = text_of(client.post(url, form))
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen, page
    return page, client.post(url, form | ticks | {"seen": seen[1], "step": "confirm"})


def figures(page: str) -> list[tuple[str, str]]:
    return re.findall(
        r'data-metric="([^"]+)" data-value="([^"]+)"', page.split("credits-facts-large")[1]
    )


def test_a_void_says_what_it_takes_and_what_it_leaves_and_then_does_it(acme, client):
    order = statement.lot(acme, "Order 7", "50000")
    statement.charge(acme, "41000")
    statement.reserve(acme, "1000")

    page, answer = confirmed(client, page_of("void", order), wish())

    assert figures(page) == [
        ("void-taken", "8000.0"),
        ("void-used", "41000.0"),
        ("grant-amount", "50000.0"),
        ("void-held", "1000.0"),
        ("balance-before", "9000.0"),
        ("balance-after", "1000.0"),
    ]
    assert answer["Location"] == reverse("admin:credits_creditgrant_change", args=[order.pk])
    assert statement.of(acme)[-1] == "02 Mar 12:00 Voided -8000.0 = 1000.0 (Order 7 -8000.0)"
    shown = text_of(client.get(answer["Location"]))
    assert 'data-status="voided"' in shown
    assert WHY in shown
    assert "Void the grant" not in shown


def test_a_cancelled_grant_is_said_not_to_come(acme, client):
    april = statement.lot(acme, "April", "10", effective_at=NOON + timedelta(days=9))
    assert "Cancel the grant" in text_of(
        client.get(reverse("admin:credits_creditgrant_change", args=[april.pk]))
    )

    page, answer = confirmed(client, page_of("cancel", april), wish())

    assert figures(page)[0] == ("cancelled", "10.0")
    assert "11 Mar 2026 13:00 CET" in page
    assert answer.status_code == 302
    assert CreditGrant.objects.get(pk=april.pk).cancelled_at == NOON
    assert Correction.objects.get().reason == WHY


def test_an_adjustment_upwards_lasts_until_the_local_end_of_its_last_day(acme, client):
    statement.lot(acme, "Order 7", "10")

    page, answer = confirmed(
        client, page_of("adjust"), wish(amount="12.5", grant="", last="2026-03-31")
    )

    assert figures(page) == [
        ("adjustment", "12.5"),
        ("balance-before", "10.0"),
        ("balance-after", "22.5"),
    ]
    assert answer.status_code == 302
    grant = CreditGrant.objects.get(reference="")
    assert (grant.source, grant.amount) == ("ADJUSTMENT", Decimal("12.5"))
    assert grant.expires_at == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_an_adjustment_downwards_takes_from_the_grant_that_was_chosen(acme, client):
    statement.lot(acme, "Order 7", "10", expires_at=NOON + timedelta(days=1))
    order = statement.lot(acme, "Order 8", "10")
    form = text_of(client.get(page_of("adjust"), {"grant": order.pk}))

    page, answer = confirmed(
        client, page_of("adjust"), wish(amount="-4", grant=str(order.pk), last="")
    )

    assert re.search(rf'value="{order.pk}"\s+selected', form)
    assert figures(page) == [
        ("adjustment", "-4.0"),
        ("left-to-take", "6.0"),
        ("balance-before", "20.0"),
        ("balance-after", "16.0"),
    ]
    assert answer.status_code == 302
    assert statement.of(acme)[-1] == "02 Mar 12:00 Adjusted -4.0 = 16.0 (Order 8 -4.0)"


@pytest.fixture
def charged(acme):
    """A charge of 9: all 4 of Short, 5 of Lasting; a day later, when Short has expired."""
    statement.lot(acme, "Short", "4", expires_at=NOON + timedelta(days=1))
    statement.lot(acme, "Lasting", "10")
    return statement.charge(acme, "9")


def test_a_refund_says_what_expires_at_once_and_offers_it_again(acme, client, charged, clock):
    clock.advance(timedelta(days=2))

    page, answer = confirmed(
        client, page_of("refund", charged), wish(amount="7"), replace_expired="true"
    )

    assert figures(page) == [
        ("refund", "7.0"),
        ("refund-charged", "9.0"),
        ("refunded-before", "0.0"),
        ("refund-part", "5.0"),
        ("refund-part", "2.0"),
        ("balance-before", "5.0"),
        ("balance-after", "10.0"),
    ]
    assert "expires at once" in page
    assert "Give the 2.0 credits that expire at once again, for 30 days" in page
    assert answer["Location"] == reverse("admin:credits_usageevent_change", args=[charged.pk])
    CreditGrant.objects.filter(reference="").update(reference="Again")
    assert statement.of(acme)[3:] == [
        "04 Mar 12:00 Refunded +7.0 = 12.0 (Lasting +5.0, Short +2.0)",
        "04 Mar 12:00 Expired -2.0 = 10.0 (Short -2.0)",
        "04 Mar 12:00 Adjusted +2.0 = 12.0 (Again +2.0)",
    ]
    assert WHY in text_of(client.get(answer["Location"]))


def test_a_refund_that_keeps_everything_offers_nothing(acme, client, charged):
    page, answer = confirmed(client, page_of("refund", charged), wish(amount=""))

    assert "for 30 days" not in page
    assert answer.status_code == 302
    assert statement.left(acme) == {"Short": "4.0", "Lasting": "10.0"}


def test_the_entry_of_a_correction_says_why(acme, client, charged):
    confirmed(client, page_of("refund", charged), wish(amount="1"))
    entry = LedgerEntry.objects.get(kind="REFUNDED")

    page = text_of(client.get(reverse("admin:credits_ledgerentry_change", args=[entry.pk])))

    assert WHY in page


def test_a_double_submit_refunds_once(acme, client, charged):
    url, form = page_of("refund", charged), wish(amount="2")

    _, first = confirmed(client, url, form)
    second = client.post(url, form | {"seen": "whatever it was", "step": "confirm"})

    assert first["Location"] == second["Location"]
    assert LedgerEntry.objects.filter(kind="REFUNDED").count() == 1


def test_the_same_form_with_another_amount_refunds_nothing_more(client, charged):
    url, form = page_of("refund", charged), wish(amount="2")
    confirmed(client, url, form)

    answer = client.post(url, form | {"amount": "3", "seen": "x", "step": "confirm"})

    assert "use a new key for a new request" in text_of(answer)
    assert LedgerEntry.objects.filter(kind="REFUNDED").count() == 1


def test_a_confirmation_on_figures_that_moved_is_shown_again(acme, client):
    order = statement.lot(acme, "Order 7", "10")
    url, form = page_of("void", order), wish()
    seen = re.search(r'name="seen" value="([^"]+)"', text_of(client.post(url, form)))[1]
    statement.charge(acme, "1")

    again = text_of(client.post(url, form | {"seen": seen, "step": "confirm"}))

    assert "The figures have moved since you looked. Nothing was done yet; look again." in again
    assert figures(again)[0] == ("void-taken", "9.0")
    assert not Correction.objects.exists()


def test_change_goes_back_to_the_form_with_what_was_typed(client, charged):
    page = text_of(client.post(page_of("refund", charged), wish(amount="1.25", step="change")))

    assert 'value="1.25"' in page
    assert not Correction.objects.exists()


IMPOSSIBLE = {
    "void": "All of this grant was used; refund a charge to give credits back.",
    "cancel": "This grant has started; void what is left of it instead.",
}


@pytest.mark.parametrize("act", IMPOSSIBLE)
def test_what_cannot_be_done_is_said_before_any_form(acme, client, act):
    order = statement.lot(acme, "Order 7", "10")
    statement.charge(acme, "10")

    answer = client.get(page_of(act, order), follow=True)

    assert [str(message) for message in answer.context["messages"]] == [IMPOSSIBLE[act]]
    assert answer.redirect_chain == [
        (reverse("admin:credits_creditgrant_change", args=[order.pk]), 302)
    ]


BAD_FORMS = {
    "no reason": ("refund", {"reason": ""}, "This field is required."),
    "a short reason": ("refund", {"reason": "oops"}, "Write why, in at least 10 characters."),
    "no number": ("refund", {"amount": "much"}, "Enter a number, such as 2000 or 12.5."),
    "not a number": ("adjust", {"amount": "NaN"}, "Enter a number, such as 2000 or 12.5."),
    "nothing": ("adjust", {"amount": "0"}, "Enter an amount other than 0."),
    "less than nothing": ("refund", {"amount": "-1"}, "Enter an amount above 0."),
    "four places": (
        "adjust",
        {"amount": "0.0001"},
        "Credits have at most three decimal places; 0.0001 has more.",
    ),
    "far too much": (
        "adjust",
        {"amount": "1e10"},
        "Enter at most 1,000,000,000.0 credits at once.",
    ),
    "more than the charge": (
        "refund",
        {"amount": "9.001"},
        "9.0 credits of this charge are left to refund, not 9.001.",
    ),
    "more than is available": (
        "adjust",
        {"amount": "-5.001"},
        "5.0 credits can be taken, not 5.001; what is used or held stays.",
    ),
    "an expiry of what is taken": (
        "adjust",
        {"amount": "-1", "last": "2026-12-31"},
        "Only credits that are added expire; leave it empty.",
    ),
    "an expiry in the past": (
        "adjust",
        {"amount": "1", "last": "2026-03-01"},
        "A grant must expire after it starts; a start already past counts from now.",
    ),
}


@pytest.mark.parametrize("fault", BAD_FORMS)
@pytest.mark.parametrize("step", ["", "confirm"])
def test_what_cannot_be_corrected_is_said_in_one_sentence(client, charged, fault, step):
    act, changes, sentence = BAD_FORMS[fault]
    url = page_of(act, charged if act == "refund" else None)

    answer = client.post(url, wish(amount="1") | changes | {"step": step})

    errors = answer.context["form"].errors
    assert [error for found in errors.values() for error in found] == [sentence]
    assert not Correction.objects.exists()


def test_an_adjustment_takes_from_a_grant_of_its_own_company_only(client, charged):
    theirs = statement.lot(people.company("Globex"), "Theirs", "5")

    answer = client.post(page_of("adjust"), wish(amount="-1", grant=str(theirs.pk)))

    assert list(answer.context["form"].errors) == ["grant"]
    assert "Theirs" not in text_of(answer)


def test_an_adjustment_belongs_to_a_company_that_was_chosen(charged):
    answer = signed_in(people.vera()).get(page_of("adjust"))

    assert answer["Location"] == reverse("admin:credits_creditgrant_changelist")


STRANGERS = {
    "the tech admin": people.alice,
    "the business admin": people.bob,
    "a viewer": people.vic,
    "an auditor": lambda company: people.audrey(),
}


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_vendor_staff_correct_the_books(acme, charged, who, method):
    grant = CreditGrant.objects.get(reference="Lasting")
    client = signed_in(STRANGERS[who](acme), acme)
    pages = [
        page_of("void", grant),
        page_of("cancel", grant),
        page_of("adjust"),
        page_of("refund", charged),
    ]

    answers = [getattr(client, method)(url, wish(step="confirm")).status_code for url in pages]

    assert answers == [403, 403, 403, 403]
    assert not Correction.objects.exists()


def test_rows_of_another_company_are_not_there(acme, charged):
    beta = people.company("Beta")
    grant = CreditGrant.objects.get(reference="Lasting")
    client = signed_in(people.vera(), beta)

    answers = [
        client.get(page_of(act, subject)).status_code
        for act, subject in [("void", grant), ("cancel", grant), ("refund", charged)]
    ]

    assert answers == [404, 404, 404]


def test_only_vendor_staff_are_shown_the_acts(acme, charged):
    order = CreditGrant.objects.get(reference="Lasting")
    urls = [
        reverse("admin:credits_creditgrant_change", args=[order.pk]),
        reverse("admin:credits_usageevent_change", args=[charged.pk]),
    ]

    of_vera, of_alice = signed_in(people.vera(), acme), signed_in(people.alice(acme), acme)

    vera = [text_of(of_vera.get(url)) for url in urls]
    alice = [text_of(of_alice.get(url)) for url in urls]

    assert page_of("void", order) in vera[0]
    assert page_of("refund", charged) in vera[1]
    assert page_of("void", order) not in alice[0]
    assert page_of("refund", charged) not in alice[1]


def test_the_books_are_in_order_after_every_act(acme, client, charged):
    statement.lot(acme, "April", "5", effective_at=NOON + timedelta(days=30))
    confirmed(client, page_of("refund", charged), wish(amount="3"))
    confirmed(client, page_of("adjust"), wish(amount="2", last=""))
    confirmed(client, page_of("adjust"), wish(amount="-1", grant=""))
    confirmed(client, page_of("cancel", CreditGrant.objects.get(reference="April")), wish())
    confirmed(client, page_of("void", CreditGrant.objects.get(reference="Lasting")), wish())

    assert Correction.objects.count() == 5
    assert UsageEvent.objects.count() == 1
    with pytest.raises(charging.RefundExceedsCharge):
        charging.refund_preview(usage_event=charged, amount=Decimal("6.001"))
    assert reconciliation.check() == []
