"""The list of alerts says what was crossed and what became of each e-mail (UX F1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from credits import alerts, charging
from credits.identifiers import new_id
from credits.ledger import Use
from credits.models import Alert, AlertMail
from credits.rating import Work
from tests.support import people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db

LIST = reverse("admin:credits_alert_changelist")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "100")
    return company


@pytest.fixture
def page(acme):
    return signed_in(people.alice(acme), acme)


def crossed(company):
    use = Use("ASK", "Ask anything", None, "API_REQUEST")
    work = Work(long_calls=90, request_count=1)
    charging.charge(company=company, use=use, work=work, rates=people.rates())
    return alerts.evaluate(company_id=company.pk, now=NOW)


def text(response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def test_an_alert_is_listed_with_what_was_left_and_who_is_told(acme, page):
    crossed(acme)

    content = page.get(LIST)

    assert "90 % used 2 Mar 2026 13:00 CET 10.0 of 100.0 Goes to alice@" in text(content)
    assert 'data-status="used-90"' in content.content.decode()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"due_at": None, "handed_at": NOW, "sent_at": NOW}, "on 2 Mar 2026 13:00 CET"),
        (
            {"due_at": None, "handed_at": NOW},
            "It is not known whether it reached",
        ),
        (
            {"due_at": NOW, "trouble": "The mail server did not take it."},
            "The mail server did not take it. Next try: 2 Mar 2026 13:00 CET",
        ),
        ({"due_at": None, "trouble": "Twelve times."}, "Twelve times."),
    ],
)
def test_each_e_mail_says_how_it_ended(acme, page, state, words):
    crossed(acme)
    AlertMail.objects.update(**state)

    assert words in text(page.get(LIST))


def test_a_company_without_admins_is_said_to_have_been_told_nothing():
    globex = people.company("Globex")
    people.credits_for(globex, "100")
    crossed(globex)
    vera = signed_in(people.vera(), globex)

    assert "The company had no active admin to write to." in text(vera.get(LIST))


def test_the_list_takes_as_many_queries_for_many_alerts(acme, page, django_assert_max_num_queries):
    alert = crossed(acme)
    page.get(LIST)
    with django_assert_max_num_queries(20) as of_one:
        page.get(LIST)
    for number in range(5):
        row = Alert.objects.filter(pk=alert.pk).values().get()
        other = Alert.objects.create(**row | {"id": new_id(), "threshold": number})
        receiver = acme.memberships.get().user
        AlertMail.objects.create(company=acme, alert=other, receiver=receiver, trouble="x")

    with django_assert_max_num_queries(20) as of_many:
        page.get(LIST)

    assert len(of_many) == len(of_one)


def test_another_company_s_alerts_and_viewers_see_none(acme, page):
    globex = people.company("Globex")
    people.alice(globex)
    people.credits_for(globex, "100")
    crossed(globex)

    assert "90 % used" not in text(page.get(LIST))
    assert signed_in(people.vic(acme), acme).get(LIST).status_code == 403
