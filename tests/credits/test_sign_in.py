"""One-time sign-in links: good once, for 15 minutes, and the database never holds the secret."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits import sign_in
from credits.models import SignInLink
from tests.support import people

PASSWORD = "a horse of another color 7"
FIFTEEN_MINUTES = timedelta(minutes=15)


@pytest.fixture
def alice():
    return people.alice(people.company("Acme"))


def secret_of(path: str) -> str:
    return path.strip("/").rpartition("/")[2]


@pytest.mark.django_db
def test_the_link_lands_signed_in_on_the_credits_page(client, alice):
    link = sign_in.new_link(user=alice, now=timezone.now())

    page = client.get(link, follow=True)

    assert page.redirect_chain == [("/admin/credits/", 302)]
    assert page.status_code == 200
    assert page.context["user"] == alice
    assert page.context["title"] == "Credits — Acme"


@pytest.mark.django_db
def test_whoever_was_signed_in_before_leaves_nothing_behind(client, alice):
    acme = alice.memberships.get().company
    client.force_login(people.vera())
    client.post("/admin/company/", {"company": acme.pk})
    link = sign_in.new_link(user=alice, now=timezone.now())

    client.get(link)

    assert client.session["_auth_user_id"] == str(alice.pk)
    assert "company_id" not in client.session


@pytest.mark.django_db
def test_nothing_of_the_link_is_cached_or_told_to_other_sites(client, alice):
    link = sign_in.new_link(user=alice, now=timezone.now())

    answer = client.get(link)

    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "no-referrer"


@pytest.mark.django_db
def test_a_second_use_is_gone_in_one_sentence(client, alice):
    link = sign_in.new_link(user=alice, now=timezone.now())
    client.get(link)
    client.logout()

    again = client.get(link)

    assert again.status_code == 410
    assert "This sign-in link was used before and works only once" in again.content.decode()
    assert "no-store" in again["Cache-Control"]
    assert again["Referrer-Policy"] == "no-referrer"
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_a_link_of_15_minutes_ago_signs_nobody_in(client, alice):
    link = sign_in.new_link(user=alice, now=timezone.now() - FIFTEEN_MINUTES)

    late = client.get(link)

    assert late.status_code == 410
    assert "This sign-in link is too old and works no more" in late.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_a_link_works_until_its_last_instant_and_not_at_its_end(alice):
    start = timezone.now()
    first = secret_of(sign_in.new_link(user=alice, now=start))
    second = secret_of(sign_in.new_link(user=alice, now=start))
    last_instant = start + FIFTEEN_MINUTES - timedelta(microseconds=1)

    assert sign_in.use(secret=first, now=last_instant) == alice
    with pytest.raises(sign_in.LinkExpired):
        sign_in.use(secret=second, now=start + FIFTEEN_MINUTES)


@pytest.mark.django_db
def test_a_link_nobody_made_is_gone(client):
    answer = client.get(reverse("sign_in", args=["made-up"]))

    assert answer.status_code == 410
    assert "was never made" in answer.content.decode()


@pytest.mark.django_db
def test_a_person_made_inactive_meanwhile_is_not_signed_in(client, alice):
    link = sign_in.new_link(user=alice, now=timezone.now())
    alice.is_active = False
    alice.save()

    answer = client.get(link)

    assert answer.status_code == 410
    assert "may no longer sign in" in answer.content.decode()
    assert SignInLink.objects.get().used_at is None


@pytest.mark.django_db
def test_a_program_that_only_looks_does_not_use_the_link_up(client, alice):
    link = sign_in.new_link(user=alice, now=timezone.now())

    assert client.head(link).status_code == 405
    assert client.post(link).status_code == 405
    assert client.get(link).status_code == 302


@pytest.mark.django_db
def test_the_database_holds_no_secret(alice):
    secret = secret_of(sign_in.new_link(user=alice, now=timezone.now()))

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(link)::text FROM credits_signinlink AS link")
        (row,) = cursor.fetchone()

    assert len(secret) == 43
    assert secret not in row
    assert secret.encode().hex() not in row


def test_of_two_uses_at_once_one_wins(committed):
    alice = people.alice(people.company())
    now = timezone.now()
    secret = secret_of(sign_in.new_link(user=alice, now=now))
    told = []

    def use_meanwhile():
        try:
            told.append(sign_in.use(secret=secret, now=now))
        except sign_in.LinkUsed:
            told.append("used")
        finally:
            connection.close()

    other = threading.Thread(target=use_meanwhile)
    with transaction.atomic():
        assert sign_in.use(secret=secret, now=now) == alice
        other.start()
        _wait_until_somebody_waits()
    other.join()

    assert told == ["used"]


def _wait_until_somebody_waits() -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            # Within a transaction the view would stay as it was at the first look.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("The second use never reached the row.")


@pytest.mark.django_db
def test_the_command_prints_a_path_that_signs_in(client, alice, capsys):
    call_command("sign_in_link", alice.email.upper())
    path = capsys.readouterr().out.strip()

    client.get(path)

    assert client.session["_auth_user_id"] == str(alice.pk)


@pytest.mark.django_db
def test_the_command_makes_no_link_for_an_unknown_address(capsys):
    with pytest.raises(CommandError) as refusal:
        call_command("sign_in_link", "nobody@acme.example")

    assert str(refusal.value) == "There is nobody with the e-mail address “nobody@acme.example”."
    assert refusal.value.returncode == 2
    assert SignInLink.objects.count() == 0


@pytest.mark.django_db
def test_the_command_makes_no_link_for_somebody_inactive(alice):
    alice.is_active = False
    alice.save()

    with pytest.raises(CommandError) as refusal:
        call_command("sign_in_link", alice.email)

    assert str(refusal.value) == f"{alice.email} may no longer sign in."
    assert refusal.value.returncode == 2
    assert SignInLink.objects.count() == 0


@pytest.fixture
def dana():
    """A member who was invited and has not chosen a password."""
    return people.newcomer(people.company("Acme"))


def is_too_old(link: str) -> bool:
    page = Client().get(link)
    return page.status_code == 410 and "too old and works no more" in page.content.decode()


@pytest.mark.django_db
def test_a_first_password_ends_the_older_links(client, dana):
    first = sign_in.new_link(user=dana, now=timezone.now())
    client.get(sign_in.new_link(user=dana, now=timezone.now()))

    client.post("/admin/password/", {"new_password1": PASSWORD, "new_password2": PASSWORD})

    assert Client().login(username=dana.email, password=PASSWORD)
    assert is_too_old(first)


@pytest.mark.django_db
def test_another_password_ends_the_older_links(client, alice):
    link = sign_in.new_link(user=alice, now=timezone.now())
    client.force_login(alice)

    client.post(
        "/admin/password_change/",
        {"old_password": people.PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD},
    )

    assert Client().login(username=alice.email, password=PASSWORD)
    assert is_too_old(link)


@pytest.mark.django_db
def test_a_membership_taken_away_ends_the_person_s_links(client, dana):
    membership = dana.memberships.get()
    link = sign_in.new_link(user=dana, now=timezone.now())
    client.force_login(people.vera())

    client.post(f"/admin/credits/membership/{membership.pk}/delete/", {"post": "yes"})

    assert not dana.memberships.exists()
    assert is_too_old(link)


@pytest.mark.django_db
def test_a_membership_taken_away_on_the_person_s_page_ends_their_links(client, dana):
    membership = dana.memberships.get()
    link = sign_in.new_link(user=dana, now=timezone.now())
    client.force_login(people.vera())

    client.post(
        f"/admin/credits/user/{dana.pk}/change/",
        {
            "email": dana.email,
            "name": dana.name,
            "is_active": "on",
            "memberships-TOTAL_FORMS": "1",
            "memberships-INITIAL_FORMS": "1",
            "memberships-0-id": membership.pk,
            "memberships-0-user": dana.pk,
            "memberships-0-company": membership.company_id,
            "memberships-0-role": membership.role,
            "memberships-0-DELETE": "on",
        },
    )

    assert not dana.memberships.exists()
    assert is_too_old(link)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes", [{"is_active": ""}, {"email": "dana@elsewhere.example"}], ids=["off", "moved"]
)
def test_a_person_who_is_deactivated_or_moves_keeps_no_old_link(client, dana, changes):
    link = sign_in.new_link(user=dana, now=timezone.now())
    client.force_login(people.vera())
    form = {"email": dana.email, "name": dana.name, "is_active": "on"}
    rows = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}

    for fields in (form | changes, form | {"email": "dana@elsewhere.example"}):
        client.post(f"/admin/credits/user/{dana.pk}/change/", fields | rows)

    dana.refresh_from_db()
    assert (dana.email, dana.is_active) == ("dana@elsewhere.example", True)
    assert is_too_old(link)


@pytest.mark.django_db
def test_a_link_made_afterwards_works(alice):
    now = timezone.now()
    sign_in.new_link(user=alice, now=now)
    ended = sign_in.end_links(user=alice, now=now)

    later = secret_of(sign_in.new_link(user=alice, now=now))

    assert ended == 1
    assert sign_in.use(secret=later, now=now) == alice
