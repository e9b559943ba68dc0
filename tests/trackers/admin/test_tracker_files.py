"""Tracker configuration out as a file and in again: shown first, and never published by it."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from credits.models import AuditEvent
from tests.support import conversations, people
from tests.support.conversations import record
from tests.trackers.admin.conftest import signed_in
from trackers import configuring, publishing
from trackers.configuring import FilterValue, Question, Settings
from trackers.models import FilterField, Scan, Team, TeamMember, Tracker, TrackerFilter

pytestmark = pytest.mark.django_db

LIST = reverse("admin:trackers_tracker_changelist")
IMPORT = reverse("admin:trackers_tracker_import")
EXPORT = reverse("admin:trackers_tracker_export")
HEADER = (
    "name,kind,question,details,answer_type,choices,side,part,part_minutes,terms,related_forms,"
    "pretrained,description,calls,emails,language,examples,counter_examples,catch_up,campaign_end_date,"
    "threshold,teams,teams_excluded,users,users_excluded,account_types,account_types_excluded,deal_stages,"
    "deal_stages_excluded"
)


def save(company, by, name, question, **settings) -> Tracker:
    return configuring.save(
        company=company,
        tracker_id=None,
        edit_number=None,
        settings=Settings(name=name, **settings),
        question=question,
        by=by,
        now=timezone.now(),
    )


@pytest.fixture
def alice(world):
    return signed_in(world.alice)


@pytest.fixture
def full(world):
    """One tracker of each kind, with everything that can be configured."""
    conversations.ingest(world.acme, record("call", language="de"))
    team = Team.objects.get(company=world.acme)
    rep = TeamMember.objects.get(company=world.acme)
    save(
        world.acme,
        world.alice,
        "=1+1",
        Question(
            question="Did the customer object?",
            details="Line one.\nLine “two”, with, commas",
            side="CUSTOMER",
            answer_type="CATEGORY",
            choices=("price", "time"),
            part="FIRST",
            part_minutes=10,
        ),
        description="-2",
        include_emails=True,
        examples=("Too dear.", "@SUM(A1)", "two\nlines"),
        counter_examples=("Fine.",),
        catch_up=False,
        campaign_end_date=date(2027, 6, 30),
        filters=frozenset(
            {
                FilterValue(FilterField.TEAM, team.pk),
                FilterValue(FilterField.USER, rep.pk),
                FilterValue(FilterField.ACCOUNT_TYPE, "prospect"),
            }
        ),
    )
    terms = Question(kind="KEYWORD", terms=("Preis", "C++"), related_forms=True, side="REP")
    save(world.acme, world.alice, "Words", terms, language="de")
    save(world.acme, world.alice, "Ours", Question(kind="PRETRAINED", pretrained="budget"))


def export(client, number: str) -> str:
    answer = client.post(EXPORT, {"format": number, "resource": "0"})
    assert answer.status_code == 200
    assert not answer.context, [str(one) for one in answer.context["messages"]]
    return answer.content.decode()


def look(client, content, name="trackers.csv"):
    data = content if isinstance(content, bytes) else content.encode()
    return client.post(IMPORT, {"file": SimpleUploadedFile(name, data)})


def confirm(client, page):
    return client.post(IMPORT, {"token": page.context["preview"].token})


def rows(page) -> list[tuple[str, str]]:
    return [(one.name, one.what or one.reason) for one in page.context["preview"].outcomes]


def test_a_file_has_its_columns_and_nothing_that_a_spreadsheet_runs(alice, full):
    text = export(alice, "0")

    assert text.split("\r\n")[0] == HEADER
    by_name = {row["name"]: row for row in csv.DictReader(io.StringIO(text))}
    asked = by_name["'=1+1"]
    assert asked["description"] == "'-2"
    assert asked["examples"] == '["Too dear.", "@SUM(A1)", "two\\nlines"]'
    assert (asked["kind"], asked["part"], asked["part_minutes"]) == ("QUESTION", "FIRST", "10")
    assert (asked["teams"], asked["users"]) == ('["EMEA Sales"]', '["rep@acme.example"]')
    assert (asked["calls"], asked["emails"], asked["catch_up"]) == ("yes", "yes", "no")
    ends = (asked["campaign_end_date"], by_name["Words"]["campaign_end_date"])
    assert ends == ("2027-06-30", "")
    assert by_name["Words"]["terms"] == '["Preis", "C++"]'
    assert (by_name["Words"]["question"], by_name["Words"]["language"]) == ("", "de")
    assert (by_name["Ours"]["pretrained"], by_name["Ours"]["side"]) == ("budget", "CUSTOMER")
    assert not any(
        cell.startswith(("=", "+", "-", "@")) for row in by_name.values() for cell in row.values()
    )


@pytest.mark.parametrize("number", ["0", "1"])
def test_what_was_exported_changes_nothing_here_and_makes_the_same_elsewhere(
    alice, full, world, number
):
    text = export(alice, number)
    before = [configuring.settings_of(one) for one in Tracker.objects.order_by("name")]

    here = look(alice, text)
    assert [what for _, what in rows(here)] == ["Nothing changes"] * 3

    conversations.ingest(world.globex, record("call", language="de"))
    gina = signed_in(world.gina)
    answer = confirm(gina, look(gina, text))

    assert answer.status_code == 302
    for name in ("=1+1", "Words", "Ours"):
        ours = Tracker.objects.get(company=world.acme, name=name)
        theirs = Tracker.objects.get(company=world.globex, name=name)
        assert configuring.question_of(ours.versions.get()) == configuring.question_of(
            theirs.versions.get()
        )
        assert theirs.state == "DRAFT"
        assert theirs.kind == ours.kind
        for name in ("examples", "language", "catch_up", "campaign_end_date"):
            assert getattr(theirs, name) == getattr(ours, name)
    assert not TrackerFilter.objects.filter(
        tracker__company=world.globex, team__company=world.acme
    ).exists()
    assert [
        configuring.settings_of(one)
        for one in Tracker.objects.filter(company=world.acme).order_by("name")
    ] == before


APOSTROPHES = ["'=x", "=x", "''=x", "'", "' plain", "'plain", "'\t=x", "'＝x", "＝z"]


@pytest.mark.parametrize("number", ["0", "1"])
def test_texts_that_begin_with_apostrophes_come_back_as_they_were(alice, world, number):
    for name in APOSTROPHES:
        asked = Question(question="'+q Did they object?", details="'@d")
        save(world.acme, world.alice, name, asked, description="'-d", examples=("'=e", "=e"))

    page = look(alice, export(alice, number))

    assert [what for _, what in rows(page)] == ["Nothing changes"] * 9


def test_a_file_written_before_keeps_its_texts_without_the_guard(alice, world):
    confirm(alice, look(alice, "name,question,description\n'=1+1,'-Did they?,'plain\n"))

    tracker = Tracker.objects.get(company=world.acme)
    assert (tracker.name, tracker.description) == ("=1+1", "'plain")
    assert tracker.versions.get().question == "-Did they?"


def test_nothing_is_written_before_it_is_confirmed(alice, world):
    page = look(alice, "name,question\nNew,Did they ask?\n")

    assert rows(page) == [("New", "New draft")]
    assert not Tracker.objects.filter(company=world.acme).exists()
    assert not AuditEvent.objects.filter(action="ADDED", subject_type="trackers.tracker").exists()

    confirm(alice, page)

    tracker = Tracker.objects.get(company=world.acme)
    assert (tracker.state, tracker.versions.get().question) == ("DRAFT", "Did they ask?")
    assert AuditEvent.objects.filter(action="ADDED", subject_type="trackers.tracker").count() == 1


def test_each_row_says_why_it_is_left_out_and_the_others_are_taken(alice, world):
    text = json.dumps(
        [
            {"name": "Good", "question": "Did they ask?"},
            {"name": "", "question": "x"},
            {"name": "No question"},
            {"name": "Good", "question": "Again?"},
            {"name": "Team", "question": "x", "teams": ["Nobody"]},
            {"name": "User", "question": "x", "users": ["nobody@acme.example"]},
            {"name": "Type", "question": "x", "account_types": ["none"]},
            {"name": "Oracle", "kind": "ORACLE", "question": "x"},
            {"name": "Ours", "kind": "PRETRAINED", "pretrained": "none"},
            {"name": "Yes", "question": "x", "calls": "perhaps"},
            {"name": "Minutes", "question": "x", "part": "FIRST", "part_minutes": "1e3"},
            {"name": "Number", "question": 7},
            {"name": "NUL", "question": "a\x00b"},
            {"name": "Half \ud800", "question": "x"},
            {"name": "Long", "question": "x" * 2001},
            {"name": "List", "question": "x", "examples": [{"a": 1}]},
            {"name": "Language", "question": "x", "language": "klingon"},
        ]
    )

    page = look(alice, text)

    assert [what for _, what in rows(page)] == [
        "New draft",
        "Give the tracker a name.",
        (
            "A tracker needs a question. Say who did what, such as “Did the customer ask for a "
            "discount?”."
        ),
        "The file has the tracker “Good” twice.",
        "The company has no team “Nobody”.",
        "The company has no user “nobody@acme.example”.",
        "The company has no account type “none”. Take it out of the filters.",
        "“kind” is “ORACLE”; it should be QUESTION, KEYWORD or PRETRAINED.",
        "There is no pretrained tracker “none”.",
        "“calls” is neither yes nor no.",
        "“part_minutes” is no whole number.",
        "“question” is no text.",
        "“question” holds a NUL character.",
        "“name” holds half a character.",
        "Question of at most 2000 characters each.",
        "“examples” is no text.",
        "“language” is “klingon”; it should be a code such as en, or empty.",
    ]
    confirm(alice, page)
    assert [one.name for one in Tracker.objects.filter(company=world.acme)] == ["Good"]


def test_a_published_tracker_keeps_its_version_and_nothing_becomes_payable(alice, world):
    people.credits_for(world.acme, "10")
    tracker = conversations.published(world.acme, world.alice)
    scans = Scan.objects.count()
    text = "name,question,emails\nPricing objection,Did they say it is too dear?,yes\n"

    page = look(alice, text)
    confirm(alice, page)

    assert rows(page) == [
        (
            "Pricing objection",
            "Changed question: a draft; the version in force stays until somebody publishes",
        )
    ]
    tracker.refresh_from_db()
    assert (tracker.state, tracker.current_version.number) == ("PUBLISHED", 1)
    assert tracker.current_version.question == "Did the customer object to the price?"
    assert publishing.draft_version(tracker).question == "Did they say it is too dear?"
    assert tracker.include_emails is True
    assert tracker.examples == ["That is too expensive.", "We have no budget for this."]
    assert Scan.objects.count() == scans


def test_settings_alone_make_no_version(alice, world):
    conversations.published(world.acme, world.alice)

    page = look(alice, "name,examples\nPricing objection,Too dear.\n")
    confirm(alice, page)

    assert rows(page) == [("Pricing objection", "Changed settings, in force at once")]
    tracker = Tracker.objects.get(company=world.acme)
    assert (tracker.versions.count(), tracker.examples) == (1, ["Too dear."])


def test_a_file_cannot_change_a_tracker_s_kind(alice, world):
    conversations.tracker(world.acme)

    page = look(alice, "name,kind,terms\nPricing objection,KEYWORD,dear\n")

    assert rows(page) == [
        ("Pricing objection", "A tracker keeps its kind. Make a new one instead.")
    ]


def test_what_was_changed_since_it_was_shown_is_shown_again(alice, world):
    tracker = conversations.tracker(world.acme)
    page = look(alice, "name,examples\nPricing objection,Mine.\n")
    Tracker.objects.filter(pk=tracker.pk).update(edit_number=7, examples=["Lee's."])

    again = confirm(alice, page)

    assert again.context["problems"] == [
        "Something changed since you looked. Nothing was imported; this is what it does now."
    ]
    assert Tracker.objects.get(pk=tracker.pk).examples == ["Lee's."]
    assert confirm(alice, again).status_code == 302
    assert Tracker.objects.get(pk=tracker.pk).examples == ["Mine."]


def test_a_preview_is_for_one_person_and_one_company(alice, world):
    page = look(alice, "name,question\nNew,Did they ask?\n")
    token = page.context["preview"].token

    for other in (signed_in(world.bob), signed_in(world.gina)):
        answer = other.post(IMPORT, {"token": token})
        assert answer.context["problems"] == [
            "This preview is no longer good. Choose the file again."
        ]
    forged = alice.post(IMPORT, {"token": token[:-2]})
    assert forged.context["problems"] == ["This preview is no longer good. Choose the file again."]
    assert not Tracker.objects.exists()


def test_an_export_holds_one_company_s_trackers_only(alice, full, world):
    conversations.tracker(world.globex, "Canary")

    assert "Canary" not in export(alice, "1")
    assert "=1+1" not in export(signed_in(world.gina), "1")


HOSTILE = {
    "not text": (b"\xff\xfe\x00n", "The file is not UTF-8 text. Save it as CSV (UTF-8) or JSON."),
    "NUL": (b"name\n\x00\n", "The file holds NUL characters. Save it as CSV (UTF-8) or JSON."),
    "blank": (b" \n", "The file has no tracker in it."),
    "header only": (b"name,question\n", "The file has no tracker in it."),
    "an empty list": (b"[]", "The file has no tracker in it."),
    "half a JSON": (b'[{"name": "x"', "The file cannot be read: it is not JSON."),
    "an object": (b'{"name": "x"}', "The file is not a list of trackers, [{“name”: …}, …]."),
    "numbers": (b"[1, 2]", "The file is not a list of trackers, [{“name”: …}, …]."),
    "no number": (b'[{"name": NaN}]', "The file cannot be read: it is not JSON."),
    "deep": (b"[" * 200_000, "The file cannot be read: it is not JSON."),
    "twice in an object": (
        b'[{"name": "x", "name": "y"}]',
        "The file cannot be read: a tracker in it names something twice.",
    ),
    "a column twice": (b"name,name\nx,y\n", "The file has a column twice. Take one of them out."),
    "a ragged row": (b"name,kind\nx\n", "Row 1 of the file has 1 cells and the head 2."),
    "an open quote": (b'name\n"x\n', "The file cannot be read: it is neither CSV nor JSON."),
    "a cell without end": (
        b"name\n" + b"x" * 200_000,
        "The file cannot be read: it is neither CSV nor JSON.",
    ),
    "too many": (
        b"name\n" + b"x\n" * 501,
        "The file has 501 trackers; at most 500 at once. Split it.",
    ),
    "too large": (b"name\n" + b"x" * 1024 * 1024, "The file is larger than 1024 kB. Split it."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_one_sentence(alice, name):
    content, sentence = HOSTILE[name]

    page = look(alice, content)

    assert page.status_code == 200
    assert page.context["problems"] == [sentence]
    assert sentence in page.content.decode().replace("&quot;", '"')


def test_an_unknown_column_is_refused_by_name(alice):
    page = look(alice, b"name,company,state\nx,Globex,PUBLISHED\n")

    [problem] = page.context["problems"]
    assert problem.startswith(("The file has a column “company”", "The file has a column “state”"))
    assert "which trackers do not have" in problem


def test_an_empty_upload_and_none_are_refused(alice):
    assert alice.post(IMPORT, {}).context["form"].errors == {"file": ["This field is required."]}
    empty = look(alice, b"").context["form"].errors
    assert empty == {"file": ["The submitted file is empty."]}


def test_who_may_not_edit_trackers_may_not_import_any(world):
    for person in (world.vic, world.vera):
        assert signed_in(person).get(IMPORT).status_code == 403


def test_the_list_leads_to_both(alice):
    page = alice.get(LIST).content.decode()

    assert IMPORT in page
    assert EXPORT in page
