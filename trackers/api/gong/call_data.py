"""Calls as this API shows them: facts, context, parties, what trackers found, who spoke."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.urls import reverse

from credits.api.fields import instant_text
from trackers.api.gong import found, numbers, tongues, transcripts
from trackers.api.gong.call_filters import BASIC, EXTENDED, NONE, NOW
from trackers.models import (
    Affiliation,
    Contact,
    Conversation,
    CustomerAccount,
    Deal,
    Participant,
    Utterance,
)

_SIDES = {Affiliation.COMPANY: "Internal", Affiliation.NON_COMPANY: "External"}
# Parts of a call's content that are lists there, and that nothing here makes.
_EMPTY_LISTS = ("structure", "topics", "outline", "highlights", "keyPoints")


@dataclass(frozen=True, slots=True)
class Selected:
    """What a content selector asks for."""

    context: str
    timings: tuple[str, ...]
    parties: bool
    media: bool
    content: frozenset[str]
    interaction: frozenset[str]
    collaboration: frozenset[str]

    @classmethod
    def of(cls, selector: dict[str, Any]) -> Selected:
        exposed = selector.get("exposedFields") or {}

        def asked(name: str) -> frozenset[str]:
            return frozenset(part for part, is_on in (exposed.get(name) or {}).items() if is_on)

        return cls(
            context=selector.get("context") or NONE,
            timings=tuple(dict.fromkeys(selector.get("contextTiming") or (NOW,))),
            parties=bool(exposed.get("parties")),
            media=bool(exposed.get("media")),
            content=asked("content"),
            interaction=asked("interaction"),
            collaboration=asked("collaboration"),
        )

    @property
    def trackers(self) -> bool:
        return "trackers" in self.content


class Calls:
    """Some calls with all that is shown of them, each kind of row read at once."""

    def __init__(
        self,
        calls: Sequence[Conversation],
        selected: Selected,
        *,
        workspace: str,
        address: Callable[[str], str],
    ) -> None:
        self.calls, self.selected = calls, selected
        self.workspace, self.address = workspace, address

    def data(self) -> list[dict[str, Any]]:
        return [self._call(call) for call in self.calls]

    @cached_property
    def _people(self) -> dict[UUID, list[Participant]]:
        people: dict[UUID, list[Participant]] = {}
        rows = Participant.objects.filter(conversation__in=self.calls)
        for one in rows.select_related("contact").order_by("pk"):
            people.setdefault(one.conversation_id, []).append(one)
        return people

    @cached_property
    def _said(self) -> dict[UUID, list[Utterance]]:
        return transcripts.utterances(self.calls)

    @cached_property
    def _found(self) -> dict[UUID, list[dict[str, Any]]]:
        with_occurrences = "trackerOccurrences" in self.selected.content
        return found.in_calls(self.calls, with_occurrences=with_occurrences)

    def _call(self, call: Conversation) -> dict[str, Any]:
        selected = self.selected
        data: dict[str, Any] = {"metaData": self._facts(call)}
        if selected.context in (BASIC, EXTENDED):
            data["context"] = _context(call, selected)
        if selected.parties:
            data["parties"] = self._parties(call)
        if selected.content:
            data["content"] = self._content(call)
        if selected.interaction:
            data["interaction"] = self._interaction(call)
        if selected.collaboration:
            data["collaboration"] = {"publicComments": []}
        if selected.media:
            data["media"] = {}  # Nothing is recorded here.
        return data

    def _facts(self, call: Conversation) -> dict[str, Any]:
        path = reverse("admin:trackers_conversation_change", args=[call.pk])
        owner = {} if call.owner_id is None else {"primaryUserId": numbers.of(call.owner_id)}
        sides = {one.affiliation for one in self._people.get(call.pk, [])}
        scope = "External" if Affiliation.NON_COMPANY in sides else "Internal"
        started = instant_text(call.started_at)
        return {
            "id": numbers.call(call),
            "url": self.address(path),
            "title": call.title,
            "scheduled": started,
            "started": started,
            "duration": call.duration_seconds,
            **owner,
            "direction": "Unknown",
            "system": call.source,
            "scope": scope if sides else "Unknown",
            "language": tongues.code(call.language),
            "workspaceId": self.workspace,
            "clientUniqueId": call.external_id,
            "isPrivate": False,
        }

    def _parties(self, call: Conversation) -> list[dict[str, Any]]:
        spoke = {one.speaker_id for one in self._said.get(call.pk, [])}
        return [
            _party(call, one, spoke=spoke, selected=self.selected)
            for one in self._people.get(call.pk, [])
        ]

    def _content(self, call: Conversation) -> dict[str, Any]:
        content: dict[str, Any] = {
            name: [] for name in _EMPTY_LISTS if name in self.selected.content
        }
        if self.selected.trackers:
            content["trackers"] = self._found.get(call.pk, [])
        return content

    def _interaction(self, call: Conversation) -> dict[str, Any]:
        asked = self.selected.interaction
        data: dict[str, Any] = {}
        if "speakers" in asked:
            data["speakers"] = self._speakers(call)
        if "personInteractionStats" in asked:
            data["interactionStats"] = []
        if "video" in asked:
            data["video"] = []
        return data

    def _speakers(self, call: Conversation) -> list[dict[str, Any]]:
        """Return for how long each of those who spoke did, as far as times were recorded."""
        said = self._said.get(call.pk, [])
        seconds: dict[int, float] = {}
        for one, span in zip(said, transcripts.spans(call, said), strict=True):
            spoken = 0.0 if span is None else float(span[1] - span[0])
            seconds[one.speaker_id] = seconds.get(one.speaker_id, 0.0) + spoken
        return [
            {
                "id": numbers.party(one),
                **_user(one),
                "talkTime": seconds[one.pk],
            }
            for one in self._people.get(call.pk, [])
            if one.pk in seconds
        ]


def _party(
    call: Conversation, one: Participant, *, spoke: set[int], selected: Selected
) -> dict[str, Any]:
    address = {"emailAddress": one.email} if one.email else {}
    number = numbers.participant(call.pk, one.external_id)
    speaker = {"speakerId": number} if one.pk in spoke else {}
    return {
        "id": numbers.party(one),
        **address,
        "name": one.name,
        **_user(one),
        **speaker,
        "context": _contact(one, selected),
        "affiliation": _SIDES[Affiliation(one.affiliation)],
        "methods": ["Attendee"] if speaker else [],
    }


def _contact(one: Participant, selected: Selected) -> list[dict[str, Any]]:
    """Return who a party is in the CRM: the contact or lead, where they are known there."""
    contact = one.contact
    if contact is None or not contact.external_id or selected.context not in (BASIC, EXTENDED):
        return []
    kind = "Lead" if contact.account_id is None else "Contact"
    fields = {"Name": contact.name, "Email": contact.email}
    objects = [
        _object(kind, contact, fields, timing, selected)
        for timing in selected.timings
        if timing == NOW
    ]
    return [{"system": "Generic", "objects": objects}] if objects else []


def _user(one: Participant) -> dict[str, str]:
    return {} if one.team_member_id is None else {"userId": numbers.of(one.team_member_id)}


def _context(call: Conversation, selected: Selected) -> list[dict[str, Any]]:
    """Return the call's account and deal, as they are now or were when the call arrived."""
    objects = []
    for timing in selected.timings:
        is_now = timing == NOW
        if call.account is not None:
            kind = call.account.account_type if is_now else call.account_type
            fields = {"Name": call.account.name, "Type": kind}
            objects.append(_object("Account", call.account, fields, timing, selected))
        if call.deal is not None:
            stage = call.deal.stage if is_now else call.deal_stage
            fields = {"Name": call.deal.name, "StageName": stage}
            objects.append(_object("Opportunity", call.deal, fields, timing, selected))
    return [{"system": "Generic", "objects": objects}] if objects else []


def _object(
    kind: str,
    row: CustomerAccount | Deal | Contact,
    fields: dict[str, str],
    timing: str,
    selected: Selected,
) -> dict[str, Any]:
    """Return an object of the CRM under the id it has there; under ours where we know no other."""
    found = {"objectType": kind, "objectId": row.external_id or str(row.pk)}
    if selected.context != EXTENDED:
        return found
    named = [{"name": name, "value": value} for name, value in fields.items() if value]
    return {**found, "fields": named, "timing": timing}
