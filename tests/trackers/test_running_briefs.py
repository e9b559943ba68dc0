"""A run holds its price first; each section is its own charge, and a failed one is free."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.ledger import IdempotencyConflict, InsufficientCredits, Key
from credits.models import IdempotencyRecord, Reservation, UsageEvent
from tests.support import briefs as support
from tests.support import conversations, people
from tests.support.briefs import NEWS, PRICES, RISKS, ScriptedSearch
from trackers import analyzers, running_briefs, scanning, web_search
from trackers.charged_requests import AboveMaximum
from trackers.models import BriefResult, BriefRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def calls(acme):
    """Two short calls and a long one of Globex: 0.5, 0.5 and 1 credit to read."""
    conversations.ingest(
        acme,
        conversations.record("one"),
        conversations.record("two"),
        conversations.record("three", duration_seconds=601),
    )
    people.credits_for(acme, "20")


@pytest.fixture
def search(monkeypatch, settings):
    """A provider of web searches that a test can tell what to find."""
    provider = ScriptedSearch()
    settings.WEB_SEARCH = "tests.support.briefs.ScriptedSearch"
    monkeypatch.setattr(web_search, "in_use", lambda: provider)
    return provider


def events():
    return list(UsageEvent.objects.order_by("occurred_at", "after_sequence", "pk"))


def available(company):
    return balances.now(company=company).available


def fail_on(monkeypatch, question):
    """Let the analyzer fail on one question, as often as it is asked."""
    reader = running_briefs.section_work.brief_contents.reader

    def broken(*given):
        read = reader(*given)

        def ask(asked):
            if asked == question:
                raise RuntimeError("no answer")
            return read(asked)

        return ask

    monkeypatch.setattr(running_briefs.section_work.brief_contents, "reader", broken)


@pytest.mark.usefixtures("calls")
def test_each_open_ended_section_is_its_own_capture(acme, alice):
    brief = support.brief(acme, alice, RISKS, PRICES)

    run = support.run(support.program(acme), brief)

    # One request, which reports and usage count once.
    assert [(one.amount, one.calls, one.emails, one.request_count) for one in events()] == [
        (Decimal("2.000"), 3, 0, 1),
        (Decimal("2.000"), 3, 0, None),
    ]
    assert {one.feature_type for one in events()} == {"BRIEF"}
    assert {one.feature_name for one in events()} == {"Account review"}
    assert [one.usage_ref for one in run.results.order_by("position")] == [
        one.pk for one in events()
    ]
    assert Reservation.objects.filter(state="CAPTURED").count() == 2
    assert (run.credits, run.remaining) == (Decimal(4), Decimal(16))
    assert reconciliation.check(company_id=acme.pk) == []


@pytest.mark.usefixtures("calls")
def test_an_estimate_is_what_the_run_charges_and_does_nothing(acme, alice):
    brief = support.brief(acme, alice, RISKS, PRICES)

    estimate = support.estimate(support.program(acme), brief)

    assert (estimate.credits, estimate.calls, estimate.emails) == (Decimal(4), 6, 0)
    assert (estimate.available_before, estimate.available_after) == (Decimal(20), Decimal(16))
    assert not BriefRun.objects.exists()
    assert not Reservation.objects.exists()
    assert support.run(support.program(acme), brief).credits == estimate.credits


@pytest.mark.usefixtures("calls")
def test_a_section_that_fails_costs_nothing_and_says_why(acme, alice, monkeypatch):
    brief = support.brief(acme, alice, RISKS, PRICES)
    fail_on(monkeypatch, RISKS.question)

    run = support.run(support.program(acme), brief)

    failed, done = run.results.order_by("position")
    assert (failed.state, failed.credits, failed.usage_ref) == ("FAILED", Decimal(0), None)
    assert failed.reason == (
        "The analyser could not answer this. Nothing was charged for it; run the brief again."
    )
    assert (done.state, done.credits) == ("DONE", Decimal(2))
    assert (run.credits, run.estimate) == (Decimal(2), Decimal(4))
    assert available(acme) == Decimal(18)
    assert {one.state for one in Reservation.objects.all()} == {"CAPTURED", "RELEASED"}


@pytest.mark.usefixtures("calls")
def test_nothing_is_done_for_less_than_the_whole_price(acme, alice, monkeypatch):
    """Three sections need 6 credits; 5 would pay two of them."""
    brief = support.brief(acme, alice, RISKS, PRICES, RISKS)
    people.credits_for(poor := people.company("Poor"), "5")
    conversations.ingest(poor, *(conversations.record(f"{n}") for n in range(4)))
    other = support.brief(poor, people.alice(poor), RISKS, PRICES, RISKS)
    fail_on(monkeypatch, "never asked")

    with pytest.raises(InsufficientCredits) as refusal:
        support.run(support.program(poor), other)

    assert (refusal.value.required, refusal.value.available) == (Decimal(6), Decimal(5))
    assert not BriefRun.objects.exists()
    assert not Reservation.objects.exists()
    assert available(poor) == Decimal(5)
    assert support.run(support.program(acme), brief).credits == Decimal(6)


@pytest.mark.usefixtures("calls")
def test_max_credits_refuses_before_any_work(acme, alice):
    brief = support.brief(acme, alice, RISKS, PRICES)

    with pytest.raises(AboveMaximum) as refusal:
        support.run(support.program(acme), brief, max_credits=Decimal("3.9"))

    assert (refusal.value.required, refusal.value.maximum) == (Decimal(4), Decimal("3.9"))
    assert not BriefRun.objects.exists()
    assert support.run(support.program(acme), brief, max_credits=Decimal(4)).credits == Decimal(4)


@pytest.mark.usefixtures("calls")
def test_a_run_by_hand_is_free_and_a_use_of_0(acme, alice):
    brief = support.brief(acme, alice, RISKS, published=False)

    run = support.run(support.by_hand(alice, acme), brief)

    (event,) = events()
    assert (event.action, event.amount, event.calls) == ("MANUAL", Decimal(0), 3)
    assert (event.request_count, event.user_ref) == (None, alice.public_id)
    assert (run.credits, run.estimate) == (Decimal(0), Decimal(0))
    assert available(acme) == Decimal(20)


@pytest.mark.usefixtures("calls")
def test_a_section_of_a_tracker_shows_its_results_for_nothing(acme, alice):
    tracker = conversations.published(acme, alice, now=timezone.now() - people.days(60))
    conversations.ingest(
        acme, conversations.record("new", started_at=timezone.now() - people.days(1))
    )
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    before = available(acme)
    brief = support.brief(acme, alice, support.of_tracker(tracker))

    run = support.run(support.program(acme), brief)

    (result,) = run.results.all()
    assert result.text == [
        "“Pricing objection” was found in 1 of the 1 calls and e-mails that it read; unsure in 0."
    ]
    assert [one.quote for one in result.citations.order_by("rank")] == [
        "That is too expensive for us."
    ]
    assert (result.state, result.credits, result.usage_ref) == ("DONE", Decimal(0), None)
    assert available(acme) == before
    (event,) = UsageEvent.objects.filter(feature_type="BRIEF")
    assert (event.pk, event.amount, event.calls) == (run.usage_ref, Decimal(0), 0)


@pytest.mark.usefixtures("calls")
def test_without_a_provider_a_web_section_says_so_and_costs_nothing(acme, alice):
    brief = support.brief(acme, alice, NEWS, RISKS)

    run = support.run(support.program(acme), brief)

    missing, _ = run.results.order_by("position")
    assert (missing.state, missing.credits) == ("SKIPPED", Decimal(0))
    assert missing.reason == (
        "No web search is set up on this site, so nothing was searched and nothing was charged."
    )
    assert run.credits == Decimal(2)


@pytest.mark.usefixtures("calls")
def test_a_web_search_that_succeeds_costs_5_credits(acme, alice, search):
    brief = support.brief(acme, alice, NEWS)

    run = support.run(support.program(acme), brief)

    (result,) = run.results.all()
    (event,) = events()
    assert search.asked == ["Globex news"]
    assert [(one.title, one.url) for one in result.pages.all()] == [
        ("Globex opens a plant", "https://news.example/globex")
    ]
    assert (event.amount, event.web_searches, event.calls) == (Decimal(5), 1, 0)
    assert (run.credits, available(acme)) == (Decimal(5), Decimal(15))


@pytest.mark.usefixtures("calls")
def test_a_web_search_that_fails_costs_nothing(acme, alice, search):
    search.failure = "The web search failed: search.example.com answered 503."
    brief = support.brief(acme, alice, NEWS)

    run = support.run(support.program(acme), brief)

    (result,) = run.results.all()
    assert (result.state, run.credits, available(acme)) == ("FAILED", Decimal(0), Decimal(20))
    assert result.reason == (
        "The web search failed: search.example.com answered 503. Nothing was charged for it."
    )


@pytest.mark.usefixtures("calls")
def test_the_same_key_gives_the_first_run_and_charges_once(acme, alice):
    brief = support.brief(acme, alice)
    key = Key.of("retry-1", brief=str(brief.pk))

    first = support.run(support.program(acme), brief, key=key)
    again = support.run(support.program(acme), brief, key=key)

    assert (again.pk, first.is_replay, again.is_replay) == (first.pk, False, True)
    assert len(events()) == 1
    assert available(acme) == Decimal(18)
    with pytest.raises(IdempotencyConflict):
        support.run(support.program(acme), brief, key=Key.of("retry-1", brief="other"))


@pytest.mark.usefixtures("calls")
def test_a_refused_run_leaves_its_key_unused(acme, alice):
    brief = support.brief(acme, alice)
    key = Key.of("retry-1")

    with pytest.raises(AboveMaximum):
        support.run(support.program(acme), brief, key=key, max_credits=Decimal(1))

    assert not IdempotencyRecord.objects.filter(key="retry-1").exists()
    assert support.run(support.program(acme), brief, key=key).credits == Decimal(2)


class Killed(BaseException):
    """What ends a process in the middle."""


@pytest.mark.usefixtures("calls")
def test_after_a_process_died_the_key_gives_what_was_done_and_charges_no_more(
    acme, alice, monkeypatch
):
    brief = support.brief(acme, alice, RISKS, PRICES)
    key = Key.of("retry-1")
    reader = running_briefs.section_work.brief_contents.reader

    def dying(*given):
        read = reader(*given)

        def ask(question):
            if question == PRICES.question:
                raise Killed
            return read(question)

        return ask

    monkeypatch.setattr(running_briefs.section_work.brief_contents, "reader", dying)
    # A process that is killed releases nothing.
    monkeypatch.setattr(running_briefs.section_work, "_release", lambda run: None)
    with pytest.raises(Killed):
        support.run(support.program(acme), brief, key=key)
    monkeypatch.undo()
    assert available(acme) == Decimal(16)

    again = support.run(support.program(acme), brief, key=key)

    done, lost = again.results.order_by("position")
    assert (done.state, done.credits) == ("DONE", Decimal(2))
    assert (lost.state, lost.reason) == (
        "FAILED",
        "The run was interrupted before this was done. Nothing was charged for it.",
    )
    assert (again.is_replay, again.is_finished, again.credits) == (True, True, Decimal(2))
    assert available(acme) == Decimal(18)


@pytest.mark.usefixtures("calls")
def test_an_unexpected_end_gives_back_what_was_held(acme, alice, monkeypatch):
    brief = support.brief(acme, alice, RISKS)

    def dying(*given):
        raise Killed

    monkeypatch.setattr(running_briefs.section_work.brief_contents, "reader", dying)
    with pytest.raises(Killed):
        support.run(support.program(acme), brief)

    assert available(acme) == Decimal(20)
    assert Reservation.objects.get().state == "RELEASED"


def test_a_run_about_nothing_costs_nothing(acme, alice):
    conversations.ingest(acme, conversations.record("one"))
    brief = support.brief(acme, alice)
    period = support.Span(support.Period.LAST_7DAYS)

    run = support.run(support.program(acme), brief, period=period)

    (result,) = run.results.all()
    (event,) = events()
    assert result.text == ["No calls or e-mails of this period to read."]
    assert (run.credits, event.amount, event.request_count) == (Decimal(0), Decimal(0), 1)
    assert not Reservation.objects.exists()


@pytest.mark.usefixtures("calls")
def test_programs_run_published_briefs_only(acme, alice):
    brief = support.brief(acme, alice, published=False)

    with pytest.raises(running_briefs.BriefRefused, match="is not published"):
        support.run(support.program(acme), brief)


@pytest.mark.usefixtures("calls")
def test_a_brief_is_about_one_type_of_entity(acme, alice):
    brief = support.brief(acme, alice, entity_type=support.EntityType.DEAL)

    with pytest.raises(running_briefs.BriefRefused, match="is about one deal"):
        support.run(support.program(acme), brief)


@pytest.mark.usefixtures("calls")
def test_the_facts_are_counted_and_not_invented(acme, alice):
    brief = support.brief(acme, alice)

    run = support.run(support.program(acme), brief)

    started = timezone.localtime(timezone.now() - people.days(30), ZoneInfo(acme.time_zone))
    assert run.facts[0] == "Read: 3 calls and 0 e-mails."
    assert run.facts[1] == f"Last contact: {started.day} {started:%b %Y}, by call."
    assert run.facts[2:] == [
        "Their side: Carl Customer.",
        "Ours: Rita Rep.",
        "Deals: Globex robots (evaluation).",
    ]


@pytest.mark.usefixtures("calls")
def test_an_open_ended_section_quotes_what_was_said_and_labels_it(acme, alice):
    brief = support.brief(acme, alice, PRICES)

    run = support.run(support.program(acme), brief)

    (result,) = run.results.all()
    assert result.text[0].startswith("Quoted, not answered")
    assert result.analyzer.split()[0] == analyzers.in_use().name
    assert "That is too expensive for us." in [one.quote for one in result.citations.all()]
    assert BriefResult.objects.count() == 1
