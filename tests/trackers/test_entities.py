"""What can be asked about, and which calls and e-mails that selects."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Q
from django.utils import timezone

from credits import rating
from tests.support import asks, conversations, people
from tests.support.asks import ALL, STARTED_AT, call, email
from trackers import entities
from trackers.entities import AmbiguousName, UnknownEntity
from trackers.models import Conversation, CustomerAccount, Deal, EntityType
from trackers.periods import Period, Span

pytestmark = pytest.mark.django_db


def selected(company, *, entity=None, period=ALL, **changes) -> entities.Selection:
    return entities.selection(
        entity=entity or asks.account(company),
        period=period,
        requester=asks.by_api(company, **changes),
        now=timezone.now(),
    )


def names(ids) -> list[str]:
    found = dict(Conversation.objects.filter(pk__in=ids).values_list("pk", "external_id"))
    return [found[pk] for pk in ids]


def test_calls_and_emails_come_newest_first(acme):
    conversations.ingest(
        acme,
        call("old", days=1),
        call("new", days=3),
        email("mail", days=2),
        call("other", account={"name": "Initech"}, deal=None),
    )

    found = selected(acme)

    assert names(found.calls) == ["new", "old"]
    assert names(found.emails) == ["mail"]


def test_at_most_60_calls_and_500_emails_are_selected_the_newest(acme):
    conversations.ingest(
        acme,
        *(call(f"c{n}", days=n) for n in range(61)),
        *(email(f"m{n}", days=n) for n in range(501)),
        now=STARTED_AT + timedelta(days=600),
    )

    found = selected(acme)

    assert (len(found.calls), len(found.emails)) == (60, 500)
    assert "c0" not in names(found.calls)
    assert "m0" not in names(found.emails)
    assert rating.price(found.work, people.rates()) == Decimal("80.000")


def test_what_has_no_word_is_selected_and_costs_nothing(acme):
    conversations.ingest(acme, call("silent", "…", "–"), call("spoken", days=1), email("m", "?!"))

    found = selected(acme)

    assert (len(found.calls), len(found.emails)) == (2, 1)
    assert rating.price(found.work, people.rates()) == Decimal("0.500")


def test_a_period_is_half_open(acme):
    conversations.ingest(acme, call("first"), call("inside", days=1), call("end", days=2))
    span = Span(Period.CUSTOM_RANGE, STARTED_AT, STARTED_AT + timedelta(days=2))

    found = selected(acme, period=span)

    assert names(found.calls) == ["inside", "first"]


def test_what_the_requester_may_not_read_is_not_selected(acme):
    conversations.ingest(acme, call("mine"), call("theirs", days=1))

    found = selected(acme, conversations=Q(external_id="mine"))

    assert names(found.calls) == ["mine"]


def test_the_last_activity_is_the_newest_that_the_requester_may_read(acme):
    conversations.ingest(acme, call("mine"), call("theirs", days=40))
    span = Span(Period.LAST_90_DAYS_SINCE_LAST_ACTIVITY)

    found = selected(acme, period=span, conversations=Q(external_id="mine"))

    assert names(found.calls) == ["mine"]
    assert found.until == STARTED_AT + timedelta(microseconds=1)


def test_an_erased_conversation_is_not_selected(acme):
    conversations.ingest(acme, call("kept"), call("gone", days=1))
    Conversation.objects.filter(external_id="gone").update(
        external_id="erased:1",
        title="",
        owner=None,
        deal=None,
        account=None,
        company_text_count=0,
        non_company_text_count=0,
        erased_at=timezone.now(),
    )

    assert names(selected(acme).calls) == ["kept"]


def test_the_digest_follows_conversations_and_their_texts(acme):
    conversations.ingest(acme, call("c1", "One."))
    before = selected(acme).digest
    same = selected(acme).digest

    conversations.ingest(acme, call("c1", "Another."))
    changed = selected(acme).digest
    conversations.ingest(acme, call("c2", "One more.", days=1))
    more = selected(acme).digest

    assert before == same
    assert len({before, changed, more}) == 3


@pytest.mark.parametrize(
    ("entity_type", "name"),
    [
        ("ACCOUNT", "globex"),
        ("DEAL", "Globex robots"),
        ("CONTACT", "CARL@globex.example"),
    ],
)
def test_an_entity_is_found_by_name_or_address_and_by_our_id(acme, entity_type, name):
    conversations.ingest(acme, call("c1"))
    kind = EntityType(entity_type)

    by_name = entities.find(company=acme, entity_type=kind, id=name)
    by_id = entities.find(company=acme, entity_type=kind, id=str(by_name.id))

    assert by_id == by_name
    assert names(selected(acme, entity=by_name).calls) == ["c1"]
    assert entities.find(company=acme, entity_type=kind, id=entities.address_of(by_id)) == by_id


def test_a_lead_has_no_account(acme):
    conversations.ingest(acme, call("c1"), call("c2", days=1, account=None, deal=None, **LEA))

    lead = entities.find(company=acme, entity_type=EntityType.LEAD, id="lea@initech.example")

    assert names(selected(acme, entity=lead).calls) == ["c2"]
    with pytest.raises(UnknownEntity, match="There is no such lead in your company"):
        entities.find(company=acme, entity_type=EntityType.LEAD, id="carl@globex.example")


def test_a_deal_of_two_accounts_is_named_by_its_id(acme):
    conversations.ingest(acme, call("c1"), call("c2", days=1, account={"name": "Initech"}))
    ids = dict(Deal.objects.values_list("account__name", "pk"))

    with pytest.raises(AmbiguousName) as refused:
        entities.find(company=acme, entity_type=EntityType.DEAL, id="globex robots")

    said = str(refused.value)
    assert said.startswith("Several deals are named “globex robots”: ")
    assert f"{ids['Globex']} (of Globex)" in said
    assert f"{ids['Initech']} (of Initech)" in said
    how = "Name one by its id, or as “globex robots (of …)” by its account."
    assert said.endswith(f". {how}")
    for account, pk in ids.items():
        named = f"Globex robots (of {account})"
        found = entities.find(company=acme, entity_type=EntityType.DEAL, id=named)
        assert found.id == pk
    with pytest.raises(UnknownEntity):
        entities.find(company=acme, entity_type=EntityType.DEAL, id="Globex robots (of Umbra)")


def test_a_deal_may_have_brackets_in_its_name(acme):
    deal = {"name": "Renewal (of Globex)", "stage": ""}
    conversations.ingest(acme, call("c1", deal=deal, account={"name": "Umbra"}))

    found = entities.find(company=acme, entity_type=EntityType.DEAL, id="renewal (of globex)")

    assert found.name == "Renewal (of Globex)"


def test_of_many_deals_that_share_a_name_five_are_named(acme):
    conversations.ingest(acme, *(call(f"c{n}", account={"name": f"A{n}"}) for n in range(7)))

    with pytest.raises(AmbiguousName, match=r"and 2 more\. Name one by its id"):
        entities.find(company=acme, entity_type=EntityType.DEAL, id="Globex robots")


def test_of_names_that_differ_in_capitals_the_exact_one_is_meant(acme):
    for n, name in enumerate(("GLOBEX", "Globex", "globex")):
        conversations.ingest(acme, call(f"c{n}", account={"name": name}))

    found = entities.find(company=acme, entity_type=EntityType.ACCOUNT, id="Globex")

    assert found.name == "Globex"
    with pytest.raises(AmbiguousName, match="“GLOBEX”"):
        entities.find(company=acme, entity_type=EntityType.ACCOUNT, id="gloBex")


def test_another_companys_account_is_unknown(acme):
    other = people.company("Other")
    conversations.ingest(other, call("c1"))
    theirs = CustomerAccount.objects.get(company=other)

    for name in ("Globex", str(theirs.pk)):
        with pytest.raises(UnknownEntity, match="There is no such account in your company"):
            entities.find(company=acme, entity_type=EntityType.ACCOUNT, id=name)


def test_entities_are_searched_by_a_part_of_the_name(acme):
    conversations.ingest(acme, call("c1"), call("c2", days=1, account={"name": "Initech"}))

    found = entities.search(company=acme, entity_type=EntityType.ACCOUNT, text="lob")

    assert [one.name for one in found] == ["Globex"]


LEA = {
    "participants": [
        {"id": "c", "name": "Lea", "email": "lea@initech.example", "role": "external"}
    ],
    "utterances": [{"id": "u0", "speaker": "c", "start": 0.0, "text": "Hello."}],
}
