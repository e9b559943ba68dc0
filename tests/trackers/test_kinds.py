"""Free kinds of trackers: metered, never charged, never waiting; and what each kind may hold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.identifiers import new_id
from credits.models import LedgerEntry, UsageEvent
from tests.support import conversations, people
from tests.support.breaking import copy_refused_by, update_refused_by
from tests.support.conversations import record
from trackers import (
    backfills,
    calibrating,
    configuring,
    estimates,
    filters,
    pretrained,
    publishing,
    scanning,
)
from trackers.configuring import NotSaved, Question, Settings
from trackers.models import Conversation, Quote, Scan, Tracker

pytestmark = pytest.mark.django_db

KEYWORDS = Question(kind="KEYWORD", terms=("too expensive", "discount"), side="CUSTOMER")
SHIPPED = Question(kind="PRETRAINED", pretrained="price-objection")
ASKED = Question(question="Did the customer object to the price?", side="CUSTOMER")


def save(company, by, question, *, tracker=None, **settings):
    return configuring.save(
        company=company,
        tracker_id=tracker and tracker.pk,
        edit_number=tracker and tracker.edit_number,
        settings=Settings(**{"name": f"A tracker of {question.kind}"} | settings),
        question=question,
        by=by,
        now=timezone.now(),
    )


def published(company, by, question, *, at, **settings):
    draft = save(company, by, question, **settings)
    return publishing.publish(tracker_id=draft.pk, edit_number=draft.edit_number, by=by, now=at)


def scan(tracker, backfill=None) -> int:
    return scanning.run_batch(
        version_id=tracker.current_version_id,
        backfill_id=backfill and backfill.pk,
        clock=timezone.now,
    )


def test_keywords_read_new_conversations_at_zero_credits_and_use_nothing(acme, alice, now):
    tracker = published(acme, alice, KEYWORDS, at=now - timedelta(days=1))
    conversations.ingest(
        acme,
        record("objects", started_at=now, duration_seconds=900),
        record(
            "silent",
            started_at=now,
            utterances=[{"id": "u", "speaker": "r", "text": "A discount!"}],
        ),
    )

    assert scan(tracker) == 2

    found = {one.conversation.external_id: one for one in Scan.objects.filter(tracker=tracker)}
    assert (found["objects"].state, found["objects"].verdict) == ("DONE", "YES")
    assert (found["silent"].state, found["silent"].verdict) == ("DONE", "NO")
    assert found["objects"].answer == "“too expensive”"
    quote = Quote.objects.select_related("utterance").get(scan=found["objects"])
    assert quote.utterance.text[quote.start : quote.end] == "That is too expensive for us."
    use = UsageEvent.objects.get(company=acme)
    assert (use.amount, use.calls, use.emails, use.entry_id) == (Decimal("0.000"), 2, 0, None)
    assert (use.feature_type, use.action) == ("TRACKER", "CONTINUOUS")
    assert not LedgerEntry.objects.filter(company=acme).exists()
    assert reconciliation.check() == []


def test_a_free_tracker_goes_on_where_a_charged_one_waits(acme, alice, now, analyzer):
    charged = published(acme, alice, ASKED, at=now - timedelta(days=1))
    shipped = published(acme, alice, SHIPPED, at=now - timedelta(days=1))
    conversations.ingest(acme, record("call", started_at=now))

    scan(charged)
    scan(shipped)

    assert Scan.objects.get(tracker=charged).state == "WAITING"
    assert Scan.objects.get(tracker=shipped).state == "DONE"
    assert balances.now(company=acme).available == 0


def test_a_backfill_of_keywords_costs_nothing_and_is_not_refused_at_zero(acme, alice, now):
    conversations.ingest(acme, record("old"), record("older", duration_seconds=900))
    tracker = published(acme, alice, KEYWORDS, at=now)

    backfill = backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )
    scan(tracker, backfill)

    backfill.refresh_from_db()
    assert (backfill.state, backfill.estimate, backfill.ceiling) == ("DONE", 0, 0)
    assert {one.state for one in Scan.objects.filter(backfill=backfill)} == {"DONE"}


def test_an_estimate_of_a_free_kind_counts_conversations_and_no_credits(acme, alice, now):
    conversations.ingest(
        acme, record("call", started_at=now - timedelta(days=2), duration_seconds=900)
    )
    free, charged = save(acme, alice, KEYWORDS), save(acme, alice, ASKED)

    month = {
        one.kind: estimates.monthly(
            tracker=one, version=one.versions.get(), now=now, rates=people.rates()
        )
        for one in (free, charged)
    }

    assert (month["KEYWORD"].calls, month["KEYWORD"].credits) == (1, Decimal("0.000"))
    assert (month["QUESTION"].calls, month["QUESTION"].credits) == (1, Decimal("1.000"))


def test_a_part_of_a_call_is_charged_by_what_is_in_it_and_estimated_so(acme, alice, now, analyzer):
    people.credits_for(acme, "10")
    first_minute = Question(question=ASKED.question, side="CUSTOMER", part="FIRST", part_minutes=1)
    late = [
        {"id": "u0", "speaker": "r", "start": 0.0, "text": "Hello."},
        {"id": "u1", "speaker": "c", "start": 90.0, "text": "Too expensive."},
    ]
    tracker = published(acme, alice, first_minute, at=now - timedelta(days=1))
    conversations.ingest(
        acme, record("early", started_at=now), record("late", started_at=now, utterances=late)
    )
    month = estimates.monthly(
        tracker=tracker,
        version=tracker.version_in_force,
        now=timezone.now() + timedelta(minutes=1),
        rates=people.rates(),
    )

    scan(tracker)

    assert month.credits == Decimal("0.500")
    assert balances.now(company=acme).available == Decimal("9.500")
    prices = dict(Scan.objects.values_list("conversation__external_id", "price"))
    assert prices == {"early": Decimal("0.500"), "late": Decimal("0.000")}


def test_a_shipped_tracker_is_asked_with_its_examples_before_the_company_s_own(acme, alice):
    tracker = save(acme, alice, SHIPPED, examples=("Ours.",), counter_examples=("Not ours.",))
    shipped = pretrained.shipped()["price-objection"]

    question = calibrating.question_of(tracker, tracker.versions.get())

    assert question.text == "Did the customer object to the price?"
    assert question.side == "CUSTOMER"
    assert question.examples == (*shipped.examples, "Ours.")
    assert question.counter_examples == (*shipped.counter_examples, "Not ours.")


@pytest.mark.parametrize(
    "change",
    [
        {"terms": ("too expensive",)},
        {"related_forms": True},
        {"side": "ANY"},
        {"part": "LAST", "part_minutes": 5},
    ],
)
def test_changed_keywords_side_or_part_are_a_new_version(acme, alice, now, change):
    tracker = published(acme, alice, KEYWORDS, at=now)
    fields = {name: getattr(KEYWORDS, name) for name in Question.__dataclass_fields__}

    save(acme, alice, Question(**fields | change), tracker=tracker)

    assert [one.number for one in tracker.versions.order_by("number")] == [1, 2]
    assert publishing.draft_version(tracker).number == 2


def test_a_language_is_a_setting_and_lets_only_those_through_that_say_it(acme, alice, now):
    conversations.ingest(
        acme, record("german", language="de-AT"), record("french", language="fr"), record("unsaid")
    )
    tracker = published(acme, alice, KEYWORDS, at=now)

    save(acme, alice, KEYWORDS, tracker=tracker, language="de")

    tracker = Tracker.objects.get()
    assert tracker.versions.count() == 1
    assert filters.in_words(tracker) == "language is German"
    assert [one.external_id for one in filters.matching(tracker)] == ["german"]
    assert dict(Conversation.objects.values_list("external_id", "language")) == {
        "german": "de",
        "french": "fr",
        "unsaid": "",
    }


def test_a_language_that_no_conversation_says_is_refused(acme, alice):
    conversations.ingest(acme, record("unsaid"))

    with pytest.raises(NotSaved) as refused:
        save(acme, alice, KEYWORDS, language="de")

    assert refused.value.field == "filters"
    assert not Tracker.objects.exists()


def test_a_record_that_named_no_language_is_the_same_as_before_there_were_any(acme):
    unsaid = record("call")

    assert record("call", started_at=unsaid.started_at, language="").metadata_digest == (
        unsaid.metadata_digest
    )
    assert record("call", started_at=unsaid.started_at, language="de").metadata_digest != (
        unsaid.metadata_digest
    )


@pytest.mark.parametrize("tag", ["german", "d", "12", "de DE", "de-", "-", "x" * 40])
def test_what_is_no_language_is_refused_in_one_sentence(tag):
    with pytest.raises(Exception, match="is not a language; write a tag such as “en” or “pt-BR”"):
        record("call", language=tag)


def test_a_tracker_keeps_its_kind(acme, alice):
    tracker = save(acme, alice, KEYWORDS)

    with pytest.raises(NotSaved, match="a tracker keeps its kind"):
        save(acme, alice, ASKED, tracker=tracker)

    rule = "trackers_trackerversion_kind_of_its_tracker"
    assert update_refused_by(tracker, kind="QUESTION") == rule
    asked = save(acme, alice, ASKED)
    copy = {"id": new_id(), "number": 2, "published_at": timezone.now(), "question": "x"}
    assert copy_refused_by(tracker.versions.get(), tracker_id=asked.pk, **copy) == rule
    # The key they point to, which the primary key makes unique already.
    assert "tracker_kind_is_its_versions" in {one.name for one in Tracker._meta.constraints}


def test_a_tracker_s_kind_is_one_of_three(acme):
    bare = Tracker.objects.create(company=acme, name="Bare")

    assert update_refused_by(bare, kind="ORACLE") == "tracker_kind_is_known"


def test_a_version_has_what_its_kind_has(acme, alice):
    rule = "version_has_what_its_kind_has"
    keywords = save(acme, alice, KEYWORDS).versions.get()
    shipped = save(acme, alice, SHIPPED).versions.get()
    asked = save(acme, alice, ASKED).versions.get()

    assert update_refused_by(keywords, terms=[]) == rule
    assert update_refused_by(keywords, pretrained="price-asked") == rule
    assert update_refused_by(shipped, pretrained="") == rule
    assert update_refused_by(shipped, terms=["price"]) == rule
    assert update_refused_by(shipped, related_forms=True) == rule
    assert update_refused_by(asked, terms=["price"]) == rule
    assert update_refused_by(asked, related_forms=True) == rule
    assert update_refused_by(asked, pretrained="price-asked") == rule


def test_a_part_has_its_minutes_and_the_whole_has_none(acme, alice):
    rule = "version_part_has_its_minutes"
    version = save(acme, alice, ASKED).versions.get()

    assert update_refused_by(version, part="FIRST") == rule
    assert update_refused_by(version, part="FIRST", part_minutes=0) == rule
    assert update_refused_by(version, part_minutes=5) == rule
    assert update_refused_by(version, part="MIDDLE", part_minutes=5) == rule


def test_a_side_speaks_first_before_it_speaks_last(acme):
    call = conversations.conversation(acme, "call")

    for side, rule in (
        ("company", "conversation_company_speaks_first_then_last"),
        ("non_company", "conversation_customer_speaks_first_then_last"),
    ):
        first, last = f"{side}_first_seconds", f"{side}_last_seconds"
        assert update_refused_by(call, **{first: 9, last: 8}) == rule
        assert update_refused_by(call, **{first: None}) == rule
        assert update_refused_by(call, **{last: None}) == rule


@pytest.mark.parametrize(
    ("question", "message", "field"),
    [
        ({"terms": ()}, "write at least one word or phrase to look for", "terms"),
        ({"terms": (" ", "\t")}, "write at least one word or phrase to look for", "terms"),
        ({"terms": ("…",)}, "“…” – a term without a letter, digit or sign", "terms"),
        ({"terms": ("a " * 11,)}, "a term is longer than a phrase", "terms"),
        ({"terms": ("x" * 101,)}, "terms of at most 100 characters each", "terms"),
        ({"terms": tuple("abcdefghijk") * 5}, None, None),
        ({"terms": tuple(str(n) for n in range(51))}, "at most 50 terms; these are 51", "terms"),
        ({"part": "FIRST"}, "say how many minutes of a call, from 1 to 600", "part_minutes"),
        ({"part": "LAST", "part_minutes": 601}, "from 1 to 600", "part_minutes"),
        ({"part": "MIDDLE"}, "choose which part of a call from the list", "part"),
        ({"side": "NOBODY"}, "choose whose words from the list", "side"),
        ({"kind": "PRETRAINED"}, "choose one of the pretrained trackers", "pretrained"),
        ({"kind": "PRETRAINED", "pretrained": "x"}, "choose one of the pretrained", "pretrained"),
        ({"kind": "ORACLE"}, "choose a kind of tracker from the list", "kind"),
    ],
)
def test_what_no_kind_has_is_refused_in_one_sentence(acme, alice, question, message, field):
    asked = Question(**{"kind": "KEYWORD", "terms": ("price",)} | question)

    if message is None:
        assert save(acme, alice, asked).versions.get().terms == list("abcdefghijk")
        return
    with pytest.raises(NotSaved, match=message) as refused:
        save(acme, alice, asked)

    assert str(refused.value).startswith("Not saved: ")
    assert refused.value.field == field
    assert not Tracker.objects.exists()
