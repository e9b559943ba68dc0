"""Questions about accounts, for tests: who asks, and the calls and e-mails there are to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from credits.models import Company, UsageAction, User
from tests.support import conversations
from tests.support.conversations import record
from trackers import asking, entities
from trackers.models import AskRequest, EntityType
from trackers.periods import Period, Span
from trackers.requesters import Requester

STARTED_AT = datetime(2026, 10, 1, 9, tzinfo=UTC)
ALL = Span(Period.ALL_CONVERSATIONS)
__all__ = ["ALL", "QUESTION", "STARTED_AT", "Period", "Q", "Span", "entities"]
QUESTION = "What did they say about the price?"


def by_api(company: Company, **changes) -> Requester:
    return Requester(company=company, action=UsageAction.API_REQUEST, **changes)


def at_the_page(company: Company, user: User) -> Requester:
    return Requester(company=company, action=UsageAction.MANUAL, user=user)


def said(*texts: str) -> list[dict]:
    """Utterances of the customer, one every five seconds."""
    return [
        {"id": f"u{at}", "speaker": "c", "start": 5.0 * at, "text": text}
        for at, text in enumerate(texts)
    ]


def call(name: str, *texts: str, minutes: int = 5, days: int = 0, **changes):
    """A call of Globex; 5 minutes cost 0.5 credits, 11 cost 1."""
    return record(
        name,
        started_at=STARTED_AT + timedelta(days=days),
        duration_seconds=minutes * 60,
        **({"utterances": said(*texts)} if texts else {}),
        **changes,
    )


def email(name: str, *texts: str, days: int = 0, **changes):
    """An e-mail of Globex; it costs 0.1 credits."""
    turns = [turn | {"start": None} for turn in said(*texts or ("We need a better price.",))]
    return record(
        name,
        started_at=STARTED_AT + timedelta(days=days),
        kind="email",
        duration_seconds=0,
        utterances=turns,
        **changes,
    )


def account(company: Company, name: str = "Globex") -> entities.Entity:
    return entities.find(company=company, entity_type=EntityType.ACCOUNT, id=name)


def ask(company: Company, question: str = QUESTION, **changes) -> AskRequest:
    """Ask by API about all of Globex's conversations, unless changed."""
    asked = {
        "requester": by_api(company),
        "entity": account(company) if "entity" not in changes else None,
        "period": ALL,
        "now": timezone.now(),
    }
    return asking.ask(question=question, **(asked | changes))


def globex(company: Company) -> None:
    """Two calls of 0.5 and 1.0 credits and an e-mail of 0.1: an ask costs 1.6."""
    conversations.ingest(
        company,
        call("short", "That is too expensive for us.", "Let us talk about delivery."),
        call("long", "The weather is fine.", "Our board decides in May.", minutes=11, days=1),
        email("mail", "Please send the new price list.", days=2),
    )
