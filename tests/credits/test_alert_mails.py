"""The e-mail of an alert: what it says, to whom, once, over a real SMTP server on loopback."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import alert_mails, alerts, charging, refunds
from credits.identifiers import new_id
from credits.ledger import Use
from credits.models import AlertMail, Membership, UsageEvent
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
    assert row(mail) == (None, None, None, alert_mails.OUT_OF_DATE)


def held(company, credits: str):
    return charging.reserve(
        company=company,
        amount=Decimal(credits),
        use=Use("ASK", "Ask anything", None, "API_REQUEST"),
        rates=people.rates(),
    )


def test_of_credits_that_were_only_held_nobody_is_told_and_of_the_real_end_everybody(
    acme, alice, sink
):
    """As when a backfill is paused while it holds the last credit."""
    use(acme, 995)
    alerts.evaluate(company_id=acme.pk, now=NOW)
    send(AlertMail.objects.get())
    reservation = held(acme, "5")
    assert alerts.evaluate_all(now=NOW) == 1
    mail = AlertMail.objects.get(alert__threshold=100)
    assert not send(mail)
    assert row(mail) == (NOW, None, None, "")

    charging.release(reservation=reservation)

    assert not send(mail)
    assert row(mail) == (None, None, None, alert_mails.OUT_OF_DATE)
    assert alerts.evaluate_all(now=NOW) == 0
    use(acme, 5)
    assert (alerts.evaluate_all(now=NOW), alerts.evaluate_all(now=NOW)) == (1, 0)
    send(AlertMail.objects.get(due_at__isnull=False))
    assert [letter["Subject"] for letter in sink.messages] == [
        "Acme has used 90 % of its credits",
        "Acme has no credits left to use",
    ]


def test_what_was_held_and_then_used_is_told_when_it_is(acme, alice, sink):
    reservation = held(acme, "1000")
    alerts.evaluate_all(now=NOW)
    mail = AlertMail.objects.get()
    assert not send(mail)

    work = Work(long_calls=1000, request_count=1)
    charging.capture(reservation=reservation, work=work, rates=people.rates(), usage_id=new_id())

    assert send(mail)
    assert alerts.evaluate_all(now=NOW) == 0


def test_what_is_held_for_minutes_is_told_as_well(acme, alice, sink):
    held(acme, "1000")
    alerts.evaluate_all(now=NOW)
    mail = AlertMail.objects.get()

    assert not send(mail, now=NOW + 5 * MINUTE - MINUTE / 60)
    assert send(mail, now=NOW + 5 * MINUTE)


def test_a_withdrawn_alert_leaves_a_lower_one_to_be_told_that_nobody_was_told_of(acme, alice, sink):
    use(acme, 910)
    reservation = held(acme, "90")
    alerts.evaluate_all(now=NOW)
    charging.release(reservation=reservation)
    send(AlertMail.objects.get())

    assert alerts.evaluate_all(now=NOW) == 1
    send(AlertMail.objects.get(due_at__isnull=False))

    assert [letter["Subject"] for letter in sink.messages] == ["Acme has used 90 % of its credits"]


def test_an_alert_that_one_admin_was_told_of_is_not_told_again_when_it_is_untrue_for_another(
    acme, alice, sink
):
    bob = people.bob(acme)
    use(acme, 920)
    alerts.evaluate_all(now=NOW)
    assert send(AlertMail.objects.get(receiver=alice))
    refunds.refund(
        usage_event=UsageEvent.objects.get(), by=people.vera(), reason="It was a mistake of ours."
    )

    assert not send(AlertMail.objects.get(receiver=bob))
    use(acme, 920)

    assert alerts.evaluate_all(now=NOW) == 0


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
