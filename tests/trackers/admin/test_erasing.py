"""Erasing on pages: the numbers first, then the act; who may, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from credits.models import AuditEvent, AuditText, Company, Membership, User
from tests.security.acts_of_intake import confirmed_act
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from tests.support.pages import Page
from trackers.admin import erasing
from trackers.models import Conversation, Retention, TeamMember, Tracker

pytestmark = pytest.mark.django_db
ADDRESS = reverse("admin:trackers_conversation_erase-address")
RETENTION = reverse("admin:trackers_conversation_retention")
REASON = "Asked for by letter"


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def client(acme):
    return signed_in(people.alice(acme))


def page(answer) -> Page:
    assert answer.status_code == 200
    read = Page()
    read.feed(answer.content.decode())
    return read


def look(client, address: str, **form) -> Page:
    key = client.get(address).context["form"]["key"].value()
    return page(client.post(address, {"key": str(key)} | form))


def erase_page(call: Conversation) -> str:
    return reverse("admin:trackers_conversation_erase", args=[call.pk])


def test_the_numbers_come_first_and_nothing_is_erased_by_looking(acme, client):
    call = conversations.conversation(acme, "call-1")

    shown = look(client, erase_page(call), reason=REASON)

    assert "Calls 1" in shown.text
    assert "Utterances 2" in shown.text
    assert "this cannot be undone" in shown.text
    assert Conversation.objects.filter(erased_at=None).count() == 1


def test_confirming_erases_and_writes_the_reason_down(acme, client):
    call = conversations.conversation(acme, "call-1")

    answer = confirmed_act(client, erase_page(call), reason=REASON)

    call.refresh_from_db()
    assert call.erased_at is not None
    assert answer.url == reverse("admin:trackers_conversation_changelist")
    assert AuditText.objects.get(event__action="STARTED").reason == REASON
    shown = page(client.get(reverse("admin:trackers_conversation_change", args=[call.pk])))
    assert "Erased call" in shown.text
    assert "Erase this conversation" not in shown.text
    assert "erased:" not in shown.text
    assert "Call call-1" not in page(client.get(answer.url)).text


def test_an_erased_conversation_is_not_erased_again(acme, client):
    call = conversations.conversation(acme, "call-1")
    confirmed_act(client, erase_page(call), reason=REASON)
    before = AuditEvent.objects.count()

    client.get(erase_page(call))

    assert AuditEvent.objects.count() == before
    assert "erased already" in page(client.get(ADDRESS)).text


def test_an_address_shows_how_many_conversations_only_mention_it(acme, client):
    turns = [{"id": "u0", "speaker": "r", "start": 0.0, "text": "Write to carl@globex.example."}]
    other = [{"id": "r", "name": "Rita", "email": "rita@acme.example", "role": "internal"}]
    conversations.ingest(
        acme, record("took-part"), record("mentions", participants=other, utterances=turns)
    )

    shown = look(client, ADDRESS, email="carl@globex.example", reason=REASON)
    taken = look(client, ADDRESS, email="carl@globex.example", with_mentions="on", reason=REASON)

    assert "Calls 1" in shown.text
    assert "only mention the address, and stay: 1." in shown.text
    assert "Calls 2" in taken.text


def test_an_unknown_address_is_refused_at_its_field(acme, client):
    shown = look(client, ADDRESS, email="nobody@nowhere.example", reason=REASON)

    assert "Nothing of this is stored here" in shown.text


def test_a_reason_is_required(acme, client):
    call = conversations.conversation(acme, "call-1")

    look(client, erase_page(call), reason="short")

    assert Conversation.objects.filter(erased_at=None).count() == 1


def test_more_than_a_page_can_wait_for_is_the_command_s(acme, client, monkeypatch):
    from trackers.admin import erasing

    monkeypatch.setattr(erasing, "AT_ONCE_MAX", 1)
    conversations.ingest(acme, record("call-1"), record("call-2"))

    shown = look(client, ADDRESS, email="carl@globex.example", reason=REASON)

    assert "use the command erase_personal_data" in shown.text


def test_a_team_member_goes_with_their_conversations(acme, client):
    conversations.ingest(acme, record("call-1"))
    member = TeamMember.objects.get()
    member_page = reverse("admin:trackers_teammember_change", args=[member.pk])
    address = reverse("admin:trackers_teammember_erase", args=[member.pk])
    assert address in client.get(member_page).content.decode()

    confirmed_act(client, address, reason=REASON)

    member.refresh_from_db()
    assert member.name.startswith("Removed person #")
    assert address not in client.get(member_page).content.decode()


def test_a_retention_says_what_the_coming_nights_erase(acme, client):
    now = timezone.now()
    conversations.ingest(
        acme,
        record("old", started_at=now - timedelta(days=91)),
        record("young", started_at=now - timedelta(days=1)),
    )

    shown = look(client, RETENTION, days="90", reason=REASON)
    confirmed_act(client, RETENTION, days="90", reason=REASON)
    forever = look(client, RETENTION, days="", reason=REASON)

    assert shown.figure("too-old") == "1"
    assert "Kept so far for ever" in shown.text
    assert Retention.objects.get().days == 90
    assert Conversation.objects.filter(erased_at=None).count() == 2
    assert "Kept from now on for ever" in forever.text
    line = AuditText.objects.get(event__subject_type="trackers.retention")
    assert line.changes == [{"field": "days", "before": None, "after": "90"}]


def test_a_retention_says_how_many_example_phrases_go_with_what_is_too_old(
    acme, client, monkeypatch
):
    now = timezone.now()
    tracker = conversations.published(acme, User.objects.get())
    phrase = "That is too expensive for us."
    tracker.examples = [phrase, "Nobody ever says this one."]
    tracker.save()
    conversations.ingest(
        acme, *(record(f"{n}", started_at=now - timedelta(days=n)) for n in (91, 92))
    )

    shown = look(client, RETENTION, days="90", reason=REASON)
    none_yet = look(client, RETENTION, days="100", reason=REASON)
    monkeypatch.setattr(erasing, "AT_ONCE_MAX", 1)
    many = look(client, RETENTION, days="90", reason=REASON)

    assert (shown.figure("too-old"), shown.figure("too-old-examples")) == ("2", "1")
    assert none_yet.figure("too-old-examples") == "0"
    assert many.figure("too-old") == "2"
    assert "said in them go too; in so many they are not counted here." in many.text
    assert Tracker.objects.get().examples[0] == phrase


@pytest.mark.parametrize("days", ["0", "-1", "36501", "soon", "1.5"])
def test_a_retention_is_a_number_of_days(acme, client, days):
    look(client, RETENTION, days=days, reason=REASON)

    assert not Retention.objects.exists()


def test_a_closed_company_is_still_erased_in(acme, client):
    call = conversations.conversation(acme, "call-1")
    vera = people.vera()
    Company.objects.filter(pk=acme.pk).update(
        closed_at=timezone.now(), closed_by=vera, closing_reason="Over"
    )

    confirmed_act(client, erase_page(call), reason=REASON)

    assert Conversation.objects.filter(erased_at=None).count() == 0


@pytest.mark.parametrize("who", [people.vic, lambda company: people.vera()])
def test_viewers_and_vendor_staff_do_not_erase(acme, who):
    call = conversations.conversation(acme, "call-1")
    client = signed_in(who(acme), acme)

    answers = [
        client.post(address, {"step": "confirm", "reason": REASON})
        for address in (erase_page(call), ADDRESS, RETENTION)
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert Conversation.objects.filter(erased_at=None).count() == 1


def test_vendor_staff_remove_a_person(acme):
    bob = people.bob(acme)
    vera = people.vera()
    client = signed_in(vera, acme)
    address = reverse("admin:credits_user_remove", args=[bob.pk])
    assert (
        address in client.get(reverse("admin:credits_user_change", args=[bob.pk])).content.decode()
    )

    shown = look(client, address, reason="Left the company")
    still = User.objects.get(pk=bob.pk).email
    confirmed_act(client, address, reason="Left the company")

    assert "Memberships 1" in shown.text
    assert still == bob.email
    bob.refresh_from_db()
    assert (bob.is_active, bob.get_full_name()) == (
        False,
        f"Removed person #{str(bob.public_id)[-8:]}",
    )
    assert not Membership.objects.filter(user=bob).exists()
    assert signed_in(bob).get("/admin/").status_code == 302


def test_nobody_removes_themselves(acme):
    vera = people.vera()
    client = signed_in(vera, acme)

    client.get(reverse("admin:credits_user_remove", args=[vera.pk]))

    vera.refresh_from_db()
    assert vera.is_active
