"""The customers' people, known by e-mail address (SPEC §5)."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from tests.support import asks, conversations, people
from tests.support.asks import call
from trackers.models import Contact, Participant

pytestmark = pytest.mark.django_db

migration = import_module("trackers.migrations.0010_ask")


def person(email: str, name: str = "", *, role: str = "external") -> dict:
    return {"id": email or name, "name": name, "email": email or None, "role": role}


def held_with(*participants: dict) -> dict:
    return {"participants": list(participants), "utterances": []}


def known(company) -> dict[str, tuple[str, str | None]]:
    rows = Contact.objects.filter(company=company).select_related("account")
    return {row.email: (row.name, row.account.name if row.account else None) for row in rows}


def test_customers_of_a_conversation_become_contacts_of_its_account():
    acme = people.company()

    conversations.ingest(
        acme,
        call(
            "c1",
            **held_with(
                person("rita@acme.example", "Rita", role="internal"),
                person("Carl@Globex.example", "Carl"),
                person("", "Nobody known"),
            ),
        ),
    )

    assert known(acme) == {"carl@globex.example": ("Carl", "Globex")}
    linked = Participant.objects.filter(contact__isnull=False).values_list("name", flat=True)
    assert list(linked) == ["Carl"]


def test_a_contact_without_an_account_is_a_lead_until_a_conversation_names_one():
    acme = people.company()
    lead = held_with(person("lea@initech.example"))
    conversations.ingest(acme, call("c1", account=None, deal=None, **lead))
    before = known(acme)

    named = held_with(person("lea@initech.example", "Lea"))
    conversations.ingest(acme, call("c2", days=1, account={"name": "Initech"}, deal=None, **named))

    assert before == {"lea@initech.example": ("", None)}
    assert known(acme) == {"lea@initech.example": ("Lea", "Initech")}


def test_the_first_name_and_account_stay():
    acme = people.company()
    conversations.ingest(acme, call("c1", **held_with(person("carl@globex.example", "Carl"))))

    conversations.ingest(
        acme,
        call(
            "c2",
            days=1,
            account={"name": "Initech"},
            deal=None,
            **held_with(person("carl@globex.example", "Karl")),
        ),
    )

    assert known(acme) == {"carl@globex.example": ("Carl", "Globex")}


def test_companies_have_contacts_of_their_own():
    acme, initech = people.company("Acme"), people.company("Initech")

    for company in (acme, initech):
        conversations.ingest(company, call("c1"))

    assert Contact.objects.filter(email="carl@globex.example").count() == 2
    for company in (acme, initech):
        own = Participant.objects.get(company=company, external_id="c")
        assert own.contact.company == company


def test_learning_contacts_takes_as_many_statements_for_one_as_for_fifty(
    django_assert_max_num_queries,
):
    def incoming(count: int, prefix: str):
        return [
            call(
                f"{prefix}{n}",
                days=n % 5,
                **held_with(person(f"{prefix}{n}@globex.example", f"Customer {n}")),
            )
            for n in range(count)
        ]

    def statements(company, count: int, prefix: str) -> int:
        with django_assert_max_num_queries(100) as asked:
            conversations.ingest(company, *incoming(count, prefix))
        return len(asked)

    acme = people.company()

    one, fifty = statements(acme, 1, "a"), statements(acme, 50, "b")

    assert fifty <= one
    assert Contact.objects.filter(company=acme).count() == 51


def test_participants_that_were_there_before_get_their_contacts(settings):
    acme = people.company()
    conversations.ingest(
        acme,
        call("late", days=3, **held_with(person("carl@globex.example", "Carl the second"))),
        call("first", account=None, deal=None, **held_with(person("carl@globex.example"))),
        call("next", days=1, **held_with(person("carl@globex.example", "Carl"))),
        call("lead", account=None, deal=None, **held_with(person("lea@initech.example", "Lea"))),
    )
    Participant.objects.update(contact=None)
    Contact.objects.all().delete()

    with connection.schema_editor() as editor:
        migration.make_contacts(apps, editor)

    assert known(acme) == {
        "carl@globex.example": ("Carl", "Globex"),
        "lea@initech.example": ("Lea", None),
    }
    assert Participant.objects.filter(contact__email="carl@globex.example").count() == 3
    assert not Participant.objects.filter(affiliation="COMPANY", contact__isnull=False).exists()


def test_a_contact_is_asked_about_by_address():
    acme = people.company()
    asks.globex(acme)
    people.credits_for(acme, "10")

    row = asks.ask(
        acme,
        entity=asks.entities.find(company=acme, entity_type="CONTACT", id="Carl@globex.example"),
    )

    assert (row.calls, row.emails) == (2, 1)
    assert row.contact.email == "carl@globex.example"
