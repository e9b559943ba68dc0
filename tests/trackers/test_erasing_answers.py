"""Questions and answers go with what they cite, are about, or name (SPEC §10)."""

from __future__ import annotations

import pytest
from django.utils import timezone

from credits import reconciliation
from credits.models import UsageEvent
from tests.support import asks, conversations, people
from trackers import entities, erasure, erasure_requests, reuse
from trackers.models import AskCitation, AskRequest, Contact

pytestmark = pytest.mark.django_db
EXPENSIVE = "Is it too expensive for them?"


@pytest.fixture
def acme():
    company = people.company()
    asks.globex(company)
    people.credits_for(company, "20")
    return company


def erase(request) -> erasure_requests.Counts:
    return erasure.erase(request=request, by=None, reason="They asked.", now=timezone.now())


def erase_call(company, external_id: str) -> erasure_requests.Counts:
    return erase(erasure_requests.by_external_id(company=company, external_id=external_id))


def words_of(row) -> tuple[str, str, str, bytes]:
    row.refresh_from_db()
    return row.question, row.answer, row.analyzer, bytes(row.reuse_digest)


def test_an_answer_goes_with_a_conversation_it_cites_and_its_price_stays(acme):
    row = asks.ask(acme, EXPENSIVE)
    usage = UsageEvent.objects.get()

    counts = erase_call(acme, "short")

    assert counts.answers == 1
    assert words_of(row) == ("", "", "", b"")
    assert not AskCitation.objects.filter(ask=row).exists()
    assert (row.credits, row.calls, row.usage_ref) == (usage.amount, 2, usage.pk)
    assert row.erased_at is not None
    assert reconciliation.check() == []


def test_an_answer_that_cites_something_else_stays(acme):
    row = asks.ask(acme, "Who decides in May?", period=asks.ALL)
    cited = set(
        AskCitation.objects.filter(ask=row).values_list("conversation__external_id", flat=True)
    )
    AskCitation.objects.filter(ask=row).exclude(conversation__external_id="long").delete()

    counts = erase_call(acme, "short")

    assert "long" in cited
    assert counts.answers == 0
    assert words_of(row)[0] == "Who decides in May?"


def test_an_answer_given_again_goes_with_the_first(acme):
    reuse.switch(company=acme, is_on=True, by=people.alice(acme))
    first = asks.ask(acme, EXPENSIVE)
    again = asks.ask(acme, EXPENSIVE)

    counts = erase_call(acme, "short")

    assert counts.answers == 2
    assert words_of(first)[:2] == words_of(again)[:2] == ("", "")


def test_an_erased_answer_is_not_reused(acme):
    reuse.switch(company=acme, is_on=True, by=people.alice(acme))
    asks.ask(acme, EXPENSIVE)
    erase_call(acme, "short")

    row = asks.ask(acme, EXPENSIVE)

    assert row.reused_from is None


def test_a_contact_is_unknown_when_their_last_conversation_is_erased(acme):
    contact = Contact.objects.get()
    person = entities.find(company=acme, entity_type="CONTACT", id=contact.email)
    row = asks.ask(acme, "Zyzzyva?", entity=person)

    for name in ("short", "long"):
        erase_call(acme, name)
    before = Contact.objects.get().email
    counts = erase_call(acme, "mail")

    contact.refresh_from_db()
    assert before == "carl@globex.example"
    assert counts.contacts == 1
    assert contact.email == f"removed-{contact.pk.hex}@removed.invalid"
    assert contact.name.startswith("Removed person #")
    assert words_of(row)[:2] == ("", "")
    with pytest.raises(entities.UnknownEntity):
        entities.find(company=acme, entity_type="CONTACT", id=str(contact.pk))


def test_an_address_takes_what_names_it_and_leaves_the_rest(acme):
    conversations.ingest(
        acme,
        asks.call(
            "other",
            account={"name": "Initech"},
            deal=None,
            participants=[
                {"id": "c", "name": "Ida", "email": "ida@initech.example", "role": "external"}
            ],
            utterances=asks.said("We like it."),
        ),
    )
    initech = asks.account(acme, "Initech")
    naming = asks.ask(acme, "Did carl@globex.example write to them?", entity=initech)
    kept = asks.ask(acme, "Do they like it?", entity=initech)

    request = erasure_requests.by_email(company=acme, email="carl@globex.example")
    counts = erase(request)

    assert (counts.calls, counts.emails, counts.contacts, counts.answers) == (2, 1, 1, 1)
    assert words_of(naming)[0] == ""
    assert words_of(kept)[0] == "Do they like it?"
    assert AskRequest.objects.filter(erased_at=None).count() == 1


def test_a_contact_who_comes_again_is_a_new_one(acme):
    erase(erasure_requests.by_email(company=acme, email="carl@globex.example"))

    conversations.ingest(acme, asks.call("again", days=9))

    assert Contact.objects.filter(email="carl@globex.example", removed_at=None).count() == 1
    assert Contact.objects.count() == 2
