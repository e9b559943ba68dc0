"""The page “Imports”: choose files, look, confirm."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from tests.security.acts_of_intake import confirmed_act
from tests.support import conversations, people, uploads
from tests.support.browsing import signed_in
from tests.support.pages import Page
from tests.trackers.importers import test_gong
from trackers.models import Conversation, ImportFile, ImportUpload

pytestmark = pytest.mark.django_db
ADD = reverse("admin:trackers_importupload_add")
LIST = reverse("admin:trackers_importupload_changelist")


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def line(external_id: str, **changes) -> str:
    content = {
        "id": external_id,
        "kind": "call",
        "started_at": (timezone.now() - timedelta(days=2)).isoformat(),
        "duration_seconds": 300,
        "participants": [{"id": "r", "role": "internal"}, {"id": "c", "role": "external"}],
        "utterances": [{"id": "u0", "speaker": "c", "start": 1.5, "text": "Too expensive."}],
    }
    return json.dumps(content | changes)


def upload(client, *files: tuple[str, bytes], **form):
    chosen = [SimpleUploadedFile(name, content) for name, content in files]
    return client.post(ADD, {"chosen": chosen} | form)


def page(answer) -> Page:
    assert answer.status_code == 200
    read = Page()
    read.feed(answer.content.decode())
    return read


def test_a_person_looks_at_what_a_file_holds_and_imports_it(acme, alice):
    people.credits_for(acme, "10")
    conversations.published(acme, alice, now=timezone.now() - timedelta(days=60))
    client = signed_in(alice)
    old = line("old", started_at="2026-03-01T09:00:00Z")
    content = "\n".join([line("new"), old, "{oops <b>bold</b>"]).encode()

    led = upload(client, ("calls.jsonl", content))
    shown = page(client.get(led.url))
    nothing_yet = Conversation.objects.count()
    done = confirmed_act(client, led.url)

    figures = {name: shown.figure(name) for name in ("readable", "left-out", "created", "new")}
    assert figures == {"readable": "2", "left-out": "1", "created": "2", "new": "1"}
    assert (shown.figure("history"), shown.figure("cost")) == ("1", "0.5")
    assert "Left out: calls.jsonl, line 3: not JSON" in shown.text
    assert nothing_yet == 0
    assert Conversation.objects.count() == 2
    assert done.url == reverse(
        "admin:trackers_importupload_change", args=[ImportUpload.objects.get().pk]
    )
    listed = page(client.get(LIST))
    assert "Imported" in listed.text
    assert not ImportFile.objects.exists()


def test_a_second_click_imports_nothing_more(acme, alice):
    client = signed_in(alice)
    led = upload(client, ("calls.jsonl", line("call-1").encode()))
    shown = client.get(led.url).context
    form = {
        "key": str(shown["form"]["key"].value()),
        "step": "confirm",
        "seen": shown["seen"],
    }

    first, second = client.post(led.url, form), client.post(led.url, form)

    assert first.url == second.url
    assert Conversation.objects.count() == 1


def test_both_halves_of_gong_s_calls_are_uploaded_together(acme, alice):
    client = signed_in(alice)
    halves = (
        ("extensive.json", json.dumps(test_gong.extensive(test_gong.call())).encode()),
        ("transcript.json", json.dumps(test_gong.transcripts(test_gong.transcript())).encode()),
    )

    led = upload(client, *halves)
    shown = page(client.get(led.url))

    assert (shown.figure("readable"), shown.figure("left-out")) == ("1", "0")
    assert "Transcript times were read as milliseconds in 1 calls." in shown.text


def test_accounts_and_deals_are_told_from_the_file(acme, alice):
    led = upload(signed_in(alice), ("crm.csv", b"Account;Account type\nGlobex;customer\n"))
    shown = page(signed_in(alice).get(led.url))

    assert (shown.figure("readable"), shown.figure("left-out")) == ("1", "0")
    assert shown.figure("accounts-created") == "1"
    assert ImportUpload.objects.get().import_format == "DIRECTORY"


def test_a_file_without_a_readable_row_cannot_be_confirmed(acme, alice):
    client = signed_in(alice)

    led = upload(client, ("calls.jsonl", b"{oops\n"))
    shown = page(client.get(led.url))

    assert shown.figure("readable") == "0"
    assert not shown.all(tag="button", name="step")


REFUSED = {
    "nothing chosen": ([], "Choose a file."),
    "an empty file": ([("a.jsonl", b"")], "choose a file with at least one line"),
    "too large": ([("a.jsonl", b"x" * 1_048_577)], "larger than 1 MB together"),
    "much too large": ([("a.jsonl", b"x" * 5_000_000)], "larger than 1 MB together"),
    "too many rows": ([("a.jsonl", b"{}\n" * 6)], "There are more than 5 rows"),
    "accounts and calls": (
        [("crm.csv", b"Account\nGlobex\n"), ("a.jsonl", b"{}\n")],
        "Upload accounts and deals (CSV) by themselves, not together with calls and e-mails.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_one_sentence_on_the_form(acme, alice, settings, case):
    settings.IMPORT_MEGABYTES, settings.IMPORT_ROWS = 1, 5
    files, words = REFUSED[case]

    answer = upload(signed_in(alice), *files)

    assert words in page(answer).text
    assert not ImportUpload.objects.exists()


def test_of_a_huge_file_no_more_is_stored_than_may_be(acme, alice, settings, tmp_path):
    settings.IMPORT_MEGABYTES = 1
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    seen = []
    from django.core.files.uploadhandler import TemporaryFileUploadHandler

    stored = TemporaryFileUploadHandler.receive_data_chunk

    def receive(self, raw_data, start):
        seen.append(len(raw_data))
        return stored(self, raw_data, start)

    TemporaryFileUploadHandler.receive_data_chunk = receive
    try:
        answer = upload(signed_in(alice), ("a.jsonl", b"x" * 8_000_000))
    finally:
        TemporaryFileUploadHandler.receive_data_chunk = stored

    assert "larger than 1 MB together" in page(answer).text
    assert sum(seen) < 1_300_000


def test_an_upload_that_expired_says_so(acme, alice):
    gone = uploads.kept(
        acme, alice, now=timezone.now() - timedelta(hours=2), content=line("a").encode()
    )
    client = signed_in(alice)

    answer = client.get(reverse("admin:trackers_importupload_confirm", args=[gone.pk]))

    assert answer.url == LIST
    listed = page(client.get(LIST)).text
    assert "upload them again" in listed
    assert "Expired" in listed


def test_another_company_s_upload_is_not_there(acme, alice):
    globex = people.company("Globex")
    theirs = uploads.kept(
        globex, people.alice(globex), now=timezone.now(), content=line("a").encode()
    )
    address = reverse("admin:trackers_importupload_confirm", args=[theirs.pk])

    assert signed_in(alice).get(address).status_code == 404
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("who", [people.vic, lambda company: people.vera()])
def test_viewers_and_vendor_staff_do_not_import(acme, alice, who):
    client = signed_in(who(acme), acme)
    kept = uploads.kept(acme, alice, now=timezone.now(), content=line("a").encode())
    confirm = reverse("admin:trackers_importupload_confirm", args=[kept.pk])

    answers = [
        client.get(ADD),
        upload(client, ("a.jsonl", line("b").encode())),
        client.get(confirm),
        client.post(confirm, {"step": "confirm"}),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert not Conversation.objects.exists()
    assert ImportUpload.objects.count() == 1
