"""Words of the erased that were copied: typed as examples, and cut where there was no room."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits import audit
from credits.models import AuditText
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import copies, erasure, erasure_requests
from trackers.models import Tracker

pytestmark = pytest.mark.django_db

NOW = timezone.now()
ADDRESS = "petra.removeme@acme.example"


def erase(company, external_id: str = "call-1"):
    return erasure.erase(
        request=erasure_requests.by_external_id(company=company, external_id=external_id),
        by=None,
        reason="Asked for by letter",
        now=NOW,
    )


def call(external_id: str, said: str):
    turns = [{"id": "u0", "speaker": "c", "start": 0.0, "text": said}]
    return record(external_id, utterances=turns)


# What was said, and how somebody wrote it down as an example.
COPIED = {
    "fewer than five words": ("Honestly, quibblewort is dear, Carl said.", "Quibblewort is dear"),
    "one word": ("Honestly, quibblewort is dear.", "quibblewort"),
    "another dash": (
        "The well-known robots of Globex frighten us – so they do.",
        "well\u2011known robots of Globex frighten us — so they do",
    ),
    "no dash": ("The well-known robots of Globex do frighten us.", "wellknown robots of Globex do"),
    "other quotation marks": (
        "It\u2019s “far too” dear for all of us.",
        "It's 'far too' dear for all",
    ),
    "another form of the same letters": ("The caf\u00e9 is dear.", "The cafe\u0301 is dear"),
}


@pytest.mark.parametrize("how", COPIED)
def test_an_example_that_was_copied_goes_however_it_was_written(acme, how):
    said, example = COPIED[how]
    conversations.ingest(acme, call("call-1", said), now=NOW - timedelta(days=1))
    tracker = conversations.tracker(acme, examples=["Something else.", example])
    request = erasure_requests.by_external_id(company=acme, external_id="call-1")
    planned = erasure_requests.count(request)

    counts = erase(acme)

    assert Tracker.objects.get().examples == ["Something else."]
    assert {tuple(row.examples) for row in tracker.history.all()} == {("Something else.",)}
    assert (planned.examples, counts.examples) == (1, 1)
    assert counts.figures["example phrases removed from trackers"] == 1


def test_a_short_example_that_other_conversations_say_is_nobody_s_and_stays(acme):
    conversations.ingest(
        acme,
        call("call-1", "That's too dear, we think."),
        call("call-2", "Perhaps too  DEAR?"),
        now=NOW - timedelta(days=1),
    )
    conversations.tracker(acme, examples=["Too dear"])

    erase(acme)
    kept = Tracker.objects.get().examples
    erase(acme, "call-2")

    assert (kept, Tracker.objects.get().examples) == (["Too dear"], [])


def test_another_company_s_conversations_do_not_keep_an_example(acme):
    conversations.ingest(acme, call("call-1", "That is too dear, we think."))
    conversations.ingest(people.company("Globex"), call("call-1", "That is too dear, we think."))
    conversations.tracker(acme, examples=["too dear"])

    erase(acme)

    assert Tracker.objects.get().examples == []


def test_a_short_example_from_before_the_conversation_was_not_copied_from_it(acme):
    tracker = conversations.tracker(acme, examples=["Too dear"])
    tracker.history.update(history_date=NOW - timedelta(days=2))
    conversations.ingest(acme, call("call-1", "Too dear, we think."), now=NOW - timedelta(days=1))

    erase(acme)

    assert Tracker.objects.get().examples == ["Too dear"]


def test_part_of_a_word_is_no_example(acme):
    conversations.ingest(acme, call("call-1", "Nowadays we talk."), now=NOW - timedelta(days=1))
    conversations.tracker(acme, examples=["Now"])

    erase(acme)

    assert Tracker.objects.get().examples == ["Now"]


@pytest.mark.parametrize("letters", [3, 8, 20, len(ADDRESS)])
def test_what_is_left_of_an_address_in_a_cut_reason_is_found(acme, letters):
    tracker = conversations.tracker(acme)
    tracker._change_reason = f"Filters: user is <{ADDRESS[:letters]}…"
    tracker.save()

    count = copies.blank_history(company=acme, needles=[ADDRESS], names=[ADDRESS])

    assert count == 1
    assert not tracker.history.exclude(history_change_reason=None).exists()


@pytest.mark.parametrize(
    "reason",
    ["user is <petra.r", "user is <carpet…", "user is <pe…", "user is <petra.other@acme…"],
)
def test_what_is_no_rest_of_the_address_is_kept(acme, reason):
    tracker = conversations.tracker(acme)
    tracker._change_reason = reason
    tracker.save()

    assert copies.blank_history(company=acme, needles=[ADDRESS], names=[ADDRESS]) == 0


CUT = {
    "reason": {"reason": f"{'x' * 1988} {ADDRESS}"},
    "before": {"before": {"filters": f"{'x' * 1988} {ADDRESS}"}},
    "after": {"after": {"examples": ["y", f"{'x' * 1988} {ADDRESS}"]}},
    "label": {"subject": audit.Subject("notes", "1", f"{'x' * 240} {ADDRESS}")},
}


@pytest.mark.parametrize("where", CUT)
def test_what_is_left_of_an_address_in_a_cut_line_of_the_trail_is_found(acme, where):
    fields = {"subject": audit.Subject("notes", "1", "A note"), "after": {"x": "1"}} | CUT[where]
    for _ in range(2):
        audit.record(action=audit.Action.CHANGED, by=None, company=acme, **fields)
        fields = {"subject": audit.Subject("notes", "1", "x" * 300), "reason": "carpet " * 400}

    count = copies.blank_trail(company=acme, needles=[ADDRESS], names=[ADDRESS])

    cut, other = AuditText.objects.filter(event__subject_type="notes").order_by("event")
    assert count == 1
    assert (cut.subject_label, cut.changes, cut.reason) == ("", [], "")
    assert other.reason.startswith("carpet")


def test_a_few_letters_of_what_was_said_are_anybody_s(acme):
    subject = audit.Subject("notes", "1", "A note")
    for reason in (f"{'x' * 1992} Weekly", f"{'x' * 1970} Weekly call with Globex GmbH"):
        audit.record(
            action=audit.Action.CHANGED,
            by=None,
            company=acme,
            subject=subject,
            reason=f"{reason} and so on",
        )

    assert copies.blank_trail(company=acme, needles=["Weekly call with Globex GmbH"]) == 1
