"""Measure asking on the labelled questions of a folder: import, ask for real, compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any

from django.db.models import Q
from django.utils import timezone

from config.benchmark.folder import UnusableFolder, parsed
from credits import companies, grants
from credits.models import Company, Source, UsageAction
from trackers import asking, entities, ingestion
from trackers.importers.jsonl import Reader
from trackers.importers.records import AccountRecord, ConversationRecord
from trackers.models import AskCitation, AskRequest, Conversation, EntityType, Utterance
from trackers.periods import Period, Span
from trackers.requesters import Requester

COUNTS = (1, 3, 5)
CREDITS = Decimal(100_000)
ACCOUNT = AccountRecord(name="Benchmark")


@dataclass(frozen=True, slots=True)
class LabeledQuestion:
    """A question about one conversation, and the utterances that answer it."""

    id: str
    conversation: str
    question: str
    evidence: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was cited for a question, best first: the utterances of each passage by external id."""

    question: LabeledQuestion
    passages: tuple[frozenset[str], ...]
    quoted: tuple[str, ...]
    seconds: float


def load(path: Path) -> list[LabeledQuestion]:
    """Read questions.jsonl of a folder; those that say no evidence cannot be judged.

    :raises UnusableFolder: a file is missing or is not what it should be.
    """
    if not path.is_dir():
        raise UnusableFolder(f"{path} is not a folder.")
    if not (path / "conversations.jsonl").is_file():
        raise UnusableFolder(f"{path} has no conversations.jsonl.")
    found = [one for one in parsed(path / "questions.jsonl", _question) if one.evidence]
    if not found:
        raise UnusableFolder(f"{path / 'questions.jsonl'} has no question with evidence.")
    return found


def run(
    path: Path, questions: list[LabeledQuestion], *, say: Callable[[str], object]
) -> Iterator[Asked]:
    """Import the conversations asked about and ask each question of its own conversation.

    Works on the database this process is pointed at, which has to be empty.

    :raises UnusableFolder: a conversation that is asked about cannot be read.
    """
    wanted = {one.conversation for one in questions}
    reader = Reader([path / "conversations.jsonl"], arrived_at=timezone.now())
    records = [_with_account(record) for record in reader if record.id in wanted]
    if missing := sorted(wanted - {record.id for record in records}):
        raise UnusableFolder(
            f"{path / 'conversations.jsonl'} has no readable conversation {missing[0]}."
        )
    company = companies.open_company(name="Benchmark", slug="benchmark", time_zone="UTC")
    for _ in ingestion.ingest(company=company, records=records, now=timezone.now()):
        pass
    grants.issue(company=company, source=Source.ADJUSTMENT, amount=CREDITS, by=None)
    say(f"{len(records)} conversations imported, {len(questions)} questions to ask.")
    for question in questions:
        yield _ask(company, question)


def report(asked: list[Asked]) -> dict[str, Any]:
    """Return the share of questions with evidence among the first passages, and of quotes."""
    found: dict[str, Any] = {"questions": len(asked)}
    for count in COUNTS:
        hits = [_hits(one, count) for one in asked]
        found[f"hit_at_{count}"] = round(fmean(hits), 4)
    for count in COUNTS:
        hits = [not one.question.evidence.isdisjoint(one.quoted[:count]) for one in asked]
        found[f"quote_hit_at_{count}"] = round(fmean(hits), 4)
    found["seconds_per_question"] = round(fmean(one.seconds for one in asked), 3)
    return found


def _hits(asked: Asked, count: int) -> bool:
    return any(not asked.question.evidence.isdisjoint(one) for one in asked.passages[:count])


def _ask(company: Company, question: LabeledQuestion) -> Asked:
    conversation = Conversation.objects.get(company=company, external_id=question.conversation)
    began = time.monotonic()
    assert conversation.account_id is not None
    row = asking.ask(
        requester=Requester(
            company=company,
            action=UsageAction.API_REQUEST,
            conversations=Q(pk=conversation.pk),
        ),
        question=question.question,
        entity=entities.find(
            company=company, entity_type=EntityType.ACCOUNT, id=conversation.account_id
        ),
        period=Span(Period.ALL_CONVERSATIONS),
        now=timezone.now(),
    )
    seconds = time.monotonic() - began
    cited = list(AskCitation.objects.filter(ask=row).select_related("utterance").order_by("rank"))
    return Asked(
        question,
        tuple(_passage(row, one) for one in cited),
        tuple(one.utterance.external_id for one in cited),
        seconds,
    )


def _passage(row: AskRequest, citation: AskCitation) -> frozenset[str]:
    return frozenset(
        Utterance.objects.filter(
            company=row.company_id,
            conversation=citation.conversation_id,
            revision=citation.utterance.revision,
            position__range=(citation.first_position, citation.last_position),
        ).values_list("external_id", flat=True)
    )


def _question(row: dict[str, Any]) -> LabeledQuestion:
    if not row["question"].strip():
        raise ValueError("“question” is empty")
    return LabeledQuestion(
        id=row["id"],
        conversation=row["conversation"],
        question=row["question"],
        evidence=frozenset(row.get("evidence") or ()),
    )


def _with_account(record: ConversationRecord) -> ConversationRecord:
    """Give a record an account where it has none: a question is about one."""
    return record if record.account else record.model_copy(update={"account": ACCOUNT})
