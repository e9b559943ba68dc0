"""What a use read, as an explanation shows it: scans, asks and briefs with their quotes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from credits import explained, explanations
from credits.models import Scope, UsageEvent
from tests.support import api, briefs, conversations, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import asking, entities, erasure, erasure_requests, reuse, scanning
from trackers.models import AskRequest
from trackers.periods import Period, Span
from trackers.requesters import Requester

pytestmark = pytest.mark.django_db
QUOTE = "That is too expensive for us."


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def read(acme):
    """Acme with a tracker that read a short call, a long one, and one without a word of theirs.

    Entry #1 are the credits, #2 is the charge of 1.5.
    """
    people.credits_for(acme, "10")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    start = {"started_at": now - timedelta(days=1)}
    silent = [{"id": "u0", "speaker": "r", "start": 0.0, "text": "Hello?"}]
    conversations.ingest(
        acme,
        record("short", **start),
        record("long", duration_seconds=601, **start),
        record("silent", utterances=silent, **start),
        now=now,
    )
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    return acme


@pytest.fixture
def asked(read):
    """The same, with a question about its account asked by a key: entry #3, of 2.0."""
    requester = Requester(
        company=read, action="API_REQUEST", api_key=api.key(read).key, request_id="request-1"
    )
    return asking.ask(
        requester=requester,
        question="Is it too expensive?",
        entity=entities.find(company=read, entity_type="ACCOUNT", id="Globex"),
        period=Span(Period.ALL_CONVERSATIONS),
        now=timezone.now(),
    )


def explain(company, sequence, with_words=True):
    return explanations.entry(company=company, sequence=sequence, with_words=with_words)


def test_scans_say_which_conversation_cost_what_and_why(read):
    found = explain(read, 2)

    assert found.arithmetic == (
        "1 long call × 1.0 + 1 short call × 0.5 + 1 call without text × 0.0 = 1.5"
    )
    pieces = {piece.title: piece for piece in found.sources.pieces}
    assert {title: str(piece.credits) for title, piece in pieces.items()} == {
        "Call long": "1.000",
        "Call short": "0.500",
        "Call silent": "0.000",
    }
    assert pieces["Call short"].quotes == (QUOTE,)
    assert found.sources.question == "Did the customer object to the price?"
    assert found.breaches() == []


def test_a_tracker_answers_about_each_conversation_once_and_cites_none(read):
    printed = list(explained.lines(explain(read, 2)))

    assert "Read: 3 conversations" in printed
    about = [line for line in printed if "Call silent" in line]
    assert len(about) == 1
    assert about[0].endswith("Call silent, 0.0 credits, no")
    assert not any("cited" in line for line in printed)


def test_an_ask_is_counted_anew_and_shows_what_it_cites(read, asked):
    found = explain(read, 3)

    # The silent call has words of our rep: a question reads both sides.
    assert found.arithmetic == "1 long call × 1.0 + 2 short calls × 0.5 = 2.0"
    assert found.sources.question == "Is it too expensive?"
    assert QUOTE in {quote for piece in found.sources.pieces for quote in piece.quotes}
    assert found.breaches() == []


def test_a_conversation_that_came_later_was_not_read(read, asked):
    conversations.ingest(read, record("late", started_at=timezone.now() - timedelta(days=2)))

    found = explain(read, 3)

    assert found.arithmetic == "1 long call × 1.0 + 2 short calls × 0.5 = 2.0"
    assert "Call late" not in {piece.title for piece in found.sources.pieces}


def test_what_was_read_and_charged_is_named_and_what_is_cited_told_apart(read, asked):
    found = explain(read, 3)

    cited = {piece.title for piece in found.sources.pieces if piece.is_cited}
    assert cited == {one.conversation.title for one in asked.citations.all()}
    assert {piece.title for piece in found.sources.pieces} - cited == {"Call silent"}
    assert not found.sources.pieces[-1].is_cited
    printed = list(explained.lines(found))
    assert f"Read: 3 conversations, {len(cited)} cited" in printed
    assert sum(", cited, Call " in line for line in printed) == len(cited)
    page = signed_in(people.bob(read), read).get(f"/admin/ledger/{read.slug}/3/explanation/")
    assert f"3 conversations, {len(cited)} cited" in page.content.decode()
    (answer,) = [
        one
        for one in api.of(read, Scope.LEDGER_READ)
        .get("/api/v1/ledger/3/explanation")
        .json()["sources"]["items"]
        if not one["cited"]
    ]
    assert answer["conversation_id"] == str(found.sources.pieces[-1].conversation_id)


def test_of_an_ask_of_before_what_was_read_was_kept_only_what_is_cited_is_named(read, asked):
    AskRequest.objects.update(conversation_ids=[])

    found = explain(read, 3)

    assert all(piece.is_cited for piece in found.sources.pieces)
    assert explained.read_in_words(found).endswith("cited; which others were read was not kept")
    assert found.breaches() == []


def test_a_section_of_a_brief_names_what_it_read(read):
    brief = briefs.brief(read, people.bob(read), briefs.PRICES)
    run = briefs.run(briefs.program(read), brief)
    (result,) = run.results.all()

    found = explanations.usage(company=read, usage_id=result.usage_ref, with_words=True)

    cited = {one.conversation.title for one in result.citations.all()}
    assert {piece.title for piece in found.sources.pieces} == {
        "Call short",
        "Call long",
        "Call silent",
    }
    assert {piece.title for piece in found.sources.pieces if piece.is_cited} == cited


