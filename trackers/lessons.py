"""What reviews taught a tracker: phrases that are examples beside those somebody typed.

A phrase is a reference to what was said, never a copy: whoever erases a conversation takes its
phrases out of every tracker with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from trackers.models import Review, Tracker, TrackerVersion

# Of each kind; the analyzer reads at most a hundred phrases, half of which may be typed.
PHRASES_MAX = 50


@dataclass(frozen=True, slots=True)
class Lessons:
    """Phrases like which to find, and like which not to, the newest first."""

    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]


def of(tracker: Tracker) -> Lessons:
    """Return what a tracker has learned; what somebody typed as well is left out."""
    found: dict[bool, list[str]] = {True: [], False: []}
    rows = (
        Review.objects.filter(tracker=tracker, is_learned=True)
        .order_by("-judged_at", "-pk")
        .values_list("is_yes", "utterance__text", "start", "end")
    )
    for is_yes, said, start, end in rows:
        found[is_yes].append(said[start:end])
    return Lessons(
        examples=_kept(found[True], tracker.examples),
        counter_examples=_kept(found[False], tracker.counter_examples),
    )


def asked(version: TrackerVersion) -> bytes:
    """Name what a version asks: a draft's question may change, and a review is of one question."""
    parts = (
        version.question,
        version.details,
        version.answer_type,
        version.side,
        tuple(version.choices),
    )
    return hashlib.sha256(repr(parts).encode(errors="surrogatepass")).digest()


def _kept(phrases: list[str], typed: list[str]) -> tuple[str, ...]:
    distinct = dict.fromkeys(phrase for phrase in phrases if phrase not in typed)
    return tuple(distinct)[:PHRASES_MAX]
