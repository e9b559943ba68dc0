"""Trackers that name the erased: what is replaced, what is removed, and what a person is told."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from credits.identifiers import new_id
from credits.models import AuditText
from tests.security.acts_of_intake import confirmed_act
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import configuring, erasure, erasure_requests, lessons, previewing, reviewing
from trackers.configuring import Question, Settings
from trackers.mentions import Person
from trackers.models import PreviewResult, Tracker, TrackerVersion

pytestmark = pytest.mark.django_db

NOW = timezone.now()
ADDRESS = "carl@globex.example"
PERSON = Person((ADDRESS,), ("Carl Customer", "Carl"))


def save(company, name, question, **settings) -> Tracker:
    return configuring.save(
        company=company,
        tracker_id=None,
        edit_number=None,
        settings=Settings(name=name, **settings),
        question=question,
        by=people.member(company, "TECH_ADMIN", f"Ada{Tracker.objects.count()}"),
        now=NOW,
    )


def erase(company, **changes):
    request = erasure_requests.by_email(company=company, email=ADDRESS, **changes)
    planned = erasure_requests.count(request)
    counts = erasure.erase(request=request, by=None, reason="Asked for by letter", now=NOW)
    return planned, counts


TEXTS = {
    "Calls with Carl (CARL@globex.example)": "Calls with [erased] ([erased])",
    "mailto:carl@globex.example.": "mailto:[erased].",
    "carl\tcustomer's calls": "[erased]'s calls",
    "Carl Customer; Customer calls": "[erased]; [erased] calls",
    "oscarl@globex.example": "oscarl@globex.example",
    "carl@globex.example.org": "carl@globex.example.org",
    "Carl alone": "Carl alone",
    "McCarl Customers": "McCarl Customers",
    "ask Customer, Carl": "ask [erased]",
    "CUSTOMER\tCARL or customer ,carl": "[erased] or [erased]",
    "Customers, Carl": "Customers, Carl",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_without_the_person(text):
    assert PERSON.without(text) == TEXTS[text]
    assert PERSON.is_named_in(text) == (TEXTS[text] != text)


FULL_NAMES = {
    "Carl Customer": ("Carl Customer", "Customer Carl", "Customer, Carl"),
    "Customer,  Carl": ("Carl Customer", "Customer Carl", "Customer, Carl"),
    "Carl Customer, PhD": (
        "Carl Customer",
        "Carl Customer PhD",
        "Carl Customer, PhD",
        "Customer Carl",
        "Customer PhD Carl",
        "Customer, Carl",
        "PhD Carl Customer",
        "Customer, PhD Carl",
    ),
    "Ana de la Cruz": (
        "Ana de la Cruz",
        "Cruz Ana de la",
        "Cruz, Ana de la",
        "la Cruz Ana de",
        "la Cruz, Ana de",
        "de la Cruz Ana",
        "de la Cruz, Ana",
    ),
    "Carl": (),
}


@pytest.mark.parametrize("name", FULL_NAMES)
def test_a_full_name_is_looked_for_with_the_surname_first_too(name):
    assert set(Person((ADDRESS,), (name,)).full_names) == set(FULL_NAMES[name])


LISTS = {
    "both names apart": (
        ["price", "Carl", "robots", "CUSTOMER"],
        ["price", "[erased]", "robots", "[erased]"],
    ),
    "one name goes on in the next": (
        ["call Carl", "Customer now"],
        ["call [erased]", "[erased] now"],
    ),
    "one item names the person": (
        [ADDRESS, "carl", "our customer"],
        ["[erased]", "[erased]", "our [erased]"],
    ),
    "the first name alone": (["Carl", "price"], ["Carl", "price"]),
    "the surname in another phrase": (["Carl", "happy customer"], ["Carl", "happy customer"]),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_without_the_person(what):
    texts, left = LISTS[what]

    assert PERSON.without_among(texts) == left


def test_a_name_in_two_keywords_goes_from_the_question_made_of_them_and_from_the_trail(acme):
    conversations.ingest(acme, record("call-1"))
    words = ("price", "Carl", "robots", "Customer")
    tracker = save(acme, "Words", Question(kind="KEYWORD", terms=words))
    other = save(acme, "Other words", Question(kind="KEYWORD", terms=("Carl", "price")))

    erase(acme)

    version = tracker.versions.get()
    assert version.terms == ["price", "[erased]", "robots", "[erased]"]
    assert version.question == "Says “price”, “[erased]”, “robots”, “[erased]”"
    assert other.versions.get().terms == ["Carl", "price"]
    lines = AuditText.objects.filter(event__subject_type="trackers.tracker").order_by("event")
    assert [(line.event.subject_id, bool(line.changes)) for line in lines] == [
        (str(tracker.pk), False),
        (str(other.pk), True),
    ]


def test_the_person_goes_from_every_word_of_a_tracker_and_from_its_history(acme):
    conversations.ingest(acme, record("call-1"))
    asked = save(
        acme,
        f"About {ADDRESS}",
        Question(
            question=f"Did {ADDRESS} object?",
            details="Carl Customer often objects.",
            answer_type="CATEGORY",
            choices=(f"by {ADDRESS}", "not at all"),
        ),
        description=f"Calls with Carl ({ADDRESS})",
        examples=(f"write to {ADDRESS}", "Far from here."),
        counter_examples=("Carl Customer agreed.", "Near."),
    )
    words = save(acme, "Words", Question(kind="KEYWORD", terms=(ADDRESS, "price")))
    other = save(acme, "Another", Question(question="Did Carl object?"))
    edits = {one.pk: one.edit_number for one in Tracker.objects.all()}

    planned, counts = erase(acme)

    tracker = Tracker.objects.get(pk=asked.pk)
    version = tracker.versions.get()
    assert (tracker.name, tracker.description) == (
        "About [erased]",
        "Calls with [erased] ([erased])",
    )
    assert (tracker.examples, tracker.counter_examples) == (["Far from here."], ["Near."])
    assert (version.question, version.details) == (
        "Did [erased] object?",
        "[erased] often objects.",
    )
    assert version.choices == ["by [erased]", "not at all"]
    assert words.versions.get().terms == ["[erased]", "price"]
    assert words.versions.get().question == "Says “[erased]”, “price”"
    assert other.versions.get().question == "Did Carl object?"
    history = json.dumps(list(tracker.history.values()), default=str).lower()
    assert "carl" not in history
    # A form that was opened before would bring the words back: it is refused.
    later = {one.pk: one.edit_number - edits[one.pk] for one in Tracker.objects.all()}
    assert later == {asked.pk: 1, words.pk: 1, other.pk: 0}
    assert planned.tracker_names == (f"About {ADDRESS}", "Words")
    assert counts.tracker_names == ("About [erased]", "Words")
    assert planned.figures["trackers that name the person"] == 2
    assert planned.figures["example phrases removed from trackers"] == 0


def test_a_name_that_only_history_has_is_erased_there(acme):
    tracker = save(acme, f"About {ADDRESS}", Question(question="Did they object?"))
    Tracker.objects.filter(pk=tracker.pk).update(name="Renamed")

    _, counts = erase(acme)

    assert counts.tracker_names == ("Renamed",)
    assert tracker.history.get().name == "About [erased]"


def test_two_trackers_named_after_the_erased_keep_different_names(acme):
    for name in (ADDRESS, ADDRESS.upper()):
        save(acme, name, Question(question="Did they object?"))

    erase(acme)

    names = sorted(Tracker.objects.values_list("name", flat=True))
    assert names[0] == "[erased]"
    assert names[1].startswith("[erased] #")


def test_another_company_s_trackers_are_left_alone(acme):
    save(people.company("Globex"), f"About {ADDRESS}", Question(question="Did they object?"))

    with pytest.raises(erasure_requests.NothingToErase):
        erase(acme)

    assert Tracker.objects.get().name == f"About {ADDRESS}"


def test_a_tracker_alone_is_something_to_erase(acme):
    save(acme, "Prices", Question(question=f"Did {ADDRESS} object?"))

    _, counts = erase(acme, with_mentions=True)

    assert (counts.conversations, counts.tracker_names) == (0, ("Prices",))


@pytest.fixture
def reviewed(acme):
    """A tracker that asks about Carl, tested on a call without him, and the result confirmed."""
    turns = [{"id": "u0", "speaker": "r", "start": 0.0, "text": "That is too expensive."}]
    rep = [{"id": "r", "name": "Rita Rep", "email": "rep@acme.example", "role": "internal"}]
    conversations.ingest(acme, record("call-1", participants=rep, utterances=turns))
    question = f"Was it too expensive for {ADDRESS}?"
    tracker = conversations.tracker(acme, question=question, side="ANY")
    alice = people.alice(acme)
    previewing.run(tracker_id=tracker.pk, count=1, by=alice, clock=lambda: NOW)
    reviewing.judge_preview(result=PreviewResult.objects.get(), is_right=True, by=alice, now=NOW)
    return tracker


def test_reviews_and_tests_stay_those_of_the_question_without_the_name(acme, reviewed):
    erase(acme)

    version = TrackerVersion.objects.get()
    assert version.question == "Was it too expensive for [erased]?"
    assert [one.version for one in reviewing.in_force(version=version)] == [version]
    assert bytes(PreviewResult.objects.get().preview.asked) == lessons.asked(version)


def test_two_questions_that_become_one_keep_one_review_of_a_text(acme, reviewed):
    first = reviewed.versions.get()
    TrackerVersion.objects.update(published_at=NOW)
    second = TrackerVersion.objects.create(
        company=acme,
        tracker=reviewed,
        number=2,
        question="Was it too expensive for [erased]?",
        side="ANY",
    )
    # As it is read, with codes for what Python calls by a name.
    second.refresh_from_db()
    (review,) = reviewing.in_force(version=first)
    review.pk, review._state.adding = new_id(), True
    review.asked, review.version = lessons.asked(second), second
    review.save()

    erase(acme)

    first.refresh_from_db()
    assert lessons.asked(first) == lessons.asked(second)
    assert [one.version for one in reviewing.in_force(version=first)] == [second]


def test_the_command_names_the_trackers_before_and_after(acme, capsys):
    save(acme, "Prices", Question(question=f"Did {ADDRESS} object?"))
    said = []
    for is_planned in (True, False):
        call_command("erase_personal_data", company=acme.slug, email=ADDRESS, dry_run=is_planned)
        said.append(capsys.readouterr().out)

    assert "These trackers name the person, whom “[erased]” will replace: “Prices”." in said[0]
    assert (
        "“[erased]” replaced the person in these trackers; see what they ask now: “Prices”."
    ) in said[1]


def test_the_pages_name_the_trackers_before_and_after(acme):
    save(acme, "Prices", Question(question=f"Did {ADDRESS} object?"))
    client = signed_in(people.alice(acme))
    page = reverse("admin:trackers_conversation_erase-address")
    key = client.get(page).context["form"]["key"].value()
    values = {"email": ADDRESS, "reason": "Asked for by letter"}

    shown = client.post(page, {"key": str(key)} | values).content.decode()
    answer = confirmed_act(client, page, **values)
    done = client.get(answer.url).content.decode()

    assert "These trackers name the person" in shown
    assert "see what they ask now: “Prices”" in done
    assert TrackerVersion.objects.get().question == "Did [erased] object?"
