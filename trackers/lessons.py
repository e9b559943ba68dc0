"""What reviews taught a tracker: phrases that are examples beside those somebody typed.

A phrase is a reference to what was said, never a copy: whoever erases a conversation takes its
phrases out of every tracker with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from trackers.models import Review, Tracker, TrackerVersion, Utterance

# Of each kind; the analyzer reads at most a hundred phrases, half of which may be typed.
PHRASES_MAX = 50


@dataclass(frozen=True, slots=True)
class Lessons:
    """Phrases like which to find, and like which not to, the newest first."""

    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]


def of(tracker: Tracker, *, but: bytes | None = None) -> Lessons:
    """Return what a tracker has learned, ``but`` from reviews of that question.

    What somebody typed as well is left out.
    """
    rows = Review.objects.filter(tracker=tracker, is_learned=True)
    if but is not None:
        rows = rows.exclude(asked=but)
    reviews = list(rows.order_by("-judged_at", "-pk"))
    said = phrases(reviews)
    return Lessons(
        examples=_kept((said[one.pk] for one in reviews if one.is_yes), tracker.examples),
        counter_examples=_kept(
            (said[one.pk] for one in reviews if not one.is_yes), tracker.counter_examples
        ),
    )


def phrases(reviews: Sequence[Review]) -> dict[UUID, str]:
    """Return the passages that reviews name, by review; those without one are left out."""
    ids = [one.utterance_id for one in reviews if one.utterance_id is not None]
    said = dict(Utterance.objects.filter(pk__in=ids).values_list("pk", "text"))
    return {
        one.pk: said[one.utterance_id][one.start : one.end]
        for one in reviews
        if one.utterance_id is not None
    }


def joined(typed: Sequence[str], learned: Iterable[str]) -> tuple[str, ...]:
    """Put learned phrases behind those that somebody typed, each once and within the limit."""
    return (*typed, *_kept(learned, typed))


def asked(version: TrackerVersion) -> bytes:
    """Name what a version asks: a draft's question may change, and a review is of one question."""
    parts = (
        version.question,
        version.details,
        version.answer_type,
        version.side,
        tuple(version.choices),
        version.part,
        version.part_minutes,
        tuple(version.terms),
        version.related_forms,
        version.pretrained,
    )
    return hashlib.sha256(repr(parts).encode(errors="surrogatepass")).digest()


def _kept(learned: Iterable[str], typed: Sequence[str]) -> tuple[str, ...]:
    distinct = dict.fromkeys(phrase for phrase in learned if phrase not in typed)
    return tuple(distinct)[:PHRASES_MAX]
