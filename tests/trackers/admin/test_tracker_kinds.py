"""The page of each kind of tracker: its own fields, its price, and hints (SPEC §5, UX C1)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, pages, people
from tests.support.conversations import record
from tests.trackers.admin.conftest import signed_in
from trackers.models import PreviewResult, Tracker

pytestmark = pytest.mark.django_db

ADD = reverse("admin:trackers_tracker_add")
LIST = reverse("admin:trackers_tracker_changelist")
COMMON = {"name": "Mine", "include_calls": "on", "edit_number": ""}
QUESTION = COMMON | {"answer_type": "YES_NO", "side": "CUSTOMER", "catch_up": "on"}
OF_QUESTION = {"phrase", "subject", "question", "details", "answer_type", "choices"}
OF_KEYWORDS = {"terms", "related_forms"}


@pytest.fixture
def alice(world):
    return signed_in(world.alice)


def said(client, answer) -> list[str]:
    page = client.get(answer.url)
    return [str(one) for one in page.context["messages"]]


def change_url(tracker) -> str:
    return reverse("admin:trackers_tracker_change", args=[tracker.pk])


@pytest.mark.parametrize(
    ("kind", "has", "has_not"),
    [
        ("QUESTION", OF_QUESTION | {"side", "examples", "catch_up"}, OF_KEYWORDS | {"pretrained"}),
        (
            "KEYWORD",
            OF_KEYWORDS | {"side"},
            OF_QUESTION | {"pretrained", "examples", "catch_up"},
        ),
        (
            "PRETRAINED",
            {"pretrained", "examples"},
            OF_QUESTION | OF_KEYWORDS | {"side", "catch_up"},
        ),
    ],
)
def test_a_new_tracker_s_form_has_the_fields_of_its_kind(alice, kind, has, has_not):
    page = alice.get(ADD, {"kind": kind})

    fields = set(page.context["adminform"].form.fields)
    assert has | {"part", "part_minutes", "language", "teams"} <= fields
    assert not has_not & fields
    text = page.content.decode()
    for other in {"QUESTION", "KEYWORD", "PRETRAINED"} - {kind}:
        assert f'href="?kind={other}"' in text


def test_an_unknown_kind_is_a_question(alice):
    assert "question" in alice.get(ADD, {"kind": "ORACLE"}).context["adminform"].form.fields


def test_keywords_are_saved_shown_and_changed(alice, world):
    form = COMMON | {"terms": "too dear\n budget \n", "related_forms": "on", "side": "CUSTOMER"}
    answer = alice.post(
        f"{ADD}?kind=KEYWORD", form | {"part": "LAST", "part_minutes": "5", "language": ""}
    )

    tracker = Tracker.objects.get(company=world.acme)
    version = tracker.versions.get()
    assert answer.url == change_url(tracker)
    assert (tracker.kind, version.kind, version.terms) == (
        "KEYWORD",
        "KEYWORD",
        ["too dear", "budget"],
    )
    assert version.question == "Says “too dear”, “budget”, in any form"
    assert (version.part, version.part_minutes) == ("LAST", 5)
    page = alice.get(change_url(tracker))
    shown = page.context["adminform"].form
    assert shown["terms"].value() == "too dear\nbudget"
    text = page.content.decode()
    assert "A keyword or pretrained tracker is free, whatever it reads." in text
    assert "What has no words of that side costs 0." not in text
    assert "Kind: Keywords" in text

    edit = form | {"terms": "price", "edit_number": str(tracker.edit_number)}
    alice.post(change_url(tracker), edit)

    assert tracker.versions.get().terms == ["price"]
    assert tracker.versions.get().part == "WHOLE"


def test_a_pretrained_tracker_copies_what_was_shipped(alice, world):
    alice.post(f"{ADD}?kind=PRETRAINED", COMMON | {"pretrained": "budget", "examples": "Ours."})

    tracker = Tracker.objects.get(company=world.acme)
    version = tracker.versions.get()
    assert (version.question, version.side) == (
        "Did the customer talk about their budget?",
        "CUSTOMER",
    )
    assert tracker.examples == ["Ours."]


def test_a_question_is_built_from_a_phrase(alice, world):
    form = QUESTION | {"phrase": "customer-asked-for", "subject": "a discount"}
    alice.post(ADD, form)

    version = Tracker.objects.get(company=world.acme).versions.get()
    assert version.question == "Did the customer ask for a discount?"


@pytest.mark.parametrize(
    ("changes", "field", "error"),
    [
        (
            {"phrase": "customer-asked-for", "subject": "x", "question": "Another?"},
            "phrase",
            "Either build the question or write it, not both.",
        ),
        (
            {"phrase": "customer-asked-for"},
            "subject",
            "Say what the question is about.",
        ),
        (
            {"question": "Dear?", "part": "FIRST"},
            "part_minutes",
            "Not saved: say how many minutes of a call, from 1 to 600.",
        ),
    ],
)
def test_what_cannot_be_saved_says_why_beside_its_field(alice, changes, field, error):
    page = alice.post(ADD, QUESTION | changes)

    assert page.context["adminform"].form.errors == {field: [error]}
    assert not Tracker.objects.exists()


def test_terms_that_cannot_be_found_say_why_beside_their_field(alice):
    page = alice.post(f"{ADD}?kind=KEYWORD", COMMON | {"terms": "…", "side": "ANY"})

    assert page.context["adminform"].form.errors == {
        "terms": [
            (
                "Not saved: “…” – a term without a letter, digit or sign that could be found; "
                "write it in words."
            )
        ]
    }


def test_a_broad_question_is_saved_with_a_hint(alice):
    answer = alice.post(ADD, QUESTION | {"question": "Price?"})

    assert any("“Price?” is broad and may be found in nearly" in one for one in said(alice, answer))


def test_good_questions_are_one_click_away(alice):
    page = alice.get(ADD).content.decode()

    assert "<summary>More good questions</summary>" in page
    assert "Did the customer ask for a discount of more than 10 %?" in page


def test_the_list_and_the_read_only_page_say_kind_part_and_language(alice, world):
    conversations.ingest(world.acme, record("call", language="de"))
    form = COMMON | {"terms": "dear", "side": "ANY", "language": "de"}
    alice.post(f"{ADD}?kind=KEYWORD", form | {"part": "FIRST", "part_minutes": "1"})
    tracker = Tracker.objects.get(company=world.acme)

    listed = alice.get(LIST, {"kind__exact": "KEYWORD"}).content.decode()
    assert "Keywords" in listed
    assert "language is German" in listed
    assert "Mine" not in alice.get(LIST, {"kind__exact": "QUESTION"}).context["cl"].result_list

    read = signed_in(world.vera).get(change_url(tracker)).content.decode()
    assert "the first minute of a call" in read
    assert "Says “dear”" in read


def test_publishing_a_free_tracker_says_that_it_is_free(alice, world):
    people.credits_for(world.acme, "10")
    conversations.ingest(world.acme, record("call"))
    alice.post(f"{ADD}?kind=KEYWORD", COMMON | {"terms": "expensive", "side": "ANY"})
    tracker = Tracker.objects.get(company=world.acme)
    page = alice.get(reverse("admin:trackers_tracker_publish", args=[tracker.pk]))

    assert "a keyword or pretrained tracker is free" in page.content.decode()
    assert page.context["needs_tick"] is False


def test_keywords_are_tested_without_a_word_of_the_analyser_or_of_teaching(alice, world):
    conversations.ingest(world.acme, record("call", started_at=timezone.now() - timedelta(days=2)))
    alice.post(f"{ADD}?kind=KEYWORD", COMMON | {"terms": "expensive", "side": "ANY"})
    tracker = Tracker.objects.get(company=world.acme)
    address = reverse("admin:trackers_tracker_test", args=[tracker.pk])
    alice.post(address, {"count": "1"})
    result = PreviewResult.objects.get()
    judged = reverse("admin:trackers_tracker_judge", args=[tracker.pk])
    alice.post(judged, {"result": str(result.pk), "is_right": "no"})

    words = pages.read(alice.get(address)).text

    assert "Keywords are found as they were said, whatever was meant by them." in words
    assert "Says “expensive” Calls" in words
    assert "built-in analyser" not in words
    assert "of 1 as you expected" in words
    assert "What reviews teach" not in words
