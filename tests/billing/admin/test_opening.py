"""One page opens a company, and its first person arrives by e-mail (SPEC §2, issue 3.4)."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import Allocation, Contract, SeatCount
from credits import balances, invitations, reconciliation
from credits.models import Company, CreditGrant, CreditPool, Membership, SignInLink, User
from tests.billing.admin.test_purchases import confirmed, seen_on
from tests.support import mail_sink, pages, people
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

URL = "/admin/credits/company/add/"
PASSWORD = "a fresh start every day"


@pytest.fixture
def vera():
    return people.vera()


@pytest.fixture
def client(vera):
    return signed_in(vera)


def wish(**changes) -> dict[str, str]:
    today = timezone.now().date()
    return {
        "name": "Nova",
        "slug": "",
        "time_zone": "Asia/Tokyo",
        "starts_on": (today - timedelta(days=5)).isoformat(),
        "ends_on": "",
        "period": "YEAR",
        "introductory_amount": "5000",
        "introductory_days": "90",
        "approval_limit": "100000",
        "purchase_months": "12",
        "seat_name": "Seat",
        "seat_count": "10",
        "seat_credits": "2000",
        "admin_email": "Dana@Nova.example",
        "admin_name": "Dana",
        "key": str(uuid.uuid4()),
    } | changes


def test_one_page_opens_a_company_with_everything_it_needs(vera, client):
    form = wish()

    page = pages.read(client.post(URL, form))
    nothing_yet = Company.objects.count()
    answer = confirmed(client, URL, form)

    assert page.figure("allocation-amount") == "20000.0"
    assert "5,000.0 introductory credits are given." in page.text
    assert "dana@nova.example" in page.text
    assert nothing_yet == 0
    nova = Company.objects.get(slug="nova")
    assert answer["Location"] == reverse("admin:credits_company_change", args=[nova.pk])
    assert (nova.name, nova.time_zone) == ("Nova", "Asia/Tokyo")
    assert CreditPool.objects.get(company=nova).balance == 25000
    contract = Contract.objects.get(company=nova)
    assert (contract.approval_limit, contract.changed_by) == (100000, vera)
    assert SeatCount.objects.get().count == 10
    assert [one.amount for one in Allocation.objects.all()] == [20000]
    assert balances.now(company=nova).remaining == Decimal(25000)
    dana = User.objects.get(email="dana@nova.example")
    assert Membership.objects.get(company=nova).role == "TECH_ADMIN"
    assert not dana.has_usable_password()
    assert reconciliation.check() == []


def test_a_company_opened_among_made_up_ones_is_not_made_up(client):
    Company.objects.filter(pk=people.company().pk).update(is_demo=True)

    confirmed(client, URL, wish())

    assert Company.objects.get(slug="nova").is_demo is False


def test_the_preview_leaves_nothing_behind(client):
    client.post(URL, wish())

    assert not Company.objects.exists()
    assert not CreditGrant.objects.exists()
    assert not User.objects.filter(email="dana@nova.example").exists()
    assert mail.outbox == []


def test_a_double_submit_opens_one_company_and_sends_one_e_mail(client):
    form = wish()
    seen = seen_on(text_of(client.post(URL, form)))
    confirm = form | {"seen": seen, "step": "confirm"}

    first, second = client.post(URL, confirm), client.post(URL, confirm)

    assert first["Location"] == second["Location"]
    assert Company.objects.count() == 1
    assert len(mail.outbox) == 1


def test_when_a_part_is_refused_nothing_is_written(client):
    people.member(people.company(), "VIEWER", "Old")
    User.objects.create_user("dana@nova.example", is_active=False)
    before = Company.objects.count()

    answer = client.post(URL, wish(step="confirm"))

    assert "This person was deactivated" in text_of(answer)
    assert Company.objects.count() == before
    assert not Contract.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"slug": "Nova_1"}, "Use small letters, digits and hyphens."),
        ({"slug": "taken"}, "Company with this Slug already exists."),
        ({"name": "日本"}, "Write a short name in small letters, digits and hyphens."),
        (
            {"time_zone": "Mars/Olympus"},
            "Select a valid choice. Mars/Olympus is not one of the available choices.",
        ),
        (
            {"ends_on": "2001-01-01"},
            "The contract would end before it starts; choose a later last day.",
        ),
        ({"seat_count": "-1"}, "Ensure this value is greater than or equal to 0."),
        (
            {"seat_credits": "0"},
            "Enter an amount above 0 and at most 1,000,000,000 credits.",
        ),
        (
            {"seat_credits": "2000000"},
            "Enter an amount above 0 and at most 1,000,000 credits a seat.",
        ),
        (
            {"introductory_amount": "0"},
            "Enter an amount above 0 and at most 1,000,000,000 credits.",
        ),
        ({"introductory_days": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"admin_email": "dana"}, "Enter a valid email address."),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(client, changes, sentence):
    people.company("Taken")
    Company.objects.update(slug="taken")

    answer = client.post(URL, wish(**changes))

    errors = answer.context["form"].errors
    assert [error for messages in errors.values() for error in messages] == [sentence]
    assert Company.objects.count() == 1


def test_the_invitation_signs_in_once_and_asks_for_a_password(client):
    confirmed(client, URL, wish())
    (letter,) = mail.outbox
    link = re.search(r"http://testserver(/sign-in/\S+)", letter.body)[1]
    dana = Client()

    landed = dana.get(link, follow=True)
    set_ = dana.post(
        "/admin/password/", {"new_password1": PASSWORD, "new_password2": PASSWORD}, follow=True
    )
    again = Client().get(link)

    assert letter.to == ["dana@nova.example"]
    assert letter.subject == "Your access to the credits of Nova"
    assert landed.redirect_chain == [("/admin/password/", 302)]
    assert set_.redirect_chain == [("/admin/credits/", 302)]
    assert "Your password is set." in text_of(set_)
    assert again.status_code == 410
    assert Client().login(username="dana@nova.example", password=PASSWORD)
    # Whoever has a password changes it knowing the old one.
    assert dana.get("/admin/password/").status_code == 403


def test_the_invitation_works_for_seven_days(client):
    confirmed(client, URL, wish())

    expires_at = SignInLink.objects.get().expires_at

    assert timedelta(days=6, hours=23) < expires_at - timezone.now() <= timedelta(days=7)


def test_somebody_who_has_a_password_gets_no_link_that_signs_in(client):
    alice = people.alice(people.company())

    confirmed(client, URL, wish(admin_email=alice.email))

    (letter,) = mail.outbox
    assert "Sign in with your password here:" in letter.body
    assert "/sign-in/" not in letter.body
    assert not SignInLink.objects.exists()


def test_it_is_sent_by_a_real_mail_server(client, settings):
    with mail_sink.listening() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port

        confirmed(client, URL, wish(name="Nova & Söhne", slug="nova"))

    (letter,) = sink.messages
    assert letter["To"] == "dana@nova.example"
    assert letter["From"] == "tallystick@localhost"
    assert letter["Subject"] == "Your access to the credits of Nova & Söhne"
    text = letter.get_content()
    assert "Hello Dana," in text
    assert re.search(r"http://testserver/sign-in/[\w-]{43}/\?choose-password", text)


@pytest.mark.parametrize("trouble", ["refuses", "is not there"])
def test_a_mail_server_in_trouble_leaves_the_company_open_and_the_invitation_to_send_again(
    client, settings, trouble
):
    with mail_sink.listening() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        sink.refuses = trouble == "refuses"
        if trouble == "is not there":
            settings.EMAIL_PORT = 1

        opened = client.get(confirmed(client, URL, wish())["Location"])
        sink.refuses, settings.EMAIL_PORT = False, sink.port
        membership = Membership.objects.get()
        again = reverse("admin:credits_company_invite", args=[membership.company_id, membership.pk])
        client.post(again)

    assert "The invitation to dana@nova.example could not be sent" in text_of(opened)
    assert again in text_of(opened)
    assert Company.objects.get().name == "Nova"
    assert len(sink.messages) == 1


def test_without_a_mail_server_the_page_says_where_the_invitation_is(client, settings, capsys):
    settings.EMAIL_BACKEND = settings.EMAIL_BACKEND_THAT_PRINTS

    opened = client.get(confirmed(client, URL, wish())["Location"])

    assert "was printed by the web process, on stderr: no mail server is set" in text_of(opened)
    printed = capsys.readouterr()
    assert "/sign-in/" in printed.err
    assert printed.out == ""


def test_only_who_never_signed_in_is_invited_again(client):
    acme = people.company()
    alice = people.alice(acme)
    User.objects.filter(pk=alice.pk).update(last_login=timezone.now())
    url = reverse("admin:credits_company_invite", args=[acme.pk, alice.memberships.get().pk])

    assert client.post(url).status_code == 404
    assert client.get(url).status_code == 404
    assert signed_in(alice, acme).post(url).status_code in (403, 404)
    assert mail.outbox == []


def test_a_member_is_not_invited_twice():
    acme = people.company()
    alice = people.alice(acme)

    with pytest.raises(invitations.AlreadyMember):
        invitations.invite(
            company=acme, email=alice.email.upper(), name="", role="VIEWER", by=people.vera()
        )

    assert alice.memberships.get().role == "TECH_ADMIN"


def test_closing_shows_what_ends_and_then_ends_it(client, vera):
    acme = people.company()
    people.credits_for(acme, "120")
    people.credits_for(acme, "30", effective_at=timezone.now() + timedelta(days=9))
    url = reverse("admin:credits_company_close", args=[acme.pk])
    form = {"reason": "The contract has ended", "key": str(uuid.uuid4())}

    page = pages.read(client.post(url, form))
    answer = confirmed(client, url, form)
    shown = text_of(client.get(answer["Location"]))

    assert (page.figure("voided"), page.figure("future")) == ("120.0", "30.0")
    assert "120.0 → 0.0" in page.text
    acme.refresh_from_db()
    assert (acme.closed_by, acme.closing_reason) == (vera, "The contract has ended")
    assert 'data-status="closed"' in shown
    assert "The contract has ended" in shown
    assert balances.now(company=acme).remaining == 0
