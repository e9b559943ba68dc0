"""``manage.py limits``, and ``create_api_key --limit``."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from credits import limits
from credits.models import ApiKey, AuditEvent, SpendingLimit
from tests.credits.test_limits import charge, limit
from tests.support import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company("Acme", time_zone="UTC")
    people.credits_for(company, "100")
    return company


@pytest.fixture
def run(acme, capsys):
    def running(*options: str) -> str:
        call_command("limits", *options, company=acme.slug)
        return capsys.readouterr().out.strip()

    return running


def refusal_of(run, *options: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(*options)
    assert refused.value.returncode == 2
    return str(refused.value)


COMPANY = ("--of", "COMPANY", "--window", "MONTH", "--credits", "40")


def test_a_limit_is_set_listed_and_ended(acme, run):
    charge(acme, "12.5")

    made = json.loads(run("set", *COMPANY, "--json"))

    assert (made["credits"], made["used"], made["left"]) == ("40.0", "12.5", "27.5")
    assert json.loads(run("list", "--json")) == {"limits": [made]}
    assert "40.0 credits a month for the whole company: 12.5 used, 27.5 left" in run("list")
    assert run("end", "--id", made["id"]) == ("Ended: 40.0 credits a month for the whole company.")
    assert run("list") == "No limit is in force."
    trail = AuditEvent.objects.filter(subject_type="credits.spendinglimit").order_by("id")
    assert [(line.action, line.door, line.actor_kind, line.job) for line in trail] == [
        ("ADDED", "COMMAND", "SYSTEM", "limits"),
        ("CANCELLED", "COMMAND", "SYSTEM", "limits"),
    ]


def test_a_dry_run_says_it_and_changes_nothing(acme, run):
    made = limit(acme, "50", window="MONTH")
    charge(acme, "12.5")

    said = json.loads(run("set", *COMPANY, "--dry-run", "--json"))

    assert said == {
        "dry_run": True,
        "name": "Acme",
        "window": "MONTH",
        "credits_before": "50.0",
        "credits": "40.0",
        "used": "12.5",
        "left": "27.5",
    }
    assert run("set", *COMPANY, "--dry-run").endswith("Nothing was changed: this was a dry run.")
    assert "Nothing was changed." in run("end", "--id", str(made.pk), "--dry-run")
    (one,) = limits.standing(company=acme)
    assert one.limit.credits == Decimal("50.000")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("set", "--of", "COMPANY"), "set needs --of, --window and --credits."),
        (
            ("set", *COMPANY[:-1], "many"),
            "--credits is a number with at most three decimal places, not “many”.",
        ),
        (
            ("set", *COMPANY[:-1], "1.2345"),
            "--credits is a number with at most three decimal places, not “1.2345”.",
        ),
        (
            ("set", "--of", "TRACKER", "--ref", "Nobody", *COMPANY[2:]),
            "There is no tracker “Nobody” in this company.",
        ),
        (("end", "--id", "7"), "Acme has no limit “7”; “limits list” prints their ids."),
        (("end",), "Acme has no limit “”; “limits list” prints their ids."),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(run, options, sentence):
    assert refusal_of(run, *options) == sentence
    assert not SpendingLimit.objects.exists()


def test_a_limit_that_has_ended_is_not_ended_again(acme, run):
    made = limit(acme, "50")
    limits.end(limit=made, by=None)

    assert refusal_of(run, "end", "--id", str(made.pk)) == (
        "This limit was ended before; set it again if it is needed."
    )


def test_a_key_is_made_with_a_limit(acme, capsys):
    options = {"company": acme.slug, "name": "asker", "scope": ["ask"], "json": True}

    call_command("create_api_key", **options, limit="500", limit_window="DAY")

    said = json.loads(capsys.readouterr().out)
    assert (said["limit"], said["limit_window"]) == ("500.0", "DAY")
    (one,) = limits.standing(company=acme)
    assert (one.limit.api_key, one.limit.window) == (ApiKey.objects.get(), "DAY")
    assert one.left == Decimal("500.000")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("many", "--limit is a number with at most three decimal places, not “many”."),
        ("-5", "A limit is from 0 to 1,000,000,000 credits."),
    ],
)
def test_with_a_limit_that_is_none_no_key_is_made(acme, given, sentence):
    with pytest.raises(CommandError) as refused:
        call_command("create_api_key", company=acme.slug, name="asker", scope=["ask"], limit=given)

    assert (str(refused.value), refused.value.returncode) == (sentence, 2)
    assert not ApiKey.objects.exists()
