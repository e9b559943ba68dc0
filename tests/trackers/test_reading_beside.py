"""What a worker has read for one tracker, it reads for the others too (Note [Read beside])."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import (
    backfills,
    calibrating,
    erasure,
    erasure_requests,
    publishing,
    scanning,
    shelf,
)
from trackers.models import Scan, Utterance

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(acme, alice, now):
    """Publish trackers that read the customer's side of the whole, unless told otherwise."""

    def publish(name, *, at=now - timedelta(days=60), **version):
        settings = {"question": version.pop("question")} if "question" in version else {}
        draft = conversations.tracker(acme, name, **settings)
        draft.versions.update(**version)
        return publishing.publish(
            tracker_id=draft.pk, edit_number=draft.edit_number, by=alice, now=at
        )

    return publish


def run_batch(tracker, *, backfill=None, clock=timezone.now) -> int:
    return scanning.run_batch(
        version_id=tracker.current_version_id,
        backfill_id=backfill and backfill.pk,
        clock=clock,
    )


def launch(tracker, alice, now):
    """Start a backfill of everything there is."""
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now + timedelta(seconds=1),
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )


def read_for(tracker) -> list[str]:
    done = Scan.objects.filter(tracker=tracker, state="DONE")
    return sorted(done.values_list("conversation__external_id", flat=True))


def test_all_trackers_of_a_conversation_are_read_in_one_turn_and_charged_each_by_itself(
    acme, published, now, analyzer
):
    people.credits_for(acme, "50")
    price, delivery, rivals = (published(name) for name in ("Price", "Delivery", "Rivals"))
    conversations.ingest(acme, *(record(f"call-{n}", started_at=now) for n in range(3)), now=now)

    claimed = run_batch(price)

    assert claimed == 3
    for tracker in (price, delivery, rivals):
        assert read_for(tracker) == ["call-0", "call-1", "call-2"]
    events = UsageEvent.objects.order_by("feature_name")
    assert [(one.feature_name, one.calls, one.amount) for one in events] == [
        ("Delivery", 3, Decimal("1.500")),
        ("Price", 3, Decimal("1.500")),
        ("Rivals", 3, Decimal("1.500")),
    ]
    assert balances.now(company=acme).available == Decimal("45.500")
    assert run_batch(delivery) == 0
    assert reconciliation.check() == []


def test_what_is_found_beside_others_is_what_is_found_alone(acme, published, now):
    """By the built-in analyzer, which works out the words of a text only once."""
    people.credits_for(acme, "500")
    said = ("That is too expensive for us.", "When will it ship?", "We use your rival today.")
    asked = {
        "Price": "Does the customer say that the price is too high?",
        "Delivery": "Does the customer ask when it will be delivered?",
        "Rivals": "Does the customer name a competitor?",
    }
    beside = [published(name, question=text) for name, text in asked.items()]
    alone = [published(f"{name} alone", question=text) for name, text in asked.items()]
    conversations.ingest(
        acme,
        *(
            record(
                f"call-{n}",
                started_at=now,
                utterances=[
                    {"id": "u0", "speaker": "r", "start": 0.0, "text": f"Here is offer {n}."},
                    {"id": "u1", "speaker": "c", "start": 9.0, "text": said[n % 3]},
                ],
            )
            for n in range(12)
        ),
        now=now,
    )
    later = now + timedelta(hours=1)
    Scan.objects.filter(tracker__in=alone).update(due_at=later)
    run_batch(beside[0], clock=lambda: now)

    for tracker in alone:
        Scan.objects.filter(tracker=tracker).update(due_at=now)
        run_batch(tracker, clock=lambda: now)

    def found(tracker):
        scans = Scan.objects.filter(tracker=tracker, state="DONE")
        return list(
            scans.order_by("conversation__external_id", "quotes__rank").values_list(
                "conversation__external_id", "verdict", "score", "answer", "quotes__utterance",
                "quotes__start", "quotes__end",
            )
        )  # fmt: skip

    for one, other in zip(beside, alone, strict=True):
        assert len({line[0] for line in found(one)}) == 12
        assert found(one) == found(other)
    assert found(beside[0]) != found(beside[1])


@pytest.mark.parametrize(
    "settings",
    [{"side": "ANY"}, {"part": "FIRST", "part_minutes": 5}],
    ids=["another side", "another part"],
)
def test_a_tracker_that_reads_something_else_waits_for_its_own_turn(
    acme, published, now, analyzer, settings
):
    people.credits_for(acme, "50")
    price, other = published("Price"), published("Other", **settings)
    conversations.ingest(acme, record("call-1", started_at=now), now=now)

    run_batch(price)

    assert (read_for(price), read_for(other)) == (["call-1"], [])
    assert run_batch(other) == 1
    assert read_for(other) == ["call-1"]


def test_two_parts_of_different_length_are_two_parts(acme, published, now, analyzer):
    people.credits_for(acme, "50")
    five = published("Five", part="FIRST", part_minutes=5)
    ten = published("Ten", part="FIRST", part_minutes=10)
    conversations.ingest(acme, record("call-1", started_at=now), now=now)

    run_batch(five)

    assert (read_for(five), read_for(ten)) == (["call-1"], [])


def test_a_backfill_brings_no_paused_one_with_it(acme, alice, published, now, analyzer):
    people.credits_for(acme, "50")
    conversations.ingest(acme, record("call-1", started_at=now - timedelta(days=3)), now=now)
    price, delivery = published("Price", at=now), published("Delivery", at=now)
    running, paused = (launch(tracker, alice, now) for tracker in (price, delivery))
    backfills.pause(backfill_id=paused.pk, by=alice, now=now)

    run_batch(price, backfill=running)

    assert (read_for(price), read_for(delivery)) == (["call-1"], [])
    # Nor is the analyser got ready for it.
    assert len(analyzer.samples) == 1


