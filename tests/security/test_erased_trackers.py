"""What people wrote into trackers of somebody, and of what they said, is in no dump afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from credits.models import Company
from tests.security.acts_of_intake import confirmed_act
from tests.security.test_erased_words import post, reports
from tests.support import api, conversations, dumping, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import configuring, retention
from trackers.configuring import Question, Settings
from trackers.models import Conversation, Retention, Tracker

NAME, ADDRESS = "Zebedee Quillfeather", "zebedee.q@canary.example"
SENTENCE = "My flamingo chandelier collapsed yesterday and we need forty zorkmids of discount."
TITLE = "Flamingo chandelier and the six wobbly otters"
# As they may stand anywhere, in lower case.
SAID = ["flamingo", "chandelier", "collapsed yesterday", "forty zorkmids", "wobbly otters"]
CALLED = ["zebedee", "quillfeather", "canary.example"]


def plant(acme: Company) -> None:
    """Import the call, and write of it into every field of trackers, drafts given up included."""
    people.credits_for(acme, "20")
    zebedee = {"id": "c", "name": NAME, "email": ADDRESS, "role": "external"}
    said = [{"id": "u0", "speaker": "c", "start": 0.0, "text": f"{SENTENCE} I am {NAME}."}]
    started = timezone.now() - timedelta(days=9)
    call = record("crm-1", title=TITLE, participants=[zebedee], utterances=said, started_at=started)
    conversations.ingest(acme, call)
    question = Question(
        question="Is it so that “my flamingo chandelier – collapsed yesterday!” again?",
        details=f"As in\n{SENTENCE.upper()}",
        answer_type="CATEGORY",
        choices=("we need forty zorkmids of discount", "none"),
    )
    settings = Settings(
        name=f"On {TITLE.lower()}",
        description=f"ask Quillfeather, Zebedee ({TITLE!r}), QUILLFEATHER ZEBEDEE says more",
        examples=("They broke things.", f"He said: {SENTENCE}"),
    )
    save(acme, settings, question)
    # Of a draft that was changed, only the trail has the words.
    first = Question(question="Did they object?", details="CHANDELIER collapsed yesterday and we")
    changed = save(acme, Settings(name="Changed"), first)
    save(acme, Settings(name="Changed"), Question(question="Did they object?"), tracker=changed)
    words = ("zorkmid", "Zebedee", "price", "Quillfeather")
    save(acme, Settings(name="Words"), Question(kind="KEYWORD", terms=words))
    save(acme, Settings(name="Address"), Question(kind="KEYWORD", terms=(ADDRESS, "price")))
    row = ("my", "flamingo", "chandelier", "collapsed", "yesterday", "price")
    save(acme, Settings(name="Row"), Question(kind="KEYWORD", terms=row))
    body = {"name": "Sent", "kind": "KEYWORD", "terms": ["Zebedee", "budget", "Quillfeather"]}
    assert post(acme, api.admin(acme), "trackers", body).status_code == 201


def save(acme, settings: Settings, question: Question, tracker: Tracker | None = None) -> Tracker:
    return configuring.save(
        company=acme,
        tracker_id=tracker and tracker.pk,
        edit_number=tracker and tracker.edit_number,
        settings=settings,
        question=question,
        by=people.member(acme, "TECH_ADMIN", f"Ada{Tracker.objects.count()}{bool(tracker)}"),
        now=timezone.now(),
    )


def by_the_page(acme: Company) -> None:
    page = reverse("admin:trackers_conversation_erase-address")
    confirmed_act(signed_in(people.alice(acme)), page, email=ADDRESS, reason="Asked for by letter")


def by_age(acme: Company) -> None:
    Retention.objects.create(company=acme, days=7)
    assert retention.erase_old(clock=timezone.now) == 1


DOORS = {
    "the command, by address": (
        lambda acme: call_command("erase_personal_data", company=acme.slug, email=ADDRESS),
        SAID + CALLED,
    ),
    "the page, by address": (by_the_page, SAID + CALLED),
    # Nobody is named there: what was said and the title go, and who is written of stays.
    "the command, by id": (
        lambda acme: call_command("erase_personal_data", company=acme.slug, external_id="crm-1"),
        SAID,
    ),
    "the nightly task, by age": (by_age, SAID),
}


@pytest.mark.parametrize("door", DOORS)
def test_no_tracker_says_what_was_erased_and_no_dump(committed, door):
    acme = people.company()
    plant(acme)
    erase, words = DOORS[door]
    assert dumping.found_in(dumping.dump(committed).lower(), words) == words
    figures = reports(acme)

    erase(acme)

    assert Conversation.objects.get().erased_at is not None
    assert dumping.found_in(dumping.dump(committed).lower(), words) == []
    quoting = Tracker.objects.get(name__startswith="On ")
    assert (quoting.name, quoting.examples) == ("On [erased]", ["They broke things."])
    version = quoting.versions.get()
    assert (version.question, version.details, version.choices) == (
        "Is it so that “[erased]!” again?",
        "As in\n[erased].",
        ["[erased]", "none"],
    )
    assert reports(acme) == figures
    call_command("check_ledger", allow_test_clock=True)
