"""The CRM's ids of accounts, deals, contacts and leads: learned at every door, found by at all."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.support import conversations, people
from tests.support.asks import call
from tests.trackers.api.gong import asking
from tests.trackers.importers import test_gong as gong_calls
from trackers import contacts, directory_imports, entities
from trackers.importers import directory
from trackers.importers.reading import MemoryFile
from trackers.models import Contact, Conversation, CustomerAccount, Deal, EntityType

pytestmark = pytest.mark.django_db

ACCOUNT, DEAL, CONTACT = "0013601230sV7grAAC", "0063601230sV7grAAC", "0033601230sV7grAAC"
GLOBEX = {"name": "Globex", "crm_id": ACCOUNT}
ROBOTS = {"name": "Globex robots", "crm_id": DEAL}
CARL = {
    "id": "c",
    "name": "Carl Customer",
    "email": "carl@globex.example",
    "crm_id": CONTACT,
    "role": "external",
}


def known(company, **changes):
    facts = {"account": GLOBEX, "deal": ROBOTS, "participants": [CARL]} | changes
    conversations.ingest(company, call("c1", "Yes.", **facts))


def found(company, entity_type, key):
    return entities.find(company=company, entity_type=EntityType(entity_type), id=key).name


def take_in(company, content: bytes):
    file = MemoryFile("crm.csv", content)
    reader = directory.Reader([file])
    directory_imports.take_in(company=company, rows=reader, now=timezone.now())
    return [line.reason for line in reader.bad_lines]


def test_each_is_found_by_the_id_of_the_crm(acme):
    known(acme)

    assert found(acme, "ACCOUNT", ACCOUNT) == "Globex"
    assert found(acme, "DEAL", f" {DEAL} ") == "Globex robots"
    assert found(acme, "CONTACT", CONTACT) == "Carl Customer <carl@globex.example>"
    for entity_type, key in (("DEAL", ACCOUNT), ("LEAD", CONTACT), ("ACCOUNT", "")):
        with pytest.raises(entities.UnknownEntity):
            found(acme, entity_type, key)


def test_another_company_s_id_finds_nothing(acme):
    other = people.company("Other")
    known(other)

    with pytest.raises(entities.UnknownEntity):
        found(acme, "ACCOUNT", ACCOUNT)


def test_an_id_that_looks_like_ours_is_found_too(acme):
    key = "8b6f0d2e-0000-4000-8000-00155d0a1b2c"
    known(acme, account={"name": "Globex", "crm_id": key}, deal=None)

    assert found(acme, "ACCOUNT", key) == "Globex"


def test_what_was_there_before_gets_its_id_and_keeps_it(acme):
    conversations.ingest(acme, call("c0", "No."))

    known(acme)
    conversations.ingest(acme, call("c2", "No.", account=GLOBEX | {"crm_id": "another"}))

    assert CustomerAccount.objects.get().external_id == ACCOUNT
    assert Deal.objects.get().external_id == DEAL
    assert Contact.objects.get().external_id == CONTACT


def test_an_account_that_the_crm_renamed_is_the_same_account(acme):
    known(acme)

    conversations.ingest(
        acme,
        call(
            "c2",
            "No.",
            days=1,
            account={"name": "Globex International", "crm_id": ACCOUNT},
            deal={"name": "Robots for Globex", "stage": "won", "crm_id": DEAL},
            participants=[CARL],
        ),
    )

    account, deal = CustomerAccount.objects.get(), Deal.objects.get()
    assert set(Conversation.objects.values_list("account", "deal")) == {(account.pk, deal.pk)}
    assert (account.name, deal.name, deal.stage) == ("Globex", "Globex robots", "won")


def test_two_people_of_one_id_are_two_contacts_and_the_first_has_it(acme):
    eve = CARL | {"id": "e", "name": "Eve", "email": "eve@globex.example"}

    known(acme, participants=[CARL, eve])

    ids = dict(Contact.objects.values_list("email", "external_id"))
    assert sorted(ids.values()) == ["", CONTACT]


def test_a_removed_contact_has_no_id(acme):
    known(acme)

    contacts.remove([Contact.objects.get().pk], now=timezone.now())

    assert Contact.objects.get().external_id == ""


def test_csv_of_accounts_and_deals_has_ids(acme):
    conversations.ingest(acme, call("c1", "Yes."))

    bad = take_in(
        acme,
        b"Account,Account id,Account type,Deal,Deal id,Stage\n"
        b"Globex,001A,customer,Globex robots,006A,won\n"
        b"Globex,001B,customer,,,\n"
        b"Initech,001C,,,006C,\n",
    )

    assert found(acme, "ACCOUNT", "001A") == "Globex"
    assert found(acme, "DEAL", "006A") == "Globex robots"
    assert bad == [
        "account Globex came before with another id",
        "the id of a deal needs the deal it is of",
    ]


def test_csv_names_by_id_what_is_called_otherwise_here(acme):
    known(acme)

    take_in(
        acme,
        f"Account,Account id,Account type,Deal,Deal id,Stage\n"
        f"Globex AG,{ACCOUNT},customer,Robots,{DEAL},won\n".encode(),
    )

    account, deal = CustomerAccount.objects.get(), Deal.objects.get()
    assert (account.name, account.account_type) == ("Globex", "customer")
    assert (deal.name, deal.stage) == ("Globex robots", "won")


def test_csv_says_nothing_of_the_account_that_a_deal_was_with_before(acme):
    known(acme)

    take_in(acme, f"Account,Account type,Deal,Deal id,Stage\nHooli,lost,R,{DEAL},won\n".encode())

    assert CustomerAccount.objects.get(name="Globex").account_type == ""
    assert Deal.objects.get().stage == "won"


def test_a_gong_client_asks_by_the_ids_it_knows(acme, settings):
    settings.API_REQUESTS_PER_SECOND = 1000
    people.credits_for(acme, "10")
    context = [
        {"system": "Salesforce", "objects": [{"objectType": "Contact", "objectId": CONTACT}]}
    ]
    half = gong_calls.call()
    half["parties"][1]["context"] = context
    _, records = gong_calls.read(
        gong_calls.extensive(half), gong_calls.transcripts(gong_calls.transcript())
    )
    conversations.ingest(acme, *records)
    client = asking.of(acme)

    about = {"workspaceId": "1", "timePeriod": "ALL_CONVERSATIONS", "question": "Price?"}
    answers = [
        client.get(
            "/v2/entities/ask-entity", about | {"crmEntityType": kind, "crmEntityId": key}
        ).status_code
        for kind, key in (
            ("ACCOUNT", ACCOUNT),
            ("DEAL", "0063601230sV7grAAC"),
            ("CONTACT", CONTACT),
        )
    ]
    body = {
        "filter": {"callIds": [gong_calls.CALL]},
        "contentSelector": {"context": "Extended", "exposedFields": {"parties": True}},
    }
    (call_data,) = asking.post(client, "/v2/calls/extensive", body).json()["calls"]

    assert answers == [200, 200, 200]
    (system,) = call_data["context"]
    assert [(one["objectType"], one["objectId"]) for one in system["objects"]] == [
        ("Account", ACCOUNT),
        ("Opportunity", DEAL),
    ]
    (lead,) = [party["context"] for party in call_data["parties"] if party["context"]]
    assert [(one["objectType"], one["objectId"]) for one in lead[0]["objects"]] == [
        ("Contact", CONTACT)
    ]


@pytest.mark.parametrize(
    ("model", "constraint"),
    [
        (CustomerAccount, "account_external_id_is_unique_in_a_company"),
        (Deal, "deal_external_id_is_unique_in_a_company"),
        (Contact, "contact_external_id_is_unique_in_a_company"),
    ],
)
def test_an_id_of_the_crm_is_one_row_s(acme, model, constraint):
    eve = CARL | {"id": "e", "email": "eve@globex.example", "crm_id": ""}
    known(acme, participants=[CARL, eve])
    conversations.ingest(acme, call("c2", account={"name": "Initech"}, deal={"name": "Robots"}))
    key = model.objects.exclude(external_id="").get().external_id

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.filter(external_id="").update(external_id=key)
