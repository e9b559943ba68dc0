"""The e-mail of an alert: what it says, to whom, once, over a real SMTP server on loopback."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits import alert_mails, alerts, charging
from credits.ledger import Use
from credits.models import AlertMail, Membership
from credits.rating import Work
from tests.support import mail_sink, people

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOW = timezone.now()


@pytest.fixture
def sink(settings):
    settings.PUBLIC_URL = "https://credits.example.com"
    with mail_sink.listening() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        yield sink


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "1000")
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def use(company, calls, name="Ask anything", feature="ASK"):
    charging.charge(
        company=company,
        use=Use(feature, name, None, "API_REQUEST"),
        work=Work(long_calls=calls, request_count=1),
        rates=people.rates(),
    )


def raised(company, calls=920) -> AlertMail:
    use(company, calls)
    assert alerts.evaluate(company_id=company.pk, now=NOW) is not None
    return AlertMail.objects.get(company=company)


def send(mail, now=NOW) -> bool:
    return alert_mails.send(mail_id=mail.pk, clock=lambda: now)


def row(mail):
    found = AlertMail.objects.get(pk=mail.pk)
    return found.due_at, found.handed_at, found.sent_at, found.trouble


def plain(letter) -> str:
    return "\n".join(letter.get_body(("plain",)).get_content().splitlines())


def test_it_says_what_is_left_what_uses_most_and_where_to_act(acme, alice, sink):
    use(acme, 40, "Any competitor")
    use(acme, 30, "Briefs", "BRIEF")
    mail = raised(acme, 850)

    assert send(mail)

    (letter,) = sink.messages
    assert (letter["To"], letter["Subject"]) == (alice.email, "Acme has used 90 % of its credits")
    text = plain(letter)
    assert "Hello Alice," in text
    assert "Acme has used 92 % of its credits." in text
    assert "Left:       80.0 of 1,000.0 credits" in text
    assert "Run out:    not enough use yet to say: needs 3 full days with use, 0 so far" in text
    assert "What used most in the last 30 days:" in text
    assert "credits, 97 % of all use" in text
    assert "- Briefs: 30.0 credits, 3 % of all use" in text
    for path in ("/admin/credits/", "/admin/trackers/tracker/", "/admin/billing/purchase/request/"):
        assert f"https://credits.example.com{path}" in text
    assert row(mail) == (None, NOW, NOW, "")


def test_it_has_the_same_in_html_with_names_escaped(acme, alice, sink):
    use(acme, 40, "<b>Sly</b>", "BRIEF")
    mail = raised(acme, 880)

    send(mail)

    html = sink.messages[0].get_body(("html",)).get_content()
    assert "80.0 of 1,000.0 credits" in html
    assert "&lt;b&gt;Sly&lt;/b&gt;: 40.0 credits, 4 % of all use" in html
    assert '<a href="https://credits.example.com/admin/credits/">See all figures</a>' in html
    assert "<b>Sly</b>" in plain(sink.messages[0])


def test_at_zero_it_says_that_nothing_is_lost(acme, alice, sink):
    mail = raised(acme, 1000)

    send(mail)

    assert sink.messages[0]["Subject"] == "Acme has no credits left to use"
    text = plain(sink.messages[0])
    assert "New conversations wait, and nothing is lost." in text
    assert "Left:       0.0 of 1,000.0 credits" in text
    assert "Run out:    nothing is available now" in text


def test_each_admin_gets_one_of_their_own(acme, alice, sink):
    bob = people.bob(acme)
    people.vic(acme)
    use(acme, 900)
    alerts.evaluate(company_id=acme.pk, now=NOW)

    sent = [send(mail) for mail in AlertMail.objects.all()] + [
        send(mail) for mail in AlertMail.objects.all()
    ]

    assert sent == [True, True, False, False]
    assert sorted(letter["To"] for letter in sink.messages) == sorted([alice.email, bob.email])


@pytest.mark.parametrize("trouble", ["refuses", "is not there"])
def test_a_mail_server_in_trouble_is_tried_again(acme, alice, sink, settings, trouble):
    mail = raised(acme)
    sink.refuses = trouble == "refuses"
    settings.EMAIL_PORT = 1 if trouble == "is not there" else sink.port

    first, later = send(mail), row(mail)
    sink.refuses, settings.EMAIL_PORT = False, sink.port
    too_soon, second = send(mail, NOW + timedelta(seconds=59)), send(mail, NOW + MINUTE)

    assert (first, too_soon, second) == (False, False, True)
    assert later == (NOW + MINUTE, None, None, "The mail server did not take it.")
    assert len(sink.messages) == 1


def test_after_twelve_tries_there_is_no_e_mail_and_the_row_says_so(acme, alice, sink):
    mail, tries = raised(acme), 0
    sink.refuses = True

    while row(mail)[0] is not None:
        send(mail, row(mail)[0])
        tries += 1

    assert tries == 12
    assert row(mail) == (None, None, None, "The mail server did not take it, twelve times.")


def test_a_server_lost_while_it_had_the_e_mail_is_not_given_it_twice(acme, alice, sink):
    mail = raised(acme)
    sink.hangs_up = True

    first = send(mail)
    sink.hangs_up = False
    second = send(mail, NOW + timedelta(days=1))

    assert (first, second) == (False, False)
    assert row(mail) == (None, NOW, None, "")
    assert len(sink.messages) == 1


def test_what_is_no_longer_true_is_not_sent(acme, alice, sink):
    mail = raised(acme)
    people.credits_for(acme, "1000")

    assert not send(mail)

    assert sink.messages == []
    assert row(mail) == (None, None, None, "Credits were added before it could be sent.")


@pytest.mark.parametrize("change", ["left", "became a viewer", "was deactivated"])
def test_who_is_no_admin_any_more_is_not_written_to(acme, alice, sink, change):
    mail = raised(acme)
    match change:
        case "left":
            Membership.objects.filter(user=alice).delete()
        case "became a viewer":
            Membership.objects.filter(user=alice).update(role="VIEWER")
        case "was deactivated":
            alice.is_active = False
            alice.save()

    assert not send(mail)

    assert sink.messages == []
    assert row(mail)[3] == "This person is not an active admin of the company any more."


def test_the_sweep_finds_what_is_due(acme, alice, sink):
    mail = raised(acme)

    before, due = alert_mails.sweep(now=NOW - MINUTE), alert_mails.sweep(now=NOW)
    send(mail)

    assert (before, due, alert_mails.sweep(now=NOW + MINUTE)) == (0, 1, 0)