def test_an_ask_that_found_nothing_to_read_says_so(read):
    asked = asking.ask(
        requester=Requester(company=read, action="API_REQUEST"),
        question="Is it too expensive?",
        entity=entities.find(company=read, entity_type="ACCOUNT", id="Globex"),
        period=Span(
            Period.CUSTOM_RANGE,
            timezone.now() - timedelta(days=4001),
            timezone.now() - timedelta(days=4000),
        ),
        now=timezone.now(),
    )

    found = explanations.usage(company=read, usage_id=asked.usage_ref, with_words=True)

    printed = "\n".join(explained.lines(found))
    assert "Price: 0.0: there was nothing to read." in printed
    assert "no longer known" not in printed


def test_a_reused_answer_names_the_earlier_use_and_what_it_saved(read, asked):
    reuse.switch(company=read, is_on=True, by=people.bob(read))
    again = asking.ask(
        requester=Requester(company=read, action="API_REQUEST"),
        question="Is it too expensive?",
        entity=entities.find(company=read, entity_type="ACCOUNT", id="Globex"),
        period=Span(Period.ALL_CONVERSATIONS),
        now=timezone.now(),
    )

    found = explanations.usage(company=read, usage_id=again.usage_ref, with_words=True)
    told = api.of(read, Scope.USAGE_READ).get(f"/api/v1/usage/{again.usage_ref}/explanation")

    assert (found.sources.reused.usage_id, found.sources.reused.saved) == (
        asked.usage_ref,
        Decimal(2),
    )
    printed = "\n".join(explained.lines(found))
    assert f"Price: 0.0: the answer of use {asked.usage_ref}, " in printed
    assert "was given again, which saved 2.0." in printed
    assert told.json()["sources"]["reused"]["usage_id"] == str(asked.usage_ref)
    assert told.json()["sources"]["reused"]["saved"] == "2.0"
    assert found.breaches() == []


def test_without_results_read_there_are_ids_and_no_words(read, asked):
    for sequence in (2, 3):
        wordless = explain(read, sequence, with_words=False)
        assert {piece.conversation_id for piece in wordless.sources.pieces} == {
            piece.conversation_id for piece in explain(read, sequence).sources.pieces
        }
        assert wordless.sources.question == wordless.sources.answer == ""
        assert all(
            (piece.title, piece.answer, piece.quotes) == ("", "", ())
            for piece in wordless.sources.pieces
        )


@pytest.mark.parametrize("address", ["ledger/2/explanation", "usage/{usage}/explanation"])
def test_the_api_shows_quotes_to_keys_that_may_read_results(read, address, settings):
    settings.API_REQUESTS_PER_SECOND = 1000
    event = UsageEvent.objects.get(company=read, amount__gt=0)
    url = f"/api/v1/{address.format(usage=event.pk)}"
    scope = Scope.LEDGER_READ if "ledger" in address else Scope.USAGE_READ

    with_words = api.of(read, scope, Scope.RESULTS_READ).get(url)
    without = api.of(read, scope).get(url)
    refused = api.of(read, Scope.RESULTS_READ).get(url)
    theirs = api.of(people.company("Beta"), scope).get(url)

    assert with_words.status_code == without.status_code == 200
    assert QUOTE in with_words.content.decode()
    assert QUOTE not in without.content.decode()
    told = without.json()
    assert [one["credits"] for one in told["sources"]["items"]].count("1.0") == 1
    assert told["arithmetic"].endswith("= 1.5")
    assert (told["entry"]["sequence"], told["usage"]["id"], told["adds_up"]) == (
        2,
        str(event.pk),
        True,
    )
    assert (refused.status_code, theirs.status_code) == (403, 404)


def test_the_page_shows_the_chain_and_is_linked_from_entry_and_use(read):
    alice = people.bob(read)
    client = signed_in(alice, read)
    event = UsageEvent.objects.get(company=read, amount__gt=0)
    of_entry = f"/admin/ledger/{read.slug}/2/explanation/"
    of_usage = f"/admin/credits/usageevent/{event.pk}/explanation/"

    entry_page = client.get(f"/admin/ledger/{read.slug}/2/").content.decode()
    usage_list = client.get("/admin/credits/usageevent/").content.decode()

    assert f'href="{of_entry}"' in entry_page
    assert f'href="{of_usage}"' in usage_list
    for address in (of_entry, of_usage):
        page = client.get(address)
        text = page.content.decode()
        assert page.status_code == 200
        assert "1 long call × 1.0 + 1 short call × 0.5 + 1 call without text × 0.0 = 1.5." in text
        assert f"“{QUOTE}”" in text
        assert "All figures agree." in text


def test_the_page_is_not_there_for_another_company_nor_without_signing_in(read):
    event = UsageEvent.objects.get(company=read, amount__gt=0)
    stranger = people.company("Beta")
    client = signed_in(people.alice(stranger), stranger)

    for address in (
        f"/admin/ledger/{read.slug}/2/explanation/",
        f"/admin/credits/usageevent/{event.pk}/explanation/",
    ):
        assert client.get(address).status_code == 404
        assert Client().get(address).status_code == 302


def test_an_erased_conversation_leaves_the_figures_and_no_words(read):
    for name in ("short", "long"):
        erasure.erase(
            request=erasure_requests.by_external_id(company=read, external_id=name),
            by=None,
            reason="Asked for by letter",
            now=timezone.now(),
        )

    found = explain(read, 2)

    assert [str(piece.credits) for piece in found.sources.pieces].count("0.500") == 1
    assert found.arithmetic.endswith("= 1.5")
    assert found.breaches() == []
    assert {piece.quotes for piece in found.sources.pieces} == {()}
