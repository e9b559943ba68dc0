"""The pages of long reports: asked for on the report page, followed, downloaded, ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from credits import deliveries, exports
from credits.admin import reports
from credits.models import ExportJob
from tests.support import databases, pages, people
from tests.support.browsing import signed_in
from tests.support.exporting import NOW, asked_for, company_with_use

CHOICE = {"report": "credit-usage", "days": "all", "format": "csv"}


@pytest.fixture(scope="module")
def database(django_db_setup, django_db_blocker):
    """A database that commits, for the jobs that are really prepared here."""
    with django_db_blocker.unblock(), databases.cloned("test_export_jobs"):
        yield


@pytest.fixture
def acme(database, settings, tmp_path, monkeypatch):
    settings.EXPORTS = tmp_path / "exports"
    monkeypatch.setattr(reports, "ROWS_AT_ONCE_MAX", 2)
    ExportJob.objects.all().delete()
    return company_with_use()


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def client(alice):
    return signed_in(alice)


def page_of(job, name="change"):
    return reverse(f"admin:credits_exportjob_{name}", args=[job.pk])


def prepared(acme, alice):
    job = asked_for(acme, alice, now=timezone.now())
    return exports.prepare(job_id=job.pk, clock=timezone.now)


def test_what_fits_is_given_at_once_and_nothing_is_queued(client, monkeypatch):
    monkeypatch.setattr(reports, "ROWS_AT_ONCE_MAX", 3)

    answer = client.get(reverse("admin:credits_reports"), CHOICE | {"export": "1"})

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert b"".join(answer).count(b"\r\n") == 4
    assert not ExportJob.objects.exists()


def test_a_long_report_is_explained_in_numbers_and_then_queued(client, acme, alice):
    url = reverse("admin:credits_reports")

    page = pages.read(client.get(url, CHOICE | {"export": "1"}))
    assert page.all(data_status="long", role="alert")
    assert "The report has 3 rows. Reports of more than 2 rows are prepared" in page.text
    assert not ExportJob.objects.exists()

    answer = client.post(url, CHOICE, follow=True)

    job = ExportJob.objects.get()
    assert (job.state, job.row_count, job.requested_by) == ("QUEUED", 3, alice)
    assert answer.redirect_chain == [(page_of(job), 302)]
    shown = pages.read(answer)
    assert shown.all(data_status="queued")
    assert "The report of 3 rows is being prepared." in shown.text


def test_a_short_report_asked_for_by_post_leaves_nothing_behind(client, monkeypatch):
    monkeypatch.setattr(reports, "ROWS_AT_ONCE_MAX", 3)

    answer = client.post(reverse("admin:credits_reports"), CHOICE)

    assert answer.status_code == 302
    assert answer.url.endswith("?report=credit-usage&days=all&format=csv&export=1")
    assert not ExportJob.objects.exists()


def test_the_list_says_how_far_each_is(client, acme, alice):
    job = asked_for(acme, alice, row_count=80_000)
    exports._claim(job.pk, timezone.now())
    ExportJob.objects.filter(pk=job.pk).update(rows_done=12_000)
    ready = prepared(acme, alice)

    page = pages.read(client.get(reverse("admin:credits_exportjob_changelist")))

    end = ready.expires_at.astimezone(ZoneInfo(acme.time_zone))
    assert "Preparing 12,000 of 80,000 rows" in page.text
    assert f"Ready until {end.day} {end:%b} Download" in page.text
    assert page_of(ready, "download") in page.links()
    assert len([one for one in page.elements if "data-follow" in one]) == 4


def test_the_file_is_given_to_people_of_the_company(client, acme, alice):
    job = prepared(acme, alice)

    answer = client.get(page_of(job, "download"))

    assert b"".join(answer) == exports.path_of(job).read_bytes()
    assert answer["Content-Disposition"] == (
        f'attachment; filename="credit-usage-{acme.slug}-all.csv"'
    )
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]


def test_the_file_is_given_to_nobody_else(acme, alice, client):
    job = prepared(acme, alice)
    beta = people.company("Beta")
    url = page_of(job, "download")

    assert signed_in(people.alice(beta)).get(url).status_code == 404
    assert signed_in(people.vic(acme)).get(url).status_code == 403
    client.logout()
    assert client.get(url).status_code == 302


def test_after_seven_days_there_is_no_file_even_if_no_job_ran(client, acme, alice):
    job = prepared(acme, alice)
    ExportJob.objects.filter(pk=job.pk).update(expires_at=timezone.now())

    answer = client.get(page_of(job, "download"), follow=True)

    page = pages.read(answer)
    assert "There is no file to download: run the export again." in page.text
    assert page.all(data_status="removed")


def test_a_file_somebody_removed_is_one_sentence(client, acme, alice):
    job = prepared(acme, alice)
    exports.path_of(job).unlink()

    answer = client.get(page_of(job, "download"), follow=True)

    assert "The file is not in the folder of exports any more: run it again." in (
        pages.read(answer).text
    )


def test_cancelling_says_in_numbers_what_is_thrown_away(client, acme, alice):
    job = asked_for(acme, alice, row_count=80_000)
    exports._claim(job.pk, timezone.now())
    ExportJob.objects.filter(pk=job.pk).update(rows_done=12_000)

    page = pages.read(client.get(page_of(job, "cancel")))
    answer = client.post(page_of(job, "cancel"), follow=True)

    assert page.figure("export-rows-done") == "12000"
    assert page.figure("export-rows") == "80000"
    assert ExportJob.objects.get().state == "CANCELLED"
    assert "Cancelled by Alice" in pages.read(answer).text


def test_what_has_ended_is_not_cancelled_on_the_page(client, acme, alice):
    job = prepared(acme, alice)

    page = pages.read(client.get(page_of(job, "cancel")))
    answer = client.post(page_of(job, "cancel"), follow=True)

    assert "This export has ended; there is nothing to cancel." in page.text
    assert "This export has ended already" in pages.read(answer).text
    assert ExportJob.objects.get().state == "READY"


def test_running_again_says_how_many_rows_there_are_now(client, acme, alice):
    job = prepared(acme, alice)

    page = pages.read(client.get(page_of(job, "rerun")))
    answer = client.post(page_of(job, "rerun"), follow=True)

    assert page.figure("export-rows") == "3"
    again = ExportJob.objects.exclude(pk=job.pk).get()
    assert answer.redirect_chain == [(page_of(again), 302)]
    assert again.state == "QUEUED"


def test_a_failure_says_why(client, acme, alice):
    job = asked_for(acme, alice)
    claimed = exports._claim(job.pk, timezone.now())
    exports.fail(job=claimed, reason=exports.TOOK_TOO_LONG, now=timezone.now())

    page = pages.read(client.get(page_of(job)))

    assert page.all(data_status="failed")
    assert "It took longer than 14 minutes. Choose fewer days and run it again." in page.text


def test_the_twenty_first_is_refused_with_a_sentence(client, acme, alice):
    for _ in range(20):
        asked_for(acme, alice)

    answer = client.post(reverse("admin:credits_reports"), CHOICE, follow=True)

    assert "20 exports of this company are being prepared" in pages.read(answer).text
    assert ExportJob.objects.count() == 20


def test_reversed_days_are_swapped_by_a_link(client):
    days = {"days": "custom", "first": "2026-12-05", "last": "2026-12-01"}

    page = pages.read(client.get(reverse("admin:credits_reports"), CHOICE | days))

    assert "the first day (5 Dec 2026) is after the last day (1 Dec 2026). Swap them?" in page.text
    (link,) = (href for href in page.links() if "first=2026-12-01" in href)
    assert link == ("?report=credit-usage&days=custom&format=csv&first=2026-12-01&last=2026-12-05")


def test_days_still_to_come_are_said_to_be(client):
    first = timezone.now().date() + timedelta(days=30)
    days = {"days": "custom", "first": first, "last": first}

    page = pages.read(client.get(reverse("admin:credits_reports"), CHOICE | days))

    assert "These days are still to come. The file will hold the headers only." in page.text


def test_a_byte_order_mark_is_an_option_of_csv_alone(client, monkeypatch):
    monkeypatch.setattr(reports, "ROWS_AT_ONCE_MAX", 3)
    asked = CHOICE | {"has_bom": "on", "export": "1"}

    csv, json = (
        b"".join(client.get(reverse("admin:credits_reports"), asked | {"format": file_format}))
        for file_format in ("csv", "json")
    )

    assert csv.startswith(b"\xef\xbb\xbfUsage time,")
    assert json.startswith(b'[{"Usage time": ')


def test_a_full_disk_is_a_sentence_on_the_page(client, monkeypatch):
    """The temporary file is the kernel's own full disk."""
    monkeypatch.setattr(reports, "ROWS_AT_ONCE_MAX", 3)
    monkeypatch.setattr(
        reports.files.tempfile,
        "SpooledTemporaryFile",
        lambda **_: Path("/dev/full").open("wb"),  # noqa: SIM115
    )

    page = pages.read(client.get(reverse("admin:credits_reports"), CHOICE | {"export": "1"}))

    assert "The export was not made: the disk for exports is full." in page.text


