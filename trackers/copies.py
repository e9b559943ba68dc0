"""Where words of conversations were copied to, with no key that leads back: found by the words.

Examples of trackers and their history, lines of the audit trail, answers kept for clients that
repeat themselves, files kept for an import. What cannot be found by a key is searched for.
"""

from __future__ import annotations

import json
import operator
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

from django.db.models import F, Func, Model, Q, QuerySet, TextField
from django.db.models.functions import Length, Now

from credits import audit, erasure, idempotency
from credits.models import AuditText, Company
from trackers.batches import batches
from trackers.mentions import Person
from trackers.models import Conversation, ImportFile, Quote, Tracker, TrackerVersion, Utterance
from trackers.rewording import EXAMPLE_FIELDS

# A shorter example may be in any call by chance: see ``examples_from``.
EXAMPLE_WORDS_MIN = 5
LETTERS_MIN = 8
# Shorter words would be found where they do not belong.
NEEDLE_LENGTH_MIN = 6
NEEDLES_AT_ONCE = 50
# Operations of the API that take conversations in.
OF_CONVERSATIONS = "conversations."
# What ends a text that was cut, and how much of a word before it is still that word.
CUT = "…"
CUT_LENGTH_MIN = 3
CUT_OF_PROSE_MIN = 12
# What stands between the items of a list in the trail.
BETWEEN = "; "


class JsonText(Func):
    """A JSON column as text, to search in."""

    template = "%(expressions)s::text"
    output_field = TextField()


def examples_from(
    *, company: Company, conversations: Iterable[Any], gone: Iterable[Any] = ()
) -> set[str]:
    """Return the examples of the company's trackers, of today or in history, that were said there.

    That is a whole turn or quote, or five words of one in a row; however they are punctuated. A
    shorter example is many people's: it counts where somebody wrote it after the conversation had
    come, and no conversation but those in ``gone`` says it.
    """
    ids = list(conversations)
    written = examples(company)
    phrases = {example: _Phrase.of(example) for example in written}
    phrases = {example: phrase for example, phrase in phrases.items() if phrase.words}
    if not phrases:
        return set()
    arrived = dict(Conversation.objects.filter(pk__in=ids).values_list("pk", "arrived_at"))
    passages = _passages(ids)
    found, short = set(), set()
    turns = Utterance.objects.filter(conversation__in=ids).values_list("conversation", "text")
    for conversation, text in turns.iterator():
        turn = _Phrase.of(text)
        for example, phrase in phrases.items():
            if phrase.letters == turn.letters or phrase.letters in passages:
                found.add(example)
            elif not phrase.is_in(turn):
                continue
            elif len(phrase.words) >= EXAMPLE_WORDS_MIN:
                found.add(example)
            elif written[example] >= arrived[conversation]:
                short.add(example)
    away = [*ids, *gone]
    return found | {
        one for one in short - found if not is_said_elsewhere(company, phrases[one].words, away)
    }


def examples(company: Company) -> dict[str, datetime]:
    """Return the examples of the company's trackers with when each was first written."""
    first: dict[str, datetime] = {}
    history = Tracker.history.filter(company=company).order_by("history_date")
    for written_at, *lists in history.values_list("history_date", *EXAMPLE_FIELDS).iterator():
        for example in (one for several in lists for one in several):
            first.setdefault(example, written_at)
    return first


def remove_examples(*, company: Company, examples: Collection[str]) -> int:
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


def blank_history(*, company: Company, needles: Iterable[str], names: Collection[str] = ()) -> int:
    """Blank the reasons in trackers' history that say one of the words; return how many.

    Reasons were once cut at 100 characters: what is left of a word at such an end counts, too,
    of the addresses and full names among ``names`` a few letters.
    """
    words = list(needles)
    rows = Tracker.history.filter(company=company)
    count = 0
    for some in batches(words, NEEDLES_AT_ONCE):
        says = Q()
        for needle in some:
            says |= Q(history_change_reason__icontains=needle)
        count += rows.filter(says).update(history_change_reason=None)
    ends = _Ends(words, names)
    cut = rows.filter(history_change_reason__endswith=CUT)
    found = [
        pk
        for pk, reason in cut.values_list("pk", "history_change_reason").iterator()
        if ends.are_at(reason)
    ]
    return count + rows.filter(pk__in=found).update(history_change_reason=None)


def blank_trail(
    *, company: Company | None, needles: Iterable[str], names: Collection[str] = ()
) -> int:
    """Blank the words of the audit trail that say one of ours; return in how many lines.

    Of a person, whose addresses and full names ``names`` are, also in lines that belong to no
    company, such as a sign-in refused. Without a company, in all lines. What is left of a word
    where a value was cut counts, too.
    """
    of_company = Q() if company is None else Q(event__company=company)
    if names and company is not None:
        of_company |= Q(event__company=None)
    lines = AuditText.objects.filter(of_company)
    words = list(needles)
    count = 0
    with erasure.allowed():
        for some in batches(words, NEEDLES_AT_ONCE):
            count += _blank(lines, some)
        count += _blank_cut(lines, _Ends(words, names))
    return count


def blank_lists_of(*, company: Company, person: Person) -> int:
    """Blank the lines about trackers whose values name a person in several items of a list.

    Returns in how many lines. Whoever is named in one text is found by ``blank_trail``.
    """
    says = Q()
    for name in person.full_names:
        words = (Q(changes_text__icontains=word.strip(",")) for word in name.split())
        says |= reduce(operator.and_, words)
    if not says:
        return 0
    lines = trail_of_trackers(company).annotate(changes_text=JsonText("changes")).filter(says)
    found = [
        pk
        for pk, changes in lines.values_list("pk", "changes").iterator()
        if any(person.is_named_among(text.split(BETWEEN)) for _, text in texts_in(changes))
    ]
    with erasure.allowed():
        return AuditText.objects.filter(pk__in=found).update(
            subject_label="", changes=[], reason="", erased_at=Now()
        )


