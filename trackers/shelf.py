"""Texts that were read for one tracker, at hand for the next one that reads the same.

Note [Read beside]
    Most of what it takes to read a conversation does not depend on the question: loading the text
    and its vectors, finding its words. So a worker that has read a batch for one tracker goes on
    with what other trackers have queued of the same conversations, while the texts are at hand and
    its turn lasts. Each tracker's is a batch of its own: claimed, held, written and charged by
    itself, so that what one of them meets stays its own. A worker that stops in between loses
    nothing: the others' work is queued as before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from trackers import calibrating
from trackers.analyzers.base import ConversationText
from trackers.models import TrackerVersion

# About 50 MB with what the built-in analyzer works out of them; the rest is read anew.
UTTERANCES_MAX = 10_000


@dataclass(slots=True)
class Shelf:
    """Texts of one scope: read by versions that are asked for the same side and part.

    Where ``is_open``, texts that are loaded stay on it, as many as have room.
    """

    is_open: bool = False
    _texts: dict[UUID, tuple[int, ConversationText]] = field(default_factory=dict)
    _utterance_count: int = 0

    @property
    def conversation_ids(self) -> Collection[UUID]:
        return self._texts.keys()

    def texts_of(
        self, revisions: Mapping[UUID, int], *, version: TrackerVersion
    ) -> dict[UUID, ConversationText]:
        """Return what a version of this scope reads of conversations, loading what is not here."""
        here = {
            pk: self._texts[pk][1]
            for pk, revision in revisions.items()
            if pk in self._texts and self._texts[pk][0] == revision
        }
        missing = {pk: revision for pk, revision in revisions.items() if pk not in here}
        if not missing:
            return here
        loaded = calibrating.texts_of(missing, version=version)
        if self.is_open:
            loaded = {pk: self._kept(pk, missing[pk], text) for pk, text in loaded.items()}
        return here | loaded

    def _kept(self, pk: UUID, revision: int, text: ConversationText) -> ConversationText:
        count = len(text.utterances)
        if self._utterance_count + count > UTTERANCES_MAX:
            return text
        self._utterance_count += count
        kept = replace(text, kept={})
        self._texts[pk] = (revision, kept)
        return kept