MAILS = {
    "mail-due": ({"mail_due_at": NOW}, "Goes to {} in a moment."),
    "mailed": (
        {"mail_due_at": None, "mail_handed_at": NOW, "mailed_at": NOW},
        "Sent to {} on 21 Nov 2026 13:00 CET",
    ),
    "mail-postponed": (
        {"mail_due_at": NOW, "mail_trouble": deliveries.NOT_TAKEN},
        "Not sent to {} yet. The mail server did not take it. Next try: 21 Nov 2026 13:00 CET",
    ),
    "mail-unknown": (
        {"mail_due_at": None, "mail_handed_at": NOW},
        "It is not known whether it reached {}; it is not sent twice.",
    ),
    "mail-not-sent": (
        {"mail_due_at": None, "mail_trouble": deliveries.GIVEN_UP},
        "Not sent to {}. The mail server did not take it, twelve times.",
    ),
}


@pytest.mark.parametrize("status", MAILS)
def test_the_row_and_the_page_say_what_became_of_the_e_mail(client, acme, alice, status):
    job = prepared(acme, alice)
    changes, words = MAILS[status]
    ExportJob.objects.filter(pk=job.pk).update(**changes)

    page = pages.read(client.get(page_of(job)))
    row = pages.read(client.get(reverse("admin:credits_exportjob_changelist")))

    assert len(page.all(data_status=status)) == 1
    assert words.format(alice.email) in page.text
    is_trouble = status not in ("mail-due", "mailed")
    assert (words.format(alice.email) in row.text) == is_trouble


def test_a_report_asked_for_on_the_page_is_announced_with_its_address_there(client):
    client.post(reverse("admin:credits_reports"), CHOICE)

    job = ExportJob.objects.get()
    assert job.page_url == f"http://testserver/admin/credits/exportjob/{job.pk}/change/"


def test_an_auditor_cancels_no_export_but_their_own(acme, alice):
    theirs = asked_for(acme, alice, now=timezone.now())
    audrey = people.audrey()
    own = asked_for(acme, audrey, now=timezone.now())
    client = signed_in(audrey, acme)

    answers = [client.post(page_of(job, "cancel")).status_code for job in (theirs, own)]

    assert answers == [403, 302]
    assert [ExportJob.objects.get(pk=job.pk).state for job in (theirs, own)] == [
        "QUEUED",
        "CANCELLED",
    ]
    assert page_of(theirs, "cancel") not in client.get(page_of(theirs)).content.decode()
