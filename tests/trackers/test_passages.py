"""What trackers quote of the erased: which passages go, which stay, and who is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import configuring, erasure, erasure_requests
from trackers.configuring import Question, Settings
from trackers.models import Tracker, TrackerVersion

pytestmark = pytest.mark.django_db

NOW = timezone.now()
SAID = "Our well-known otters sleep in the cellar, and it's far too damp for all of them."


def call(external_id: str, said: str = SAID, **changes):
    turns = [{"id": "u0", "speaker": "c", "start": 0.0, "text": said}]
    return record(external_id, utterances=turns, **changes)


def erase(company, external_id: str = "call-1"):
    request = erasure_requests.by_external_id(company=company, external_id=external_id)
    planned = erasure_requests.count(request)
    counts = erasure.erase(request=request, by=None, reason="Asked for by letter", now=NOW)
    return planned, counts


def save(company, question: Question, **settings) -> Tracker:
    return configuring.save(
        company=company,
        tracker_id=None,
        edit_number=None,
        settings=Settings(**({"name": "Otters"} | settings)),
        question=question,
        by=people.member(company, "TECH_ADMIN", f"Ada{Tracker.objects.count()}"),
        now=NOW,
    )


WRITTEN = {
    "as it was said": ("Say: otters sleep in the cellar.", "Say: [erased]."),
    "in capitals, and other punctuation": (
        "OTTERS “sleep”\nin: the — cellar and it’s far",
        "[erased]",
    ),
    "a hyphen left out": ("The wellknown otters sleep in the attic", "The [erased] attic"),
    "another hyphen": ("The well\u2011known otters sleep in", "The [erased]"),
    "a hyphen put in": ("otters sleep in the cel-lar", "[erased]"),
    "two passages": (
        "otters sleep in the cellar or far too damp for all?",
        "[erased] or [erased]?",
    ),
    "four words": ("otters sleep in the attic", "otters sleep in the attic"),
    "four words and a part of one": ("sleep in the cellar andes", "sleep in the cellar andes"),
    "other words between": (
        "otters often sleep in the big cellar",
        "otters often sleep in the big cellar",
    ),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_five_words_in_a_row_go_from_details_however_they_are_punctuated(acme, how):
    details, left = WRITTEN[how]
    conversations.ingest(acme, call("call-1"))
    tracker = save(acme, Question(question="Did they object?", details=details))

    erase(acme)

    assert tracker.versions.get().details == left


OTHER_WRITINGS = {
    "German": ("Die Füße der Otter sind GROSS – Carl", "Die FÜSSE der\u00a0Otter sind groß!"),
    "half of a letter": ("Die Fu\u0308\u00dfe der Otter sind hier", "Die Füße der Otter sind"),
    "Hindi": ("हमें अगले महीने तक छूट चाहिए", "हमें, अगले महीने तक छूट"),
    "Chinese": ("我们的水獭在地下室里睡觉。", "水獭在地下室里睡觉"),
    "Turkish": ("İstanbul’da su samurları bodrumda uyuyor", "istanbul'da su samurları bodrumda"),
    "a fraction": ("We took 2½ otters to Rome", "took 2½ otters to Rome"),
}


@pytest.mark.parametrize("writing", OTHER_WRITINGS)
def test_a_passage_is_found_in_any_writing(acme, writing):
    said, details = OTHER_WRITINGS[writing]
    conversations.ingest(acme, call("call-1", said))
    tracker = save(acme, Question(question="Did they object?", details=details))

    erase(acme)

    assert tracker.versions.get().details.rstrip("!") == "[erased]"


def test_they_go_from_every_version_and_from_history_and_make_no_new_version(acme):
    came = call("call-1", title="Wet beasts in a strange house")
    conversations.ingest(acme, came, now=NOW - timedelta(days=1))
    tracker = save(
        acme,
        Question(kind="KEYWORD", terms=("price", "sleep in the cellar and", "damp")),
        name="Wet beasts in a strange house, again",
        description="Think of otters that sleep in the cellar, and it's far from here",
    )
    version = tracker.versions.get()
    TrackerVersion.objects.filter(pk=version.pk).update(
        calibration={"learned": "otters"}, published_at=timezone.now()
    )
    edit_number = Tracker.objects.get().edit_number

    erase(acme)

    tracker.refresh_from_db()
    version.refresh_from_db()
    assert (tracker.name, tracker.description) == (
        "[erased], again",
        "Think of otters that [erased] from here",
    )
    assert [(row.name, row.description) for row in tracker.history.all()] == [
        ("[erased], again", "Think of otters that [erased] from here")
    ]
    assert version.terms == ["price", "[erased]", "damp"]
    assert version.question == "Says “price”, “[erased]”, “damp”"
    assert version.calibration is None
    assert tracker.versions.count() == 1
    # A form that was opened before would bring the words back: it is refused.
    assert tracker.edit_number == edit_number + 1


def test_keywords_that_say_a_passage_one_word_each_go(acme):
    conversations.ingest(acme, call("call-1"))
    words = ("price", "otters", "sleep", "in", "the", "cellar")
    tracker = save(acme, Question(kind="KEYWORD", terms=words))

    erase(acme)

    version = tracker.versions.get()
    gone = ["[erased]"] * 5
    assert version.terms == ["price", *gone]
    assert version.question == "Says “price”, “[erased]”"


def test_a_passage_stays_as_long_as_a_conversation_that_stays_says_it(acme):
    conversations.ingest(acme, call("call-1"), call("call-2", "The OTTERS sleep in the cellar!"))
    tracker = save(acme, Question(question="Do otters sleep in the cellar?"))

    planned, counts = erase(acme)
    kept = tracker.versions.get().question
    erase(acme, "call-2")

    assert (planned.quoting_names, counts.quoting_names) == ((), ())
    assert kept == "Do otters sleep in the cellar?"
    assert tracker.versions.get().question == "Do [erased]?"


def test_the_title_of_a_conversation_that_stays_keeps_a_passage_and_another_company_does_not(acme):
    globex = people.company("Globex")
    conversations.ingest(globex, call("call-1"), call("call-2"))
    conversations.ingest(
        acme, call("call-1"), call("call-2", "Hello.", title="Far too damp, for all")
    )
    tracker = save(
        acme, Question(question="Far too damp for all?", details="Otters sleep in the cellar")
    )

    erase(acme)

    version = tracker.versions.get()
    assert (version.question, version.details) == ("Far too damp for all?", "[erased]")


OLDER = {
    "ten words": ("in the cellar, and it's far too damp for", False),
    "eleven words": ("in the cellar, and it's far too damp for all", True),
}


@pytest.mark.parametrize("length", OLDER)
def test_what_was_published_before_the_call_came_goes_only_where_it_is_no_chance(acme, length):
    details, goes = OLDER[length]
    tracker = conversations.tracker(acme)
    tracker.versions.update(details=details, published_at=NOW - timedelta(days=2))
    conversations.ingest(acme, call("call-1"), now=NOW - timedelta(days=1))

    erase(acme)

    assert (tracker.versions.get().details == "[erased]") is goes
    assert (tracker.versions.get().details == details) is not goes


def test_what_a_tracker_was_called_before_the_call_came_stays_and_its_description_goes(acme):
    words = {"name": "The otters sleep in the cellar", "description": "Too damp for all of them"}
    tracker = save(acme, Question(question="Did they object?"), **words)
    conversations.ingest(acme, call("call-1"), now=NOW + timedelta(minutes=1))

    erase(acme)

    tracker.refresh_from_db()
    assert (tracker.name, tracker.description) == ("The otters sleep in the cellar", "[erased]")


def test_what_was_published_after_the_call_came_goes(acme):
    conversations.ingest(acme, call("call-1"), now=NOW - timedelta(days=2))
    tracker = conversations.tracker(acme)
    tracker.versions.update(
        details="otters sleep in the cellar", published_at=NOW - timedelta(days=1)
    )

    erase(acme)

    assert tracker.versions.get().details == "[erased]"


def test_what_a_pretrained_tracker_asks_was_written_by_nobody_and_stays(acme):
    tracker = save(acme, Question(kind="PRETRAINED", pretrained="price-objection"))
    before = tracker.versions.get().question
    conversations.ingest(acme, call("call-1", f"Hm: {before}"), now=NOW - timedelta(days=1))

    erase(acme)

    assert len(before.split()) >= 5
    assert tracker.versions.get().question == before


def test_an_example_that_has_a_passage_within_goes_whole(acme):
    conversations.ingest(acme, call("call-1"))
    tracker = save(
        acme,
        Question(question="Did they object?"),
        examples=("Carl told me: otters sleep in the cellar, ha!", "Something else."),
    )

    planned, counts = erase(acme)

    assert Tracker.objects.get(pk=tracker.pk).examples == ["Something else."]
    assert (planned.examples, counts.examples) == (1, 1)


def test_the_command_names_the_trackers_before_and_after(acme, capsys):
    conversations.ingest(acme, call("call-1"))
    save(acme, Question(question="Do otters sleep in the cellar?"))
    said = []
    for is_planned in (True, False):
        call_command(
            "erase_personal_data", company=acme.slug, external_id="call-1", dry_run=is_planned
        )
        said.append(capsys.readouterr().out)

    assert "These trackers quote what was said, which “[erased]” will replace: “Otters”." in said[0]
    assert (
        "“[erased]” replaced what was said in these trackers; see what they ask now: “Otters”."
    ) in said[1]
    for one in said:
        assert "         1  trackers that quote what was said" in one


def test_a_quote_with_the_name_of_who_is_erased_goes_around_the_name_too(acme):
    said = "So Carl Customer told us: otters sleep, Carl said, in cellars."
    conversations.ingest(acme, call("call-1", said))
    tracker = save(acme, Question(question="Did they object?", details=said))
    request = erasure_requests.by_email(company=acme, email="carl@globex.example")

    erasure.erase(request=request, by=None, reason="Asked for by letter", now=NOW)

    assert tracker.versions.get().details == "[erased]."
