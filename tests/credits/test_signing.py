"""What the audit trail says of signing in and out."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.utils import timezone

from credits import sign_in
from credits.models import AuditEvent, AuditText, Membership, Role, User
from tests.support import people

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def _fast_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def enter(client: Client, email: str, password: str = people.PASSWORD):
    return client.post(LOGIN, {"username": email, "password": password, "next": "/admin/"})


def lines() -> list[AuditEvent]:
    return list(AuditEvent.objects.select_related("text").order_by("pk"))


def test_a_sign_in_is_on_the_trail_of_one_s_company(client, acme, alice):
    enter(client, alice.email.upper())

    (line,) = lines()
    assert (line.action, line.company) == ("SIGNED_IN", acme)
    assert (line.actor_ref, line.about_ref) == (alice.public_id, alice.public_id)
    assert line.text.actor_name == "Alice"


def test_of_several_companies_it_is_the_one_that_opens_first(client, acme, alice):
    aaron = people.company("Aaron")
    Membership.objects.create(user=alice, company=aaron, role=Role.VIEWER)

    enter(client, alice.email)

    assert lines()[0].company == aaron
    assert client.get("/admin/credits/").context["title"] == "Credits — Aaron"


def test_vendor_people_s_sign_ins_are_no_company_s(client):
    vera = people.vera()

    enter(client, vera.email)

    assert [(line.action, line.company) for line in lines()] == [("SIGNED_IN", None)]


def test_a_wrong_password_names_whose_door_it_was_and_nobody_as_the_actor(client, acme, alice):
    enter(client, alice.email, "guess")

    (line,) = lines()
    assert (line.action, line.company) == ("SIGN_IN_REFUSED", acme)
    assert (line.actor_kind, line.actor_ref) == ("NOBODY", None)
    assert (line.about_ref, line.text.subject_label) == (alice.public_id, "Alice")
    assert "_auth_user_id" not in client.session


def test_somebody_deactivated_is_refused(client, acme, alice):
    User.objects.filter(pk=alice.pk).update(is_active=False)

    enter(client, alice.email)

    assert [line.action for line in lines()] == ["SIGN_IN_REFUSED"]


def test_what_a_stranger_typed_is_not_kept(client):
    """People type their password where the e-mail address goes."""
    enter(client, "correct horse battery", "staple")

    (line,) = lines()
    assert (line.action, line.company, line.about_ref) == ("SIGN_IN_REFUSED", None, None)
    everything = json.dumps(
        [*AuditEvent.objects.values(), *AuditText.objects.values()], default=str
    )
    assert "horse" not in everything
    assert "staple" not in everything


def test_a_refusal_while_somebody_is_signed_in_is_no_act_of_theirs(client, alice):
    client.force_login(people.vera())

    enter(client, alice.email, "guess")

    (line,) = lines()
    assert (line.action, line.actor_kind) == ("SIGN_IN_REFUSED", "NOBODY")


def test_signing_out_is_written_once_and_only_by_somebody_signed_in(client, acme, alice):
    client.force_login(alice)

    client.get("/admin/logout/")
    assert lines() == []
    client.post("/admin/logout/")
    client.post("/admin/logout/")

    (line,) = lines()
    assert (line.action, line.company, line.actor_ref) == ("SIGNED_OUT", acme, alice.public_id)


def test_a_link_says_who_came_in_by_it_and_why_not(client, acme, alice):
    link = sign_in.new_link(user=alice, now=timezone.now())

    client.get(link)
    Client().get(link)
    Client().get("/sign-in/never-made/")

    used, again, unknown = lines()
    assert (used.action, used.actor_ref, used.company) == (
        "SIGNED_IN_BY_LINK",
        alice.public_id,
        acme,
    )
    assert (again.action, again.about_ref) == ("SIGN_IN_REFUSED", alice.public_id)
    assert "was used before" in again.text.reason
    assert (unknown.action, unknown.about_ref, unknown.company) == ("SIGN_IN_REFUSED", None, None)


def test_a_password_that_was_not_changed_leaves_no_line(client, alice):
    client.force_login(alice)

    client.post("/admin/password_change/", {"old_password": "guess"})

    assert lines() == []