def test_live_work_does_not_bring_a_backfill_with_it(acme, alice, published, now, analyzer):
    people.credits_for(acme, "50")
    price = published("Price")
    conversations.ingest(acme, record("call-1", started_at=now), now=now)
    delivery = published("Delivery", at=now + timedelta(minutes=1))
    backfill = launch(delivery, alice, now)

    run_batch(price)

    assert (read_for(price), read_for(delivery)) == (["call-1"], [])
    assert run_batch(delivery, backfill=backfill) == 1
    assert read_for(delivery) == ["call-1"]


def test_at_zero_the_tracker_whose_turn_it_is_is_read_and_the_others_wait(
    acme, published, now, analyzer
):
    people.credits_for(acme, "0.5")
    price, delivery = published("Price"), published("Delivery")
    conversations.ingest(acme, record("call-1", started_at=now), now=now)

    run_batch(price)

    states = dict(Scan.objects.values_list("tracker__name", "state"))
    assert states == {"Price": "DONE", "Delivery": "WAITING"}
    assert balances.now(company=acme).remaining == 0
    assert reconciliation.check() == []
    assert run_batch(delivery) == 0


def test_a_worker_stops_after_its_turn_and_the_rest_stays_queued(acme, published, now, analyzer):
    people.credits_for(acme, "50")
    price, delivery, rivals = (published(name) for name in ("Price", "Delivery", "Rivals"))
    conversations.ingest(acme, record("call-1", started_at=now), now=now)
    spent = []
    # Each reading takes seven tenths of a second: the third tracker's turn would begin too late.
    analyzer.on_read = lambda: spent.append(timedelta(milliseconds=700))

    run_batch(price, clock=lambda: now + sum(spent, timedelta()))

    assert [read_for(one) for one in (price, delivery, rivals)] == [["call-1"], ["call-1"], []]
    waiting = Scan.objects.get(tracker=rivals)
    assert (waiting.state, waiting.attempts, waiting.lease_token) == ("PENDING", 0, None)
    assert run_batch(rivals) == 1


def test_a_text_that_changed_meanwhile_is_read_as_it_is_now(acme, published, now, analyzer):
    people.credits_for(acme, "50")
    price, delivery = published("Price"), published("Delivery")
    conversations.ingest(acme, record("call-1", started_at=now), now=now)
    corrected = record(
        "call-1",
        started_at=now,
        utterances=[{"id": "u0", "speaker": "c", "start": 0.0, "text": "We meant next year."}],
    )

    def correct():
        analyzer.on_read = lambda: None
        conversations.ingest(acme, corrected, now=now)

    analyzer.on_read = correct
    run_batch(price)
    run_batch(delivery)

    found = Scan.objects.get(tracker=delivery, state="DONE")
    (quote,) = found.quotes.all()
    assert (found.revision, quote.utterance.text) == (2, "We meant next year.")
    assert reconciliation.check() == []


def test_what_was_erased_meanwhile_is_not_read_for_the_others(acme, published, now, analyzer):
    people.credits_for(acme, "50")
    price, delivery = published("Price"), published("Delivery")
    conversations.ingest(acme, record("call-1", started_at=now), now=now)

    def erase():
        analyzer.on_read = lambda: None
        request = erasure_requests.by_external_id(company=acme, external_id="call-1")
        erasure.erase(request=request, by=None, reason="", now=timezone.now())

    analyzer.on_read = erase
    run_batch(price)

    assert analyzer.read == ["call-1"]
    assert set(Scan.objects.values_list("state", flat=True)) == {"SKIPPED"}
    assert not UsageEvent.objects.exists()
    assert not Utterance.objects.exists()
    assert balances.now(company=acme).available == Decimal("50.000")
    assert run_batch(delivery) == 0


def test_what_one_tracker_meets_does_not_end_the_turn_of_another(
    acme, published, now, analyzer, monkeypatch
):
    people.credits_for(acme, "50")
    price, *others = (published(name) for name in ("Price", "Delivery", "Rivals"))
    conversations.ingest(acme, record("call-1", started_at=now), now=now)
    learned = calibrating.of_version
    # The first of the others to be read.
    delivery, rivals = sorted(others, key=lambda tracker: tracker.current_version_id)

    def learn(version_id):
        if version_id == delivery.current_version_id:
            raise MemoryError
        return learned(version_id)

    monkeypatch.setattr(calibrating, "of_version", learn)

    assert run_batch(price) == 1

    assert (read_for(price), read_for(rivals)) == (["call-1"], ["call-1"])
    waiting = Scan.objects.get(tracker=delivery)
    assert (waiting.state, waiting.attempts) == ("PENDING", 0)


def test_texts_without_room_are_read_again_in_their_own_turn(
    acme, published, now, analyzer, monkeypatch
):
    monkeypatch.setattr(shelf, "UTTERANCES_MAX", 4)  # Two calls of two.
    people.credits_for(acme, "50")
    price, delivery = published("Price"), published("Delivery")
    conversations.ingest(
        acme,
        *(record(f"call-{n}", started_at=now + timedelta(seconds=n)) for n in range(3)),
        now=now + timedelta(seconds=9),
    )
    later = now + timedelta(minutes=1)

    run_batch(price, clock=lambda: later)

    assert read_for(price) == ["call-0", "call-1", "call-2"]
    assert read_for(delivery) == ["call-0", "call-1"]
    assert run_batch(delivery, clock=lambda: later) == 1
    assert read_for(delivery) == ["call-0", "call-1", "call-2"]
