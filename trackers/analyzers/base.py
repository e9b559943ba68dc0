"""What an analyzer is: values in, values out, and the protocol between them.

An analyzer reads one conversation and answers tracker questions about it. It holds no
credits, no database and no tools: it gets frozen values and returns frozen values
(DESIGN §6, MODEL "Interface"). Which analyzer runs is the dotted path in the setting
``ANALYZER``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable


class AnalyzerFailed(Exception):
    """The analyzer could not do this; trying again may help.

    The message is a sentence for people, without a word of any text that was read.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AnalyzerBusy(AnalyzerFailed):
    """Not now: nothing is wrong with what was to be read, and waiting is no failed attempt."""


class AnalyzerRefused(AnalyzerFailed):
    """It will not be done, however often it is tried."""


class Kind(StrEnum):
    CALL = "CALL"
    EMAIL = "EMAIL"


class Affiliation(StrEnum):
    """Which side of the conversation a speaker is on."""

    COMPANY = "COMPANY"
    NON_COMPANY = "NON_COMPANY"


class Side(StrEnum):
    """Whose words a question is about."""

    REP = "REP"
    CUSTOMER = "CUSTOMER"
    ANY = "ANY"


class AnswerType(StrEnum):
    YES_NO = "YES_NO"
    CATEGORY = "CATEGORY"
    TEXT = "TEXT"


class Verdict(StrEnum):
    """Whether the conversation holds what the question asks for."""

    YES = "YES"
    NO = "NO"
    UNSURE = "UNSURE"


class Confidence(StrEnum):
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


@dataclass(frozen=True, slots=True)
class UtteranceText:
    """One turn of speech, or one paragraph of an e-mail."""

    id: str
    affiliation: Affiliation
    text: str


@dataclass(frozen=True, slots=True)
class ConversationText:
    """The text of one conversation at one text revision, utterances in order.

    ``language`` is a code of two or three letters, empty where nobody said it.
    ``vectors`` are what the analyzer itself made before, see ``StoresVectors``, of the
    utterances that ``vector_ids`` names in their order, or of all when it is empty: a part of a
    conversation comes with the vectors of the whole.
    ``kept``, where there is one, lives as long as this text does: an analyzer puts there what it
    works out of the text whatever is asked, under keys of its own, and takes it for the next
    question. It is of this text alone, so whoever cuts a part of it gives that one its own.
    """

    id: str
    kind: Kind
    utterances: tuple[UtteranceText, ...]
    language: str = ""
    vectors: bytes | None = None
    vector_ids: tuple[str, ...] = ()
    kept: dict[object, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TrackerQuestion:
    """What a tracker asks. ``threshold`` overrides the analyzer's own when not None."""

    id: str
    text: str
    details: str = ""
    answer_type: AnswerType = AnswerType.YES_NO
    choices: tuple[str, ...] = ()
    side: Side = Side.ANY
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage: ``quote == utterance.text[start:end]`` of the utterance named."""

    utterance_id: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question about one conversation.

    ``score`` is between 0 and 1 and orders conversations by how likely the answer is yes,
    whatever the verdict. ``answer`` is the category or the extracted text where the question
    asks for one, else the verdict in words. ``evidence`` is best first, at most three.
    """

    question_id: str
    verdict: Verdict
    score: float
    confidence: Confidence
    answer: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer stands on, and the run of utterances it was found in.

    ``utterance_ids`` are in the order they were said, and the evidence's is one of them.
    """

    conversation_id: str
    utterance_ids: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Answer:
    """What an analyzer says to a question about several conversations, best citation first.

    Without a citation it found nothing, and ``text`` says so.
    """

    text: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """Corpus statistics an analyzer wants back at each evaluation.

    Plain JSON data, stored with the tracker version, so that findings are the same in any
    batch and order and on any worker.
    """

    analyzer: str
    analyzer_version: str
    data: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class StoresVectors(Protocol):
    """An analyzer that computes something of a text that no question changes.

    It comes back with the text, so that it is computed once. Findings are the same without it.
    """

    def vectors_model(self) -> str | None:
        """Name what makes the vectors, at most 64 characters; None where nothing can make them."""
        ...

    def vectors_of(self, conversation: ConversationText, side: Side) -> bytes | None:
        """Return a conversation's vectors with those of a side among them.

        They are ``conversation.vectors`` themselves where nothing is missing, else those and what
        was computed; None where there is nothing to compute.
        """
        ...


class Analyzer(Protocol):
    """``generative``: it writes words of its own, learns nothing from a sample, and is slow."""

    name: str
    version: str
    generative: bool

    def calibrate(
        self, questions: Sequence[TrackerQuestion], sample: Sequence[ConversationText]
    ) -> Calibration:
        """Learn corpus statistics from an unlabelled sample, once per publication or backfill."""
        ...

    def evaluate(
        self,
        conversation: ConversationText,
        questions: Sequence[TrackerQuestion],
        calibration: Calibration,
    ) -> list[Finding]:
        """Answer the questions, one finding each, in their order.

        Guaranteed, unless the analyzer is ``generative``: the same findings for the same input in
        any batch and order.

        :raises AnalyzerFailed: it could not read this conversation.
        """
        ...

    def ask(self, question: str, conversations: Sequence[ConversationText]) -> Answer:
        """Answer a question from conversations, the newest first, citing what it stands on.

        Guaranteed, unless the analyzer is ``generative``: the same answer for the same input.

        :raises AnalyzerFailed: it could not answer.
        """
        ...
