"""An export that has ended is announced by one e-mail, and never waits for a mail server."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from credits import announcing, exports
from credits.models import ExportJob, Membership
from tests.support import databases, mail_sink, people
from tests.support.breaking import update_refused_by
from tests.support.exporting import NOW, asked_for, company_with_use

MINUTE = timedelta(minutes=1)
PAGE = "http://testserver/admin/credits/exportjob/"


@pytest.fixture(scope="module")
def database(django_db_setup, django_db_blocker):
    """A database that commits: a job says how far it is on a connection of its own."""
    with django_db_blocker.unblock(), databases.cloned("test_announcing"):
        yield


@pytest.fixture
def acme(database, settings, tmp_path):
    settings.EXPORTS = tmp_path / "exports"
    ExportJob.objects.all().delete()
    return company_with_use()


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def sink(settings):
    with mail_sink.listening() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        yield sink


@pytest.fixture
def ready(acme, alice):
    return prepared(acme, alice)


def prepared(acme, person) -> ExportJob:
    job = asked_for(acme, person)
    return exports.prepare(job_id=job.pk, clock=lambda: NOW)


def failed(acme, person) -> ExportJob:
    job = asked_for(acme, person, report="sales-forecast")
    return exports.prepare(job_id=job.pk, clock=lambda: NOW)


def announce(job, now=NOW) -> bool:
    return announcing.announce(job_id=job.pk, clock=lambda: now)


def text_of(letter) -> str:
    return "\n".join(letter.get_content().splitlines()).rstrip("\n") + "\n"


def mail_of(job):
    now = ExportJob.objects.get(pk=job.pk)
    return now.mail_due_at, now.mail_handed_at, now.mailed_at, now.mail_trouble


def test_a_ready_export_is_announced_with_all_a_person_needs_to_know(acme, alice, ready, sink):
    assert announce(ready)

    (letter,) = sink.messages
    assert letter["To"] == alice.email
    assert letter["Subject"] == "Credit usage of Acme is ready"
    assert letter.get_content_type() == "text/plain"
    assert text_of(letter) == (
        "Hello Alice,\n"
        "\n"
        f"the report you asked for is ready: credit-usage-{acme.slug}-all.csv\n"
        "\n"
        "Report:      Credit usage\n"
        "Company:     Acme\n"
        "Days:        all days (Europe/Berlin)\n"
        "Rows:        3\n"
        "Kept until:  28 Nov 2026 13:00 CET\n"
        "\n"
        "Sign in and download it here:\n"
        f"{PAGE}{ready.pk}/change/\n"
    )
    assert mail_of(ready) == (None, NOW, NOW, "")


def test_the_link_in_the_e_mail_asks_for_signing_in(ready, sink, client):
    announce(ready)
    path = f"/admin/credits/exportjob/{ready.pk}/change/"

    answer = client.get(path)

    assert path in sink.messages[0].get_content()
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={path}")


def test_a_failed_export_is_announced_with_its_reason_and_what_to_do(acme, alice, sink):
    job = failed(acme, alice)

    assert announce(job)

    (letter,) = sink.messages
    text = text_of(letter)
    assert letter["Subject"] == "sales-forecast of Acme could not be made"
    assert (
        "the report you asked for could not be made. "
        "This report is not offered any more; choose another one."
    ) in text
    assert "press “Run again”" in text
    assert f"{PAGE}{job.pk}/change/" in text
    assert "Kept until" not in text


def test_an_export_given_up_after_its_worker_died_five_times_is_announced(acme, alice, sink):
    job = asked_for(acme, alice)
    ExportJob.objects.filter(pk=job.pk).update(
        state="PREPARING", attempts=5, lease_token=job.pk, leased_until=NOW - MINUTE
    )
    exports.sweep(now=NOW)

    assert announce(job)
    assert "Its worker stopped before the end, five times." in sink.messages[0].get_content()


def test_a_task_that_runs_twice_announces_once(ready, sink):
    assert [announce(ready), announce(ready)] == [True, False]
    assert len(sink.messages) == 1


def test_two_workers_at_once_announce_once(ready, sink):
    """Both have connected before either claims: the sink lets them in together."""
    sink.gate = threading.Barrier(2)
    sent = []

    def work() -> None:
        try:
            sent.append(announce(ready))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(sent) == [False, True]
    assert len(sink.messages) == 1
    assert mail_of(ready) == (None, NOW, NOW, "")


def test_what_is_not_over_or_was_cancelled_is_not_announced(acme, alice, sink):
    queued, cancelled = asked_for(acme, alice), asked_for(acme, alice)
    exports.cancel(job_id=cancelled.pk, by=alice, now=NOW)

    assert [announce(queued), announce(cancelled)] == [False, False]
    assert sink.messages == []


@pytest.mark.parametrize("trouble", ["refuses", "is not there"])
def test_a_mail_server_in_trouble_leaves_the_file_ready_and_the_e_mail_to_send_again(
    ready, sink, settings, trouble
):
    sink.refuses = trouble == "refuses"
    settings.EMAIL_PORT = 1 if trouble == "is not there" else sink.port

    first = announce(ready)
    later = mail_of(ready)
    sink.refuses, settings.EMAIL_PORT = False, sink.port
    too_soon = announce(ready, NOW + timedelta(seconds=59))
    second = announce(ready, NOW + MINUTE)

    assert (first, too_soon, second) == (False, False, True)
    assert later == (NOW + MINUTE, None, None, "The mail server did not take it.")
    assert ExportJob.objects.get(pk=ready.pk).state == "READY"
    assert len(sink.messages) == 1


def test_the_sweep_wakes_a_worker_for_what_is_still_to_be_announced(ready, sink):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pgmq.q_backfill")

        before, due = exports.sweep(now=NOW - MINUTE), exports.sweep(now=NOW)
        cursor.execute("SELECT count(*) FROM pgmq.q_backfill WHERE message::text LIKE %s", ["%"])
        ((sent,),) = cursor.fetchall()
    announce(ready)

    assert (before, due, sent) == (0, 1, 1)
    assert exports.sweep(now=NOW) == 0


def test_after_twelve_tries_there_is_no_e_mail_and_the_row_says_so(ready, sink):
    sink.refuses = True
    tries, now = [], NOW

    while mail_of(ready)[0] is not None:
        now = mail_of(ready)[0]
        tries.append(int((now - NOW) / MINUTE))
        announce(ready, now)

    assert tries == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]
    assert mail_of(ready) == (None, None, None, "The mail server did not take it, twelve times.")
    assert sink.messages == []


def test_a_server_lost_while_it_had_the_e_mail_is_not_given_it_twice(ready, sink):
    sink.hangs_up = True

    first = announce(ready)
    sink.hangs_up = False
    second = announce(ready, NOW + timedelta(days=1))

    assert (first, second) == (False, False)
    assert mail_of(ready) == (None, NOW, None, "")
    assert len(sink.messages) == 1


@pytest.mark.parametrize("change", ["left the company", "became a viewer", "was deactivated"])
def test_who_may_have_no_reports_any_more_is_not_written_to(acme, alice, ready, sink, change):
    match change:
        case "left the company":
            Membership.objects.filter(user=alice).delete()
        case "became a viewer":
            Membership.objects.filter(user=alice).update(role="VIEWER")
        case "was deactivated":
            alice.is_active = False
            alice.save()

    assert not announce(ready)
    assert sink.messages == []
    assert mail_of(ready)[3] == "The person who asked for it has no access to reports any more."


def test_vendor_people_are_written_to_without_a_membership(acme, sink):
    audrey = people.audrey()

    assert announce(prepared(acme, audrey))
    assert sink.messages[0]["To"] == audrey.email


def test_an_export_asked_for_without_an_address_is_not_announced(acme, alice, sink):
    job = exports.request(
        company=acme,
        choice=exports.choice_of(asked_for(acme, alice)),
        row_count=3,
        by=alice,
        now=NOW,
    )
    exports.prepare(job_id=job.pk, clock=lambda: NOW)

    assert not announce(job)
    assert sink.messages == []


BROKEN = {
    "export_is_announced_when_it_has_ended": {"state": "QUEUED"},
    "export_mail_is_handed_over_once": {"mail_handed_at": NOW},
    "export_mail_is_handed_over_before_it_is_taken": {"mailed_at": NOW},
}


@pytest.mark.parametrize("constraint", BROKEN)
def test_an_e_mail_out_of_order_is_refused(ready, constraint):
    changes = BROKEN[constraint]
    if constraint == "export_is_announced_when_it_has_ended":
        nothing = dict.fromkeys(("finished_at", "byte_count", "expires_at"))
        changes = changes | nothing | {"file_name": ""}

    assert update_refused_by(ready, **changes) == constraint
