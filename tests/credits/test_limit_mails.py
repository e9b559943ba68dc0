"""The e-mail of a limit that only tells: once a window, to each admin, over real SMTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from credits import limit_mails, limits
from credits.models import Company, LimitMail, Membership, SpendingLimit
from tests.support import mail_sink, people, statement

pytestmark = pytest.mark.django_db
# The ledger's clock in these tests stands at noon of the 2nd of March.
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def sink(settings):
    settings.PUBLIC_URL = "https://credits.example.com"
    with mail_sink.listening() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        yield sink


@pytest.fixture
def alice(acme):
    statement.lot(acme, "March", "100")
    return people.alice(acme)


def limited(company, credits="5", *, is_hard=False, window="DAY") -> SpendingLimit:
    return limits.set(
        company=company,
        subject=limits.of_company(company),
        window=window,
        credits=Decimal(credits),
        by=None,
        is_hard=is_hard,
    )


def look(now=NOW) -> int:
    return limit_mails.evaluate_all(now=now)


def send(mail, now=NOW) -> bool:
    return limit_mails.send(mail_id=mail.pk, clock=lambda: now)


def row(mail):
    found = LimitMail.objects.get(pk=mail.pk)
    return found.due_at, found.handed_at, found.sent_at, found.trouble


def test_it_is_sent_when_the_limit_is_reached_and_not_before(acme, alice, sink):
    limit = limited(acme)
    statement.charge(acme, "4.9")
    before = look()
    statement.charge(acme, "0.1")

    assert (before, look()) == (0, 1)
    assert send(LimitMail.objects.get())

    (letter,) = sink.messages
    assert letter["To"] == alice.email
    assert letter["Subject"] == "Acme has reached a limit: 5.0 credits a day for the whole company"
    text = " ".join(letter.get_body(("plain",)).get_content().split())
    assert "Hello Alice," in text
    assert "This limit only tells, so work goes on. Used: 5.0 credits" in text
    assert f"https://credits.example.com/admin/credits/spendinglimit/{limit.pk}/change/" in text
    assert row(LimitMail.objects.get()) == (None, NOW, NOW, "")


def test_one_window_is_told_of_once_and_the_next_one_anew(acme, alice, clock):
    limited(acme)
    statement.charge(acme, "5")
    first = [look(), look()]
    statement.charge(acme, "5")
    first.append(look())

    tomorrow = NOW + timedelta(days=1)
    clock.set(tomorrow)
    quiet = look(tomorrow)
    statement.charge(acme, "6")

    assert (first, quiet) == ([1, 0, 0], 0)
    assert (look(tomorrow), look(tomorrow)) == (1, 0)
    assert LimitMail.objects.count() == 2


def test_every_admin_is_told_and_nobody_else(acme, alice):
    bob = people.bob(acme)
    people.vic(acme)
    limited(acme)
    statement.charge(acme, "5")

    assert look() == 1

    assert set(LimitMail.objects.values_list("receiver", flat=True)) == {alice.pk, bob.pk}


def test_a_hard_limit_says_it_to_whom_it_refuses_and_sends_nothing(acme, alice):
    limited(acme, is_hard=True)
    statement.charge(acme, "5")

    assert look() == 0


def test_a_limit_of_nothing_is_reached_by_the_first_use(acme, alice):
    limited(acme, "0")
    before = look()
    statement.charge(acme, "0.1")

    assert (before, look()) == (0, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda limit: limits.end(limit=limit, by=None),
        lambda limit: limited(limit.company, "50"),
    ],
    ids=["ended", "raised"],
)
def test_what_is_not_true_any_more_is_not_sent(acme, alice, sink, change):
    limit = limited(acme)
    statement.charge(acme, "5")
    look()
    change(limit)

    assert not send(LimitMail.objects.get())

    assert sink.messages == []
    assert row(LimitMail.objects.get()) == (None, None, None, limit_mails.OUT_OF_DATE)


def test_somebody_who_is_no_admin_any_more_is_not_told(acme, alice, sink):
    limited(acme)
    statement.charge(acme, "5")
    look()
    Membership.objects.all().delete()

    assert not send(LimitMail.objects.get())

    assert row(LimitMail.objects.get())[3] == limit_mails.NO_ACCESS


def test_the_made_up_people_of_a_demo_are_sent_nothing(acme, alice):
    Company.objects.update(is_demo=True)
    limited(acme)
    statement.charge(acme, "5")

    assert look() == 1

    assert LimitMail.objects.get().due_at is None
    assert limit_mails.sweep(now=NOW) == 0


def test_a_server_that_is_down_is_asked_again_by_the_sweep(acme, alice, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    limited(acme)
    statement.charge(acme, "5")
    look()

    assert not send(LimitMail.objects.get())

    assert limit_mails.sweep(now=NOW) == 0
    assert limit_mails.sweep(now=NOW + timedelta(minutes=1)) == 1


def test_the_database_keeps_one_e_mail_a_person_and_window(acme, alice):
    limit = limited(acme)
    kept = {"company": acme, "limit": limit, "window_starts_at": NOW, "receiver": alice}
    mail = LimitMail.objects.create(**kept, due_at=NOW)

    def refused(act) -> str:
        with pytest.raises(IntegrityError) as error, transaction.atomic():
            act()
        return error.value.__cause__.diag.constraint_name

    assert refused(lambda: LimitMail.objects.create(**kept)) == (
        "limit_is_mailed_to_a_person_once_a_window"
    )
    assert refused(lambda: LimitMail.objects.filter(pk=mail.pk).update(handed_at=NOW)) == (
        "limit_mail_is_handed_over_once"
    )
    assert refused(lambda: LimitMail.objects.filter(pk=mail.pk).update(sent_at=NOW)) == (
        "limit_mail_is_handed_over_before_it_is_taken"
    )
