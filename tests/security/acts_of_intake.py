"""What people decide about conversations that come and go: imports, erasures, retention."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from credits.models import User
from tests.security.acting import World, act, url
from tests.support import conversations, people, uploads
from trackers.models import Conversation, ImportUpload, TeamMember

LINE = {
    "id": "uploaded-1",
    "kind": "call",
    "started_at": "2026-01-14T10:30:00+00:00",
    "participants": [{"id": "r", "role": "internal"}],
    "utterances": [{"id": "u0", "speaker": "r", "text": "Hello."}],
}


def confirmed_act(client: Any, address: str, **form: str) -> Any:
    """Fill in the form of an act, look at what it will do, and confirm it."""
    page = client.get(address)
    if page.status_code != 200 or "form" not in (page.context or {}):
        return client.post(address, form)
    filled = {"key": str(page.context["form"]["key"].value())} | form
    answer = client.post(address, filled)
    seen = (answer.context or page.context).get("seen", "")
    return client.post(address, filled | {"step": "confirm", "seen": seen})


@act("admin:trackers_importupload_add", "ADDED")
def upload(world: World, _: Any) -> Any:
    file = SimpleUploadedFile("calls.jsonl", json.dumps(LINE).encode())
    return world.as_alice.post(url("trackers_importupload_add"), {"chosen": file})


def _uploaded(world: World) -> ImportUpload:
    content = json.dumps(LINE).encode()
    return uploads.kept(world.acme, world.alice, now=timezone.now(), content=content)


@act("admin:trackers_importupload_confirm", "IMPORT_STARTED", "IMPORTED", prepare=_uploaded)
def take_in(world: World, uploaded: ImportUpload) -> Any:
    return confirmed_act(world.as_alice, url("trackers_importupload_confirm", uploaded.pk))


def _call(world: World) -> Conversation:
    return conversations.conversation(world.acme, "to-erase")


@act("admin:trackers_conversation_erase", "STARTED", "ERASED", prepare=_call)
def erase_conversation(world: World, call: Conversation) -> Any:
    address = url("trackers_conversation_erase", call.pk)
    return confirmed_act(world.as_alice, address, reason="Asked for by letter")


@act("admin:trackers_conversation_erase-address", "STARTED", "ERASED", prepare=_call)
def erase_address(world: World, _: Any) -> Any:
    address = url("trackers_conversation_erase-address")
    form = {"email": "carl@globex.example", "reason": "Asked for by letter"}
    return confirmed_act(world.as_alice, address, **form)


@act("admin:trackers_teammember_erase", "STARTED", "ERASED", prepare=_call)
def erase_member(world: World, _: Any) -> Any:
    member = TeamMember.objects.get(company=world.acme, email="rep@acme.example")
    address = url("trackers_teammember_erase", member.pk)
    return confirmed_act(world.as_alice, address, reason="Asked for by letter")


@act("admin:trackers_conversation_retention", "CHANGED")
def set_retention(world: World, _: Any) -> Any:
    address = url("trackers_conversation_retention")
    return confirmed_act(world.as_alice, address, days="90", reason="Decided by the board")


@act(
    "admin:credits_user_remove",
    "ERASED",
    prepare=lambda world: people.newcomer(world.acme),
)
def remove_person(world: World, person: User) -> Any:
    address = url("credits_user_remove", person.pk)
    return confirmed_act(world.as_vera, address, reason="Left the company")
