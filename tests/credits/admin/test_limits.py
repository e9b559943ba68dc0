"""The page “Limits”: how each stands, and the two steps of setting, changing and ending one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from credits import amounts, api_keys, limits
from credits.models import ApiKey, SpendingLimit
from tests.credits.test_limits import charge, limit, use_of
from tests.support import people

pytestmark = pytest.mark.django_db

LIST = "/admin/credits/spendinglimit/"


@pytest.fixture
def acme():
    company = people.company("Acme")
    people.credits_for(company, "100")
    return company


@pytest.fixture
def alice(acme, client):
    alice = people.alice(acme)
    client.force_login(alice)
    return alice


def figures(page) -> dict[str, str]:
    found = re.findall(r'data-metric="([^"]+)" data-value="([^"]+)"', page.content.decode())
    return dict(found)


def submit(client, url, step="", **values):
    """Send a form; on confirming, with what the page before showed."""
    page = client.post(url, values | {"key": KEY})
    if step != "confirm":
        return page
    seen = re.search(r'name="seen" value="([^"]+)"', page.content.decode())
    confirmed = {"step": "confirm", "seen": seen[1] if seen else "", "key": KEY}
    return client.post(url, values | confirmed, follow=True)


KEY = "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"


def test_a_limit_is_set_after_its_figures_were_seen(client, acme, alice):
    charge(acme, "30")
    add = reverse("admin:credits_spendinglimit_add")
    values = {"subject": "COMPANY", "window": "DAY", "credits": "42.5"}

    seen = submit(client, add, **values)

    assert figures(seen) == {
        "limit-credits": "42.5",
        "limit-used": "30.0",
        "limit-left": "12.5",
    }
    assert not SpendingLimit.objects.exists()
    done = submit(client, add, "confirm", **values)
    assert "The limit is 42.5 credits a day for the whole company." in done.content.decode()
    made = SpendingLimit.objects.get()
    assert (made.credits, made.is_hard, made.created_by) == (Decimal("42.500"), True, alice)


def test_a_limit_that_is_used_up_already_says_what_that_means(client, acme, alice):
    charge(acme, "30")

    seen = submit(
        client,
        reverse("admin:credits_spendinglimit_add"),
        subject="FEATURE:ASK",
        window="MONTH",
        credits="20",
    )

    assert "Nothing is left this month: work that costs credits waits" in seen.content.decode()


def test_the_list_says_how_each_stands(client, acme, alice):
    limit(acme, "40")
    limit(acme, "10", is_hard=False, window="MONTH")
    charge(acme, "10")

    page = client.get(LIST).content.decode()

    assert re.findall(r'data-metric="limit-used" data-value="([^"]+)"', page) == ["10.0", "10.0"]
    assert re.findall(r'data-metric="limit-left" data-value="([^"]+)"', page) == ["0.0", "30.0"]
    assert re.findall(r'<progress[^>]* value="(\d+)"', page) == ["100", "25"]
    assert re.findall(r'data-status="(reached|in-force)"', page) == ["reached", "in-force"]


def test_a_limit_is_changed_and_ended(client, acme, alice):
    made = limit(acme, "40")
    charge(acme, "10")

    changed = submit(
        client,
        reverse("admin:credits_spendinglimit_set", args=[made.pk]),
        "confirm",
        credits="50",
        only_tells="on",
    )
    assert "The limit is 50.0 credits a day for the whole company." in changed.content.decode()
    made.refresh_from_db()
    assert (made.credits, made.is_hard) == (Decimal("50.000"), False)

    end = reverse("admin:credits_spendinglimit_end", args=[made.pk])
    asked = client.get(end)
    assert figures(asked) == {"limit-credits": "50.0", "limit-used": "10.0"}
    ended = client.post(
        end,
        {
            "key": KEY,
            "step": "confirm",
            "seen": re.search(r'name="seen" value="([^"]+)"', asked.content.decode())[1],
        },
        follow=True,
    )
    assert "Ended: the limit of 50.0 credits a day for the whole company." in (
        ended.content.decode()
    )
    made.refresh_from_db()
    assert made.ended_by == alice


def test_use_between_the_pages_is_no_reason_to_look_again(client, acme, alice):
    add = reverse("admin:credits_spendinglimit_add")
    values = {"subject": "COMPANY", "window": "DAY", "credits": "42.5"}
    page = submit(client, add, **values)
    seen = re.search(r'name="seen" value="([^"]+)"', page.content.decode())[1]
    charge(acme, "1")

    client.post(add, values | {"step": "confirm", "seen": seen, "key": KEY})

    assert SpendingLimit.objects.count() == 1


def test_another_s_change_between_the_pages_is(client, acme, alice):
    made = limit(acme, "40")
    url = reverse("admin:credits_spendinglimit_set", args=[made.pk])
    page = submit(client, url, credits="50")
    seen = re.search(r'name="seen" value="([^"]+)"', page.content.decode())[1]
    limit(acme, "45")

    again = client.post(url, {"credits": "50", "step": "confirm", "seen": seen, "key": KEY})

    assert "Nothing was changed yet; look again." in again.content.decode()
    assert SpendingLimit.objects.get().credits == Decimal("45.000")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("many", "Enter a number, such as 500 or 12.5."),
        ("-1", "Enter an amount above 0 and at most 1,000,000,000 credits."),
        ("0.0001", "Credits have at most three decimal places; 0.0001 has more."),
    ],
)
def test_what_is_no_amount_is_refused_on_the_form(client, alice, typed, sentence):
    page = submit(
        client,
        reverse("admin:credits_spendinglimit_add"),
        subject="COMPANY",
        window="DAY",
        credits=typed,
    )

    assert sentence in page.content.decode()


def test_a_business_admin_sees_limits_and_sets_none(client, acme):
    made = limit(acme, "40")
    client.force_login(people.bob(acme))

    assert client.get(LIST).status_code == 200
    page = client.get(reverse("admin:credits_spendinglimit_change", args=[made.pk]))
    assert "Change</a>" not in page.content.decode()
    assert client.get(reverse("admin:credits_spendinglimit_add")).status_code == 403
    assert client.get(reverse("admin:credits_spendinglimit_end", args=[made.pk])).status_code == 403


def test_another_company_s_subjects_are_no_choice(client, acme, alice):
    globex = people.company("Globex")
    theirs = api_keys.create(
        company=globex, name="Theirs", scopes=["ask"], by=None, now=datetime.now(UTC)
    ).key

    page = submit(
        client,
        reverse("admin:credits_spendinglimit_add"),
        subject=f"API_KEY:{theirs.pk}",
        window="DAY",
        credits="1",
    )

    assert "Select a valid choice" in page.content.decode()
    assert "Theirs" not in page.content.decode()
    assert not SpendingLimit.objects.exists()


def test_a_key_is_made_with_a_limit_of_its_own_and_its_page_shows_it(client, acme, alice):
    client.post(
        reverse("admin:credits_apikey_add"),
        {
            "id": KEY,
            "name": "Nightly export",
            "scopes": ["ask"],
            "life_days": "30",
            "networks": "",
            "limit": "25",
            "limit_window": "MONTH",
        },
    )
    key = ApiKey.objects.get()
    charge(acme, "5", use_of(kind="ASK", key=key.pk))

    page = client.get(reverse("admin:credits_apikey_change", args=[key.pk]))

    assert figures(page) == {"limit-credits": "25.0", "limit-used": "5.0", "limit-left": "20.0"}
    (one,) = limits.standing(company=acme)
    assert (one.limit.api_key, one.limit.created_by, amounts.text(one.left)) == (key, alice, "20.0")
