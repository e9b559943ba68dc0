"""The threshold that reviews taught goes out with a tracker's file and comes in elsewhere."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from tests.trackers.admin.conftest import signed_in
from trackers import configuring
from trackers.configuring import Question, Settings
from trackers.models import Tracker

pytestmark = pytest.mark.django_db

IMPORT = reverse("admin:trackers_tracker_import")
EXPORT = reverse("admin:trackers_tracker_export")
OURS = Question(kind="PRETRAINED", pretrained="budget")
ASKED = Question(question="Did they ask?")


@pytest.fixture
def alice(world):
    return signed_in(world.alice)


def save(world, name: str, question: Question) -> Tracker:
    return configuring.save(
        company=world.acme,
        tracker_id=None,
        edit_number=None,
        settings=Settings(name=name),
        question=question,
        by=world.alice,
        now=timezone.now(),
    )


def look(client, text: str):
    return client.post(IMPORT, {"file": SimpleUploadedFile("trackers.csv", text.encode())})


def confirm(client, page):
    return client.post(IMPORT, {"token": page.context["preview"].token})


def rows(page) -> list[tuple[str, str]]:
    return [(one.name, one.what or one.reason) for one in page.context["preview"].outcomes]


@pytest.mark.parametrize("number", ["0", "1"])
def test_what_reviews_taught_goes_out_and_comes_in_elsewhere(alice, world, number):
    save(world, "Asked", ASKED)
    save(world, "Ours", OURS)
    Tracker.objects.filter(name="Ours").update(threshold="0.731250")
    text = alice.post(EXPORT, {"format": number, "resource": "0"}).content.decode()

    assert [what for _, what in rows(look(alice, text))] == ["Nothing changes"] * 2
    gina = signed_in(world.gina)
    confirm(gina, look(gina, text))

    theirs = Tracker.objects.filter(company=world.globex).order_by("name")
    assert {one.name: one.threshold for one in theirs} == {
        "Asked": None,
        "Ours": Decimal("0.731250"),
    }


def test_a_threshold_is_changed_by_its_column_only_and_the_history_says_so(alice, world):
    save(world, "Ours", OURS)
    found = []
    for text in (
        "name,threshold\nOurs,0.7\n",
        "name,language\nOurs,en\n",
        "name,threshold\nOurs,\n",
    ):
        confirm(alice, look(alice, text))
        found.append(Tracker.objects.get().threshold)

    assert found == [Decimal("0.7"), Decimal("0.7"), None]
    history = alice.get(reverse("admin:trackers_tracker_history", args=[Tracker.objects.get().pk]))
    content = history.content.decode()
    assert "Threshold: none → 0.700000" in content
    assert "Threshold: 0.700000 → none" in content


@pytest.mark.parametrize("cell", ["-0.1", "1.1", "0.1234567", "much", "1e-1", "true"])
def test_a_threshold_is_a_number_from_0_to_1(alice, world, cell):
    page = look(alice, f"name,question,threshold\nNew,Did they ask?,{cell}\n")

    assert rows(page) == [("New", "“threshold” is no number from 0 to 1 with at most six places.")]


def test_keywords_have_no_threshold(alice, world):
    page = look(alice, "name,kind,terms,threshold\nNew,KEYWORD,price,0.5\n")

    assert rows(page) == [
        ("New", "Keywords are found as they are said, so they have no “threshold”.")
    ]
