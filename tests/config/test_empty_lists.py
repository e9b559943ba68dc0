"""Every empty list says, in our words, what it is waiting for."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.support import pages, people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db

# Of these there is always one: who looks, where, and what that did.
NEVER_EMPTY = {
    "credits_company",
    "credits_membership",
    "credits_ratecard",
    "credits_user",
}
# What vendor people do not see.
OF_COMPANIES = {"credits_apikey", "credits_integration", "trackers_importupload"}
LISTS = sorted(
    f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry
)


def list_of(client, name: str, query: str = "") -> pages.Page:
    return pages.read(client.get(reverse(f"admin:{name}_changelist") + query))


def test_every_list_has_a_sentence_of_its_own():
    words = [page.empty_words for page in admin.site._registry.values()]

    assert len(words) >= 22
    assert len(set(words)) == len(words)
    assert all(one.endswith(".") and 20 < len(one) < 120 for one in words)


@pytest.mark.parametrize("name", [name for name in LISTS if name not in NEVER_EMPTY])
def test_an_empty_list_says_what_it_waits_for(name):
    acme = people.company()
    is_of_companies = name in OF_COMPANIES
    client = signed_in(people.alice(acme) if is_of_companies else people.vera(), acme)
    words = next(
        page.empty_words
        for model, page in admin.site._registry.items()
        if f"{model._meta.app_label}_{model._meta.model_name}" == name
    )

    page = list_of(client, name)

    assert f"There is nothing here yet. {words}" in page.text
    assert "yielded" not in page.text


def test_a_search_that_finds_nothing_leads_back_to_all():
    acme = people.company()

    page = list_of(signed_in(people.alice(acme), acme), "trackers_tracker", "?q=nothing+like+it")

    assert "Nothing fits this search and these filters. Show all" in page.text
    assert "There is nothing here yet" not in page.text


def test_who_may_add_one_is_led_to_the_form():
    acme = people.company()
    add = reverse("admin:trackers_tracker_add")

    of_admin = list_of(signed_in(people.alice(acme), acme), "trackers_tracker")
    of_vendor = list_of(signed_in(people.vera(), acme), "trackers_tracker")

    assert of_admin.all(tag="a", **{"class": "credits-button"}, href=add)
    assert not of_vendor.all(tag="a", href=add)
