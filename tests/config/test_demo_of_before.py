"""Data that an earlier version made, or that visitors have changed, starts all the same."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management.base import CommandError

from config.demo import dataset, seeding
from config.management.commands import demo
from credits.models import Company, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def northwind():
    """The demo's company and its six people, without their history."""
    for login in dataset.facts(seeding.FIRST)["logins"]:
        User.objects.create(email=login["email"], name=login["name"])
    return Company.objects.create(
        name="Northwind", slug=seeding.FIRST, time_zone="Europe/Berlin", is_demo=True
    )


def welcome(company) -> str:
    said = StringIO()
    demo.Command(stdout=said)._welcome(company, 8001)
    return said.getvalue()


def test_all_six_are_named_and_nobody_is_missed(northwind):
    text = welcome(northwind)

    assert text.count("@") == 6
    assert "tech admin of Northwind (once, within 15 minutes):" in text
    assert "Not there" not in text


def test_who_is_not_there_is_said_with_the_way_to_get_them(northwind):
    User.objects.filter(email="otto@tallystick.example").delete()

    text = welcome(northwind)

    assert text.count("@") == 5
    assert (
        "Not there, since an earlier version made this data or somebody removed them: "
        "vendor staff, to approve what the first asks for.\n"
        "“manage.py demo --reset” removes the data"
    ) in text


def test_without_the_tech_admin_the_link_is_for_the_next(northwind):
    facts = dataset.facts(seeding.FIRST)["logins"]
    (tech,) = [login["email"] for login in facts if login["role"] == "tech_admin"]
    User.objects.filter(email=tech).update(is_active=False)

    assert "business admin of Northwind (once, within 15 minutes):" in welcome(northwind)


def test_where_nobody_can_sign_in_the_start_is_refused_in_a_sentence(northwind, monkeypatch):
    User.objects.update(is_active=False)
    monkeypatch.setattr(demo, "_migrate", lambda: None)

    with pytest.raises(CommandError, match="demo --reset"):
        demo.Command()._prepare(reset=False)
