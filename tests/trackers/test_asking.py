"""Asking: its price, its answer, what it leaves behind when it fails (SPEC §3, §5)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from credits import balances, reconciliation
from credits.idempotency import AnswerExpired
from credits.ledger import IdempotencyConflict, InsufficientCredits, Key
from credits.models import LedgerEntry, Reservation, UsageEvent
from tests.support import asks, conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.asks import QUESTION, call, email
from trackers import analyzers, asking, reuse
from trackers.charged_requests import AboveMaximum
from trackers.models import AskCitation, AskRequest, Conversation, Utterance

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    asks.globex(company)
    people.credits_for(company, "10")
    return company


class Broken:
    """An analyzer that fails."""

    name, version, generative = "broken", "1", True

    def ask(self, question, conversations):
        assert not connection.in_atomic_block or connection.savepoint_ids == []
        raise RuntimeError("The model does not answer.")


def used(company) -> Decimal:
    return Decimal(10) - balances.now(company=company).available


def test_an_ask_costs_what_its_calls_and_emails_cost(acme):
    row = asks.ask(acme)

    assert (row.calls, row.emails, row.credits) == (2, 1, Decimal("1.600"))
    assert row.remaining == Decimal("8.400")
    event = UsageEvent.objects.get(pk=row.usage_ref)
    assert (event.feature_type, event.feature_name) == ("ASK", "Ask about an account")
    assert (event.action, event.amount, event.request_count) == (
        "API_REQUEST",
        Decimal("1.600"),
        1,
    )
    assert (event.calls, event.emails) == (2, 1)
    assert used(acme) == Decimal("1.600")
    assert reconciliation.check() == []


def test_the_entry_of_an_ask_names_the_person_its_key_acts_for(acme):
    alice = people.alice(acme)

    row = asks.ask(acme, requester=asks.by_api(acme, user=alice))

    event = UsageEvent.objects.get(pk=row.usage_ref)
    assert LedgerEntry.objects.get(pk=event.entry_id).actor_ref == alice.public_id


def test_an_estimate_is_what_an_ask_then_costs(acme):
    estimate = asking.estimate(
        requester=asks.by_api(acme),
        entity=asks.account(acme),
        period=asks.ALL,
        now=timezone.now(),
        question=QUESTION,
    )

    row = asks.ask(acme)

    assert estimate.credits == row.credits == Decimal("1.600")
    assert (estimate.calls, estimate.emails, estimate.web_searches) == (2, 1, 0)
    assert estimate.available_before == Decimal("10.000")
    assert estimate.available_after == row.remaining


def test_an_estimate_changes_nothing(acme):
    asking.estimate(
        requester=asks.by_api(acme),
        entity=asks.account(acme),
        period=asks.ALL,
        now=timezone.now(),
        question=QUESTION,
    )

    assert used(acme) == 0
    assert not UsageEvent.objects.exists()
    assert not AskRequest.objects.exists()


def test_the_answer_cites_the_turns_that_resemble_the_question(acme):
    row = asks.ask(acme, "Is it too expensive for them?")

    best = AskCitation.objects.filter(ask=row).order_by("rank").first()
    assert best.conversation.external_id == "short"
    assert best.utterance.external_id == "u0"
    assert best.quote == "That is too expensive for us."
    assert row.is_found
    assert "does not write answers" in row.answer
    assert "“That is too expensive for us.”" in row.answer


def test_an_ask_that_finds_nothing_is_charged_all_the_same(acme):
    row = asks.ask(acme, "Zyzzyva quux?")

    assert not row.is_found
    assert row.answer.startswith("The built-in analyser found no passage")
    assert not AskCitation.objects.exists()
    assert used(acme) == Decimal("1.600")


def test_an_ask_that_matches_nothing_costs_nothing(acme):
    row = asks.ask(acme, period=asks.Span(asks.Period.LAST_7DAYS), now=timezone.now())

    assert (row.calls, row.emails, row.credits) == (0, 0, Decimal(0))
    assert row.answer == "There is no call or e-mail to read in this period."
    event = UsageEvent.objects.get(pk=row.usage_ref)
    assert (event.amount, event.entry_id) == (Decimal(0), None)


def test_an_ask_at_the_page_is_free_and_metered_at_zero_credits():
    acme = people.company()
    asks.globex(acme)
    alice = people.alice(acme)

    row = asks.ask(acme, requester=asks.at_the_page(acme, alice))

    event = UsageEvent.objects.get(pk=row.usage_ref)
    assert (event.action, event.amount, event.request_count) == ("MANUAL", Decimal(0), None)
    assert (event.calls, event.emails, event.user_ref) == (2, 1, alice.public_id)
    assert row.is_found
    assert not LedgerEntry.objects.filter(company=acme).exists()


def test_it_is_refused_where_it_cannot_be_paid(acme):
    asks.ask(acme)
    for _ in range(5):
        asks.ask(acme)

    with pytest.raises(InsufficientCredits, match=r"needs 1.6 credits and 0.4 are available"):
        asks.ask(acme)

    assert AskRequest.objects.count() == 6
    assert not Reservation.objects.filter(state="OPEN").exists()


def test_above_the_maximum_nothing_is_done(acme):
    with pytest.raises(AboveMaximum, match=r"This needs 1.6 credits and max_credits is 1.599"):
        asks.ask(acme, max_credits=Decimal("1.599"))

    assert not Reservation.objects.exists()
    assert asks.ask(acme, max_credits=Decimal("1.600")).credits == Decimal("1.600")


def test_what_fails_costs_nothing_and_holds_nothing(acme, monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", Broken)

    with pytest.raises(RuntimeError, match="does not answer"):
        asks.ask(acme, key=Key.of("k", body=1))

    assert balances.now(company=acme).available == Decimal("10.000")
    assert [one.state for one in Reservation.objects.all()] == ["RELEASED"]
    assert not AskRequest.objects.exists()


def test_after_a_failure_the_same_key_asks_again(acme, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(analyzers, "in_use", Broken)
        with pytest.raises(RuntimeError):
            asks.ask(acme, key=Key.of("k", body=1))

    row = asks.ask(acme, key=Key.of("k", body=1))

    assert not row.is_replay
    assert used(acme) == Decimal("1.600")


def test_the_same_key_gives_the_first_answer_and_is_charged_once(acme):
    first = asks.ask(acme, key=Key.of("k", body=1))
    asks.ask(acme)

    again = asks.ask(acme, key=Key.of("k", body=1))

    assert again.pk == first.pk
    assert again.is_replay
    assert again.remaining == first.remaining == Decimal("8.400")
    assert used(acme) == Decimal("3.200")


def test_the_same_key_for_another_request_is_refused(acme):
    asks.ask(acme, key=Key.of("k", body=1))

    with pytest.raises(IdempotencyConflict):
        asks.ask(acme, key=Key.of("k", body=2))

    assert used(acme) == Decimal("1.600")


def test_without_a_key_the_same_question_is_charged_again(acme):
    asks.ask(acme)

    asks.ask(acme)

    assert used(acme) == Decimal("3.200")


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(acme, question):
    with pytest.raises(asking.EmptyQuestion, match="Write the question to ask"):
        asks.ask(acme, question)


def test_a_question_has_at_most_2000_characters(acme):
    with pytest.raises(asking.LongQuestion, match="at most 2,000 characters"):
        asks.ask(acme, "x" * 2001)

    assert asks.ask(acme, "x" * 2000).question == "x" * 2000


def test_what_is_erased_while_it_is_read_is_asked_again_without(acme, monkeypatch):
    asked = []
    offline = analyzers.in_use()

    class Erasing:
        name, version, generative = offline.name, offline.version, False

        def ask(self, question, texts):
            answer = offline.ask(question, texts)
            asked.append(len(texts))
            if len(asked) == 1:
                gone = Conversation.objects.get(external_id="short")
                AskCitation.objects.filter(conversation=gone).delete()
                Utterance.objects.filter(conversation=gone).delete()
                Conversation.objects.filter(pk=gone.pk).update(account=None, deal=None)
            return answer

    monkeypatch.setattr(analyzers, "in_use", Erasing)

    row = asks.ask(acme, "Is it too expensive for them?")

    assert asked == [3, 2]
    assert row.credits == Decimal("1.100")
    assert used(acme) == Decimal("1.100")
    assert [one.state for one in Reservation.objects.order_by("opened_at")] == [
        "RELEASED",
        "CAPTURED",
    ]


class TestReuse:
    @pytest.fixture(autouse=True)
    def on(self, acme):
        reuse.switch(company=acme, is_on=True, by=people.alice(acme))

    def test_is_off_unless_somebody_switched_it_on(self):
        assert not reuse.is_on(people.company("Initech"))

    def test_the_same_question_gets_its_answer_again_for_nothing(self, acme):
        first = asks.ask(acme)

        again = asks.ask(acme, "  what did they say about the PRICE? ")

        assert again.pk != first.pk
        assert (again.action, again.credits, again.saved) == (
            "REUSED",
            Decimal(0),
            Decimal("1.600"),
        )
        assert (again.reused_from_id, again.answer) == (first.pk, first.answer)
        assert [one.quote for one in again.citations.order_by("rank")] == [
            one.quote for one in first.citations.order_by("rank")
        ]
        event = UsageEvent.objects.get(pk=again.usage_ref)
        assert (event.action, event.amount, event.calls) == ("REUSED", Decimal(0), 2)
        assert used(acme) == Decimal("1.600")
        assert reuse.saved(company=acme) == Decimal("1.600")

    def test_an_estimate_says_that_it_would_be_reused(self, acme):
        first = asks.ask(acme)

        estimate = asking.estimate(
            requester=asks.by_api(acme),
            entity=asks.account(acme),
            period=asks.ALL,
            now=timezone.now(),
            question=QUESTION,
        )

        assert (estimate.credits, estimate.reused_at) == (Decimal(0), first.asked_at)

    def test_another_question_is_charged(self, acme):
        asks.ask(acme)

        assert asks.ask(acme, "What about delivery?").credits == Decimal("1.600")

    def test_another_selection_is_charged(self, acme):
        asks.ask(acme)
        conversations.ingest(acme, email("more", days=9))

        assert asks.ask(acme).credits == Decimal("1.700")

    def test_a_changed_text_is_charged(self, acme):
        asks.ask(acme)
        conversations.ingest(acme, call("short", "Now it is cheap."))

        assert asks.ask(acme).credits == Decimal("1.600")

    def test_another_period_is_charged(self, acme):
        asks.ask(acme)
        year = asks.Span(asks.Period.LAST_YEAR_SINCE_LAST_ACTIVITY)

        assert asks.ask(acme, period=year).credits == Decimal("1.600")

    def test_another_context_is_charged_though_it_reads_the_same(self, acme):
        asks.ask(acme)
        narrow = asks.by_api(acme, conversations=asks.Q(kind__in=["CALL", "EMAIL"]))

        assert asks.ask(acme, requester=narrow).credits == Decimal("1.600")

    def test_a_free_answer_is_not_given_to_programs(self, acme):
        asks.ask(acme, requester=asks.at_the_page(acme, people.bob(acme)))

        assert asks.ask(acme).credits == Decimal("1.600")

    def test_what_another_analyser_answered_is_charged(self, acme, monkeypatch):
        asks.ask(acme)
        monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)

        anew = asks.ask(acme)

        assert (anew.credits, anew.answer) == (Decimal("1.600"), "It was said.")

    def test_an_erased_answer_is_asked_anew(self, acme):
        first = asks.ask(acme)
        AskCitation.objects.all().delete()
        AskRequest.objects.filter(pk=first.pk).update(
            question="", answer="", erased_at=first.asked_at
        )

        anew = asks.ask(acme)

        assert (anew.credits, anew.reused_from, anew.is_found) == (Decimal("1.600"), None, True)

    def test_another_company_never_gets_it(self, acme):
        other = people.company("Other")
        asks.globex(other)
        people.credits_for(other, "10")
        reuse.switch(company=other, is_on=True, by=people.alice(other))
        asks.ask(acme)

        assert asks.ask(other).credits == Decimal("1.600")

    def test_switched_off_it_is_charged_again(self, acme):
        asks.ask(acme)
        reuse.switch(company=acme, is_on=False, by=people.bob(acme))

        assert asks.ask(acme).credits == Decimal("1.600")

    def test_a_key_gives_the_reused_answer_again(self, acme):
        asks.ask(acme)
        first = asks.ask(acme, key=Key.of("k", body=1))

        again = asks.ask(acme, key=Key.of("k", body=1))

        assert (again.pk, again.is_replay, again.action) == (first.pk, True, "REUSED")


def test_an_erased_answer_is_not_given_again_by_its_key(acme):
    row = asks.ask(acme, key=Key.of("k", body=1))
    AskCitation.objects.all().delete()
    AskRequest.objects.filter(pk=row.pk).update(question="", answer="", erased_at=timezone.now())

    with pytest.raises(AnswerExpired) as refused:
        asks.ask(acme, key=Key.of("k", body=1))

    assert refused.value.result_ref == row.pk
    assert used(acme) == Decimal("1.600")
