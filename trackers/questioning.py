"""What a version asks: a question, keywords, or a shipped tracker; and of which words.

A change of any of it makes a new version, which reads and charges anew (SPEC §3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trackers import keywords, parts, pretrained
from trackers.models import AnswerType, Part, Side, TrackerKind, TrackerVersion

QUESTION_LENGTH_MAX = 2000
DETAILS_LENGTH_MAX = 4000
CHOICES_MIN, CHOICES_MAX = 2, 20
CHOICE_LENGTH_MAX = 100
TERMS_NAMED_MAX = 10  # In the words of a keyword tracker.


class NotSaved(Exception):
    """A tracker that was not saved; the message says why, ``field`` which part is meant."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Question:
    """What makes a version: a change of it is a new version, which reads and charges anew.

    Keywords have ``terms`` and perhaps ``related_forms``, a pretrained tracker the code of what
    was shipped, and either says its ``question`` itself; ``checked`` leaves out what is not the
    kind's.
    """

    question: str = ""
    details: str = ""
    side: str = Side.ANY
    answer_type: str = AnswerType.YES_NO
    choices: tuple[str, ...] = ()
    kind: str = TrackerKind.QUESTION
    part: str = Part.WHOLE
    part_minutes: int | None = None
    terms: tuple[str, ...] = ()
    related_forms: bool = False
    pretrained: str = ""


def question_of(version: TrackerVersion) -> Question:
    """Return what a version asks."""
    return Question(
        question=version.question,
        details=version.details,
        side=version.side,
        answer_type=version.answer_type,
        choices=tuple(version.choices),
        kind=version.kind,
        part=version.part,
        part_minutes=version.part_minutes,
        terms=tuple(version.terms),
        related_forms=version.related_forms,
        pretrained=version.pretrained,
    )


def apply(question: Question, version: TrackerVersion) -> None:
    """Write what is asked to an unsaved or drafted version."""
    for name in Question.__dataclass_fields__:
        value = getattr(question, name)
        setattr(version, name, list(value) if isinstance(value, tuple) else value)


def checked(question: Question) -> Question:
    """Return the question as its kind has it, without what makes no difference.

    :raises NotSaved: something is missing, too long or not on the lists.
    """
    if question.kind not in TrackerKind.values:
        raise NotSaved("Not saved: choose a kind of tracker from the list.", "kind")
    question = with_part(question)
    match question.kind:
        case TrackerKind.KEYWORD:
            return _keywords(question)
        case TrackerKind.PRETRAINED:
            return _pretrained(question)
        case _:
            return _question(question)


def with_part(question: Question) -> Question:
    """Return the question with the minutes of its part, if it has some.

    :raises NotSaved: the part is not on the list, or its minutes are missing or out of range.
    """
    if question.part not in Part.values:
        raise NotSaved("Not saved: choose which part of a call from the list.", "part")
    if question.part == Part.WHOLE:
        return replace(question, part_minutes=None)
    minutes = question.part_minutes
    if minutes is None or not 1 <= minutes <= parts.MINUTES_MAX:
        raise NotSaved(
            f"Not saved: say how many minutes of a call, from 1 to {parts.MINUTES_MAX}.",
            "part_minutes",
        )
    return question


def keywords_in_words(terms: Sequence[str], *, related_forms: bool) -> str:
    """Say what a keyword tracker looks for."""
    named = [f"“{term}”" for term in terms[:TERMS_NAMED_MAX]]
    rest = len(terms) - len(named)
    said = ", ".join(named) + (f" and {rest} more" if rest else "")
    return f"Says {said}" + (", in any form" if related_forms else "")


def refuse_too_much(name: str, texts: Sequence[str], count_max: int, length_max: int) -> None:
    """Check how many texts a field has, and how long they are.

    :raises NotSaved: too many, or too long.
    """
    words = name.replace("_", " ")
    if len(texts) > count_max:
        raise NotSaved(f"Not saved: at most {count_max} {words}; these are {len(texts)}.", name)
    if any(len(text) > length_max for text in texts):
        raise NotSaved(f"Not saved: {words} of at most {length_max} characters each.", name)


def _question(question: Question) -> Question:
    if not question.question.strip():
        raise NotSaved(
            "Not saved: a tracker needs a question. Say who did what, such as “Did the customer "
            "ask for a discount?”",
            "question",
        )
    if question.side not in Side.values or question.answer_type not in AnswerType.values:
        raise NotSaved("Not saved: choose whose words and which answer from the lists.", "side")
    is_choice = question.answer_type == AnswerType.CATEGORY
    distinct = {choice.casefold() for choice in question.choices}
    if is_choice and len(distinct) < CHOICES_MIN:
        raise NotSaved(
            "Not saved: an answer that is one of several choices needs at least two of them.",
            "choices",
        )
    refuse_too_much("question", (question.question,), 1, QUESTION_LENGTH_MAX)
    refuse_too_much("details", (question.details,), 1, DETAILS_LENGTH_MAX)
    refuse_too_much("choices", question.choices, CHOICES_MAX, CHOICE_LENGTH_MAX)
    return replace(
        question,
        question=question.question.strip(),
        details=question.details.strip(),
        choices=question.choices if is_choice else (),
        terms=(),
        related_forms=False,
        pretrained="",
    )


def _keywords(question: Question) -> Question:
    if question.side not in Side.values:
        raise NotSaved("Not saved: choose whose words from the list.", "side")
    terms = tuple(dict.fromkeys(" ".join(term.split()) for term in question.terms))
    terms = tuple(term for term in terms if term)
    if not terms:
        raise NotSaved("Not saved: write at least one word or phrase to look for.", "terms")
    refuse_too_much("terms", terms, keywords.TERMS_MAX, keywords.TERM_LENGTH_MAX)
    for term in terms:
        try:
            keywords.refuse_unfindable(term)
        except (keywords.NoWords, keywords.TooManyWords) as error:
            raise NotSaved(f"Not saved: “{term}” – {_begun_small(str(error))}", "terms") from error
    return replace(
        question,
        question=keywords_in_words(terms, related_forms=question.related_forms),
        details="",
        answer_type=AnswerType.YES_NO,
        choices=(),
        terms=terms,
        pretrained="",
    )


def _pretrained(question: Question) -> Question:
    shipped = pretrained.shipped().get(question.pretrained)
    if shipped is None:
        raise NotSaved("Not saved: choose one of the pretrained trackers.", "pretrained")
    return replace(
        question,
        question=shipped.question,
        details=shipped.details,
        side=shipped.side,
        answer_type=AnswerType.YES_NO,
        choices=(),
        terms=(),
        related_forms=False,
    )


def _begun_small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
