"""Where words of conversations were copied to, with no key that leads back: found by the words.

Examples of trackers and their history, lines of the audit trail, files kept for an import. What
cannot be found by a key is searched for; ``Needles`` says by what.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import F, Func, Model, Q, TextField
from django.db.models.functions import Now

from credits import erasure
from credits.models import AuditText, Company
from trackers.batches import batches
from trackers.models import ImportFile, Quote, Tracker, TrackerVersion, Utterance

EXAMPLE_FIELDS = ("examples", "counter_examples")
# A shorter example may be in any call by chance: nobody copied it from this one.
EXAMPLE_WORDS_MIN = 5
# Shorter words would be found where they do not belong.
NEEDLE_LENGTH_MIN = 6
NEEDLES_AT_ONCE = 50


class JsonText(Func):
    """A JSON column as text, to search in."""

    template = "%(expressions)s::text"
    output_field = TextField()


def examples_from(*, company: Company, conversations: Iterable[Any]) -> set[str]:
    """Return the examples of the company's trackers, of today or in history, that say what was
    said there: a whole turn or quote, or five words of one in a row."""
    found: set[str] = set()
    candidates = {
        example: _plain(example)
        for row in _rows_with_examples(company)
        for name in EXAMPLE_FIELDS
        for example in getattr(row, name)
    }
    candidates = {example: plain for example, plain in candidates.items() if plain}
    if not candidates:
        return found
    ids = list(conversations)
    passages = _passages(ids)
    texts = Utterance.objects.filter(conversation__in=ids).values_list("text", flat=True)
    for text in texts.iterator():
        plain = _plain(text)
        for example, words in candidates.items():
            is_long = len(words.split()) >= EXAMPLE_WORDS_MIN
            if words == plain or words in passages or (is_long and words in plain):
                found.add(example)
    return found


def remove_examples(*, company: Company, examples: set[str]) -> int:
    """Remove examples from trackers and their history; return from how many trackers.

    What an analyzer learned from the examples holds their words, too: it learns anew.
    """
    count = 0
    for row in _rows_with_examples(company):
        changed = {
            name: [one for one in getattr(row, name) if one not in examples]
            for name in EXAMPLE_FIELDS
        }
        if any(changed[name] != getattr(row, name) for name in EXAMPLE_FIELDS):
            # update(), not save(): history would keep what goes. A form that was opened before
            # is refused by the edit number: it would bring them back.
            number = F("edit_number") + int(isinstance(row, Tracker))
            type(row)._base_manager.filter(pk=row.pk).update(edit_number=number, **changed)
            if isinstance(row, Tracker):
                TrackerVersion.objects.filter(tracker=row).update(calibration=None)
                count += 1
    return count


def blank_history(*, company: Company, needles: Iterable[str]) -> int:
    """Blank the reasons in trackers' history that say one of the words; return how many."""
    history = Tracker.history.model
    count = 0
    for some in batches(needles, NEEDLES_AT_ONCE):
        says = Q()
        for needle in some:
            says |= Q(history_change_reason__icontains=needle)
        count += history.objects.filter(says, company=company).update(history_change_reason=None)
    return count


def blank_trail(*, company: Company, needles: Iterable[str], is_person: bool) -> int:
    """Blank the words of the audit trail that say one of ours; return in how many lines.

    Of a person, also in lines that belong to no company, such as a sign-in refused.
    """
    lines = AuditText.objects.filter(
        Q(event__company=company) | Q(event__company=None)
        if is_person
        else Q(event__company=company)
    )
    count = 0
    with erasure.allowed():
        for some in batches(needles, NEEDLES_AT_ONCE):
            count += _blank(lines, some)
    return count


def remove_uploads(*, company: Company) -> int:
    """Remove the files kept for imports that nobody has confirmed yet; return how many.

    All of the company's: whether one holds what is erased cannot be told for sure from bytes.
    """
    return ImportFile.objects.filter(company=company).delete()[0]


def needles(words: Iterable[str]) -> list[str]:
    """Return the words that can be searched for, once each."""
    return sorted({word.strip() for word in words if len(word.strip()) >= NEEDLE_LENGTH_MIN})


def _blank(lines: Any, some: list[str]) -> int:
    said, acted = Q(), Q()
    for needle in some:
        in_json = json.dumps(needle, ensure_ascii=False)[1:-1]
        said |= (
            Q(subject_label__icontains=needle)
            | Q(reason__icontains=needle)
            | Q(changes_text__icontains=in_json)
        )
        acted |= Q(actor_name__icontains=needle)
    found = lines.annotate(changes_text=JsonText("changes"))
    count: int = AuditText.objects.filter(
        pk__in=list(found.filter(said).values_list("pk", flat=True))
    ).update(subject_label="", changes=[], reason="", erased_at=Now())
    AuditText.objects.filter(pk__in=list(lines.filter(acted).values_list("pk", flat=True))).update(
        actor_name="", erased_at=Now()
    )
    return count


def _rows_with_examples(company: Company) -> list[Model]:
    history = Tracker.history.model
    return [
        *Tracker.objects.filter(company=company).order_by("pk"),
        *history.objects.filter(company=company).order_by("pk"),
    ]


def _passages(conversations: list[Any]) -> set[str]:
    quotes = Quote.objects.filter(scan__conversation__in=conversations).select_related("utterance")
    return {_plain(quote.utterance.text[quote.start : quote.end]) for quote in quotes.iterator()}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
