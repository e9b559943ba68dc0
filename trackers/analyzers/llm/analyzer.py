"""The language model as an analyzer: ask in pieces that fit, check, and put together."""

from __future__ import annotations

from collections.abc import Sequence

from trackers.analyzers.base import (
    AnalyzerRefused,
    Answer,
    Calibration,
    ConversationText,
    Finding,
    TrackerQuestion,
)
from trackers.analyzers.llm import answering, prompts, reading, transcripts
from trackers.analyzers.llm.conversing import Conversing, Malformed, TooMuch
from trackers.analyzers.llm.endpoint import Endpoint
from trackers.analyzers.llm.gate import Outcome
from trackers.analyzers.llm.transcripts import Line

NAME = "llm"
# Of one request: more, and a model begins to mix them up.
QUESTIONS_MAX = 8
# A piece of text is cut in two so many times, where it does not fit the model.
SPLITS_MAX = 6
MALFORMED = "The language model's answer could not be read, twice."
TOO_LONG = "The text is too long for the language model, even in small pieces."
CUT_OFF = "The language model's answer was cut off, even for a small piece of the text."


class LlmAnalyzer:
    """Asks one model. Made for one piece of work: its gate knows for whom."""

    name = NAME
    generative = True

    def __init__(self, endpoint: Endpoint, conversing: Conversing) -> None:
        self.version = version_of(endpoint)
        self._endpoint = endpoint
        self._conversing = conversing

    def calibrate(
        self, questions: Sequence[TrackerQuestion], sample: Sequence[ConversationText]
    ) -> Calibration:
        """Learn nothing: a model reads each conversation by itself."""
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(
        self,
        conversation: ConversationText,
        questions: Sequence[TrackerQuestion],
        calibration: Calibration,
    ) -> list[Finding]:
        """Answer the questions, one finding each, in their order; those of one side together.

        :raises AnalyzerFailed: one of them has no answer, and then none has.
        """
        tokens_max = self._endpoint.chunk_tokens
        lines = transcripts.lines_of(conversation.utterances, tokens_max=tokens_max)
        pieces = transcripts.pieces(lines, tokens_max=tokens_max)
        found: dict[int, Finding] = {}
        for places in _together(questions):
            asked = {f"t{place + 1}": questions[place] for place in places}
            found |= {
                int(name[1:]) - 1: finding
                for name, finding in self._evaluate(asked, pieces).items()
            }
        return [found[place] for place in range(len(questions))]

    def ask(self, question: str, conversations: Sequence[ConversationText]) -> Answer:
        """Answer from what resembles the question most, as much as one request carries.

        :raises AnalyzerFailed: there is no answer.
        """
        tokens_max = self._endpoint.chunk_tokens
        chosen = answering.choose(question, conversations, tokens_max=tokens_max)
        if not chosen:
            return Answer(answering.NO_CONVERSATION)
        for _ in range(SPLITS_MAX):
            read = answering.passages(conversations, chosen, tokens_max=tokens_max)
            if not read.lines:
                return Answer(answering.NO_CONVERSATION)
            prompt = prompts.ask(question, read.lines, headings=read.headings)
            try:
                answer = self._conversing.answer(prompt, answering.is_answer)
            except Malformed as error:
                raise AnalyzerRefused(MALFORMED) from error
            except TooMuch as error:
                # What resembles the question least goes first.
                tokens_max //= 2
                chosen = answering.choose(question, conversations, tokens_max=tokens_max)
                reason = TOO_LONG if error.outcome is Outcome.TOO_LONG else CUT_OFF
                continue
            return answering.shown(answer, read)
        raise AnalyzerRefused(reason)

    def _evaluate(
        self, asked: dict[str, TrackerQuestion], pieces: Sequence[tuple[Line, ...]]
    ) -> dict[str, Finding]:
        side = next(iter(asked.values())).side
        found: dict[str, list[Finding]] = {name: [] for name in asked}
        for piece in pieces:
            if any(transcripts.may_quote(line, side) for line in piece):
                for name, findings in self._piece(asked, piece, SPLITS_MAX).items():
                    found[name] += findings
        return {
            name: reading.merged(findings) if findings else reading.silence(asked[name])
            for name, findings in found.items()
        }

    def _piece(
        self, asked: dict[str, TrackerQuestion], piece: tuple[Line, ...], splits_left: int
    ) -> dict[str, list[Finding]]:
        """Return the findings of a piece, cut smaller or asked one by one where it is too much."""
        side = next(iter(asked.values())).side
        if not any(transcripts.may_quote(line, side) for line in piece):
            return {name: [] for name in asked}
        prompt = prompts.evaluate(asked, piece)
        try:
            answer = self._conversing.answer(
                prompt, lambda given: reading.is_evaluation(given, asked)
            )
        except Malformed as error:
            if len(asked) == 1:
                raise AnalyzerRefused(MALFORMED) from error
            return self._one_by_one(asked, piece, splits_left)
        except TooMuch as error:
            if error.outcome is Outcome.TRUNCATED and len(asked) > 1:
                return self._one_by_one(asked, piece, splits_left)
            return self._smaller(asked, piece, splits_left, error)
        return {name: [finding] for name, finding in reading.findings(answer, asked, piece).items()}

    def _one_by_one(
        self, asked: dict[str, TrackerQuestion], piece: tuple[Line, ...], splits_left: int
    ) -> dict[str, list[Finding]]:
        found: dict[str, list[Finding]] = {}
        for name, question in asked.items():
            found |= self._piece({name: question}, piece, splits_left)
        return found

    def _smaller(
        self,
        asked: dict[str, TrackerQuestion],
        piece: tuple[Line, ...],
        splits_left: int,
        error: TooMuch,
    ) -> dict[str, list[Finding]]:
        halves = transcripts.halves(piece)
        if splits_left == 0 or len(halves) < 2:
            is_long = error.outcome is Outcome.TOO_LONG
            raise AnalyzerRefused(TOO_LONG if is_long else CUT_OFF) from error
        found: dict[str, list[Finding]] = {name: [] for name in asked}
        for half in halves:
            for name, findings in self._piece(asked, half, splits_left - 1).items():
                found[name] += findings
        return found


class UnusableAnalyzer:
    """Stands in where a company switched a model on that this site does not have any more."""

    name = NAME
    version = "none"
    generative = True

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def calibrate(
        self, questions: Sequence[TrackerQuestion], sample: Sequence[ConversationText]
    ) -> Calibration:
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(
        self,
        conversation: ConversationText,
        questions: Sequence[TrackerQuestion],
        calibration: Calibration,
    ) -> list[Finding]:
        """Refuse, and say why: nothing else reads in the place of a language model.

        :raises AnalyzerRefused: always.
        """
        raise AnalyzerRefused(self._reason)

    def ask(self, question: str, conversations: Sequence[ConversationText]) -> Answer:
        """Refuse, and say why.

        :raises AnalyzerRefused: always.
        """
        raise AnalyzerRefused(self._reason)


def version_of(endpoint: Endpoint) -> str:
    """Name the model and the prompts: with others the same text may be answered otherwise."""
    return f"{endpoint.model[:80]}/{prompts.VERSION}"


def _together(questions: Sequence[TrackerQuestion]) -> list[list[int]]:
    """Return the places of questions that go into one request: of the same side."""
    groups: list[list[int]] = []
    for place, question in enumerate(questions):
        for group in groups:
            if questions[group[0]].side == question.side and len(group) < QUESTIONS_MAX:
                group.append(place)
                break
        else:
            groups.append([place])
    return groups