def trail_of_trackers(company: Company) -> QuerySet[AuditText]:
    """Return the lines of the audit trail about the company's trackers."""
    return AuditText.objects.filter(
        event__company=company, event__subject_type=audit.type_of(Tracker)
    )


def texts_in(changes: Iterable[dict[str, str | None]]) -> Iterator[tuple[str, str]]:
    """Yield the values in a line of the trail, before and after, with the field of each."""
    for one in changes:
        for text in (one["before"], one["after"]):
            if text:
                yield str(one["field"]), text


def remove_uploads(*, company: Company) -> int:
    """Remove the files kept for imports that nobody has confirmed yet; return how many.

    All of the company's: whether one holds what is erased cannot be told for sure from bytes.
    """
    return ImportFile.objects.filter(company=company).delete()[0]


def forget_answers(*, company: Company, words: Iterable[str]) -> int:
    """Drop answers to API requests that are kept for a repetition; return how many.

    Those that say one of the words, whatever was asked; and all about conversations sent in: they
    are too many to be searched for each of a thousand, and say of one that was refused what is
    nowhere else.
    """
    return idempotency.forget_answers_to(
        company=company, operations=OF_CONVERSATIONS
    ) + idempotency.forget_answers_saying(company=company, words=words)


def is_said_elsewhere(company: Company, words: Sequence[str], away: Collection[Any]) -> bool:
    """Tell whether a turn of a conversation that is not among ``away`` says words in a row."""
    others = Utterance.objects.filter(company=company, text__iregex=in_a_row(words))
    return others.exclude(conversation__in=away).exists()


def in_a_row(words: Sequence[str]) -> str:
    """Return a pattern for words that follow each other, however they are punctuated."""
    return r"\m" + r"\W+".join(words) + r"\M"


def needles(words: Iterable[str]) -> list[str]:
    """Return the words that can be searched for, once each."""
    return sorted({word.strip() for word in words if len(word.strip()) >= NEEDLE_LENGTH_MIN})


def _blank(lines: QuerySet[AuditText], some: list[str]) -> int:
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


def _blank_cut(lines: QuerySet[AuditText], ends: _Ends) -> int:
    """Blank the lines in which a value was cut in the middle of one of our words."""
    cut = (
        lines.annotate(
            changes_text=JsonText("changes"),
            label_length=Length("subject_label"),
            name_length=Length("actor_name"),
        )
        .filter(
            Q(reason__endswith=CUT)
            | Q(changes_text__contains=f'{CUT}"')
            | Q(label_length=audit.LABEL_LENGTH_MAX)
            | Q(name_length=audit.LABEL_LENGTH_MAX)
        )
        .values_list("pk", "reason", "subject_label", "changes", "actor_name")
    )
    said, acted = [], []
    for pk, reason, label, changes, name in cut.iterator():
        values = [value or "" for one in changes for value in (one["before"], one["after"])]
        texts = [text for text in (reason, *values) if text.endswith(CUT)]
        if len(label) == audit.LABEL_LENGTH_MAX:
            texts.append(label)
        if any(ends.are_at(text) for text in texts):
            said.append(pk)
        if len(name) == audit.LABEL_LENGTH_MAX and ends.are_at(name):
            acted.append(pk)
    count = AuditText.objects.filter(pk__in=said).update(
        subject_label="", changes=[], reason="", erased_at=Now()
    )
    AuditText.objects.filter(pk__in=acted).update(actor_name="", erased_at=Now())
    return count


class _Ends:
    """Tells whether a text that was cut ends with the beginning of one of some words."""

    def __init__(self, words: Iterable[str], names: Iterable[str]) -> None:
        self._names = sorted({name.casefold() for name in names})
        self._all = sorted({word.casefold() for word in words}.union(self._names))
        self._longest = max(map(len, self._all), default=0)

    def are_at(self, text: str) -> bool:
        text = text.removesuffix(CUT).casefold()
        for begin in range(max(0, len(text) - self._longest), len(text)):
            tail = text[begin:]
            if len(tail) < CUT_LENGTH_MIN or (begin and text[begin - 1].isalnum()):
                continue
            if self._is_begun(tail):
                return True
        return False

    def _is_begun(self, tail: str) -> bool:
        # Of what was said, a few letters are anybody's; of an address or a name they are not.
        words = self._all if len(tail) >= CUT_OF_PROSE_MIN else self._names
        place = bisect_left(words, tail)
        return place < len(words) and words[place].startswith(tail)


def _rows_with_examples(company: Company) -> list[Model]:
    history = Tracker.history.model
    return [
        *Tracker.objects.filter(company=company).order_by("pk"),
        *history.objects.filter(company=company).order_by("pk"),
    ]


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A text as it is compared: no capitals, no punctuation, however dashes are written."""

    words: tuple[str, ...]
    spaced: str
    letters: str

    @classmethod
    def of(cls, text: str) -> _Phrase:
        words = tuple(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))
        return cls(words, f" {' '.join(words)} ", "".join(words))

    def is_in(self, turn: _Phrase) -> bool:
        # Many letters in a row are no chance, wherever a dash or a space divides them.
        is_sure = len(self.letters) >= LETTERS_MIN and self.letters in turn.letters
        return is_sure or self.spaced in turn.spaced


def _passages(conversations: list[Any]) -> set[str]:
    quotes = Quote.objects.filter(scan__conversation__in=conversations).select_related("utterance")
    return {
        _Phrase.of(quote.utterance.text[quote.start : quote.end]).letters
        for quote in quotes.iterator()
    }
