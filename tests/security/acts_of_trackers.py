"""What people decide about trackers' tests, results, suggestions and filters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

from django.conf import settings
from django.utils import timezone

from tests.security.acting import World, act, agreed, confirmed, seen, url
from tests.support import conversations
from trackers import narrowing, previewing, scanning
from trackers.analyzers.llm.endpoint import Endpoint
from trackers.models import AdviceRun, Scan, Suggestion, Tracker


@act(
    "admin:trackers_tracker_test",
    "STARTED",
    prepare=lambda world: world.calls() or conversations.tracker(world.acme),
)
def try_tracker(world: World, tracker: Any) -> Any:
    return world.as_alice.post(url("trackers_tracker_test", tracker.pk), {"count": "2"})


def _tried(world: World) -> Any:
    world.calls()
    tracker = conversations.tracker(world.acme)
    return previewing.run(tracker_id=tracker.pk, count=1, by=world.alice, clock=timezone.now)


@act("admin:trackers_tracker_judge", "ADDED", prepare=_tried)
def judge_test(world: World, preview: Any) -> Any:
    word = {"result": str(preview.results.get().pk), "is_right": "yes"}
    return world.as_alice.post(url("trackers_tracker_judge", preview.tracker_id), word)


def _learned(world: World) -> Any:
    """A tracker that has learned something, to be taken back."""
    world.calls()
    tracker = conversations.tracker(world.acme)
    Tracker.objects.filter(pk=tracker.pk).update(threshold="0.6")
    return tracker


@act("admin:trackers_tracker_learn", "CHANGED", prepare=_learned)
def take_back_what_was_learned(world: World, tracker: Any) -> Any:
    return confirmed(world.as_alice, url("trackers_tracker_learn", tracker.pk), forget="1")


def _read(world: World) -> Any:
    tracker, now = world.tracker(now=timezone.now() - timedelta(days=60)), timezone.now()
    conversations.ingest(world.acme, conversations.record("new", started_at=now), now=now)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    return Scan.objects.get()


@act("admin:trackers_scan_judge", "ADDED", prepare=_read)
def judge_result(world: World, scan: Any) -> Any:
    return world.as_alice.post(url("trackers_scan_judge", scan.pk), {"is_right": "no"})


def _suggestion(world: World) -> Any:
    """Suggest to leave out the e-mails of a tracker that reads both."""
    tracker = world.tracker(include_emails=True)
    return Suggestion.objects.create(
        company=world.acme,
        run=AdviceRun.objects.create(company=world.acme, computed_at=timezone.now()),
        tracker=tracker,
        kind="EMAILS",
        edit_number=tracker.edit_number,
        conversations_before=4,
        conversations_after=3,
        credits_before=2,
        credits_after=1,
        read_count=4,
        found_count=1,
    )


@act("admin:trackers_suggestion_apply", "CHANGED", prepare=_suggestion)
def apply_suggestion(world: World, suggestion: Any) -> Any:
    return seen(world.as_alice, url("trackers_suggestion_apply", suggestion.pk))


@act("admin:trackers_tracker_narrow", "CHANGED", prepare=World.tracker)
def narrow_filters(world: World, tracker: Any) -> Any:
    form = {"edit_number": str(tracker.edit_number), "include_calls": "on", "include_emails": "on"}
    return agreed(world.as_alice, url("trackers_tracker_narrow", tracker.pk), **form)


def _narrowed(world: World) -> Any:
    tracker = world.tracker()
    reads = narrowing.of(tracker)
    return narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=replace(reads, emails=True),
        by=world.alice,
        now=timezone.now(),
    )


@act("admin:trackers_tracker_undo", "CHANGED", prepare=_narrowed)
def undo_narrowing(world: World, tracker: Any) -> Any:
    return seen(world.as_alice, url("trackers_tracker_undo", tracker.pk))


@act("admin:trackers_askrequest_ask", "STARTED", prepare=World.calls)
def ask_about_an_account(world: World, _nothing: Any) -> Any:
    form = {
        "entity_type": "ACCOUNT",
        "entity": "Globex",
        "period": "ALL_CONVERSATIONS",
        "question": "What did they say about the price?",
    }
    return world.as_alice.post(url("trackers_askrequest_ask"), form)


@act("admin:trackers_askrequest_reuse", "CHANGED", prepare=World.calls)
def switch_answer_reuse(world: World, _nothing: Any) -> Any:
    return seen(world.as_alice, url("trackers_askrequest_reuse"))


def _with_a_model(world: World) -> Any:
    return mock.patch.object(settings, "LLM", Endpoint("http://127.0.0.1:9/v1", "some-model"))


@act("admin:trackers_llmattempt_switch", "CHANGED", prepare=_with_a_model)
def switch_the_language_model(world: World, model_set_up: Any) -> Any:
    with model_set_up:
        return seen(world.as_alice, url("trackers_llmattempt_switch"))
