"""Ask anything about an account, deal, contact or lead; the answer cites calls and e-mails."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from credits.ledger import Key
from trackers.charged_requests import RequestEstimate
from trackers.entities import Entity
from trackers.models import AskRequest
from trackers.periods import Span
from trackers.requesters import Requester

OPERATION = "ask"


class EmptyQuestion(ValueError):
    """Write the question to ask."""


def estimate(
    *, requester: Requester, entity: Entity, period: Span, now: datetime, question: str = ""
) -> RequestEstimate:
    """Price an ask without doing or holding anything; free, and what ``ask`` charges now.

    With the question, an answer that would be given again counts.
    """
    raise NotImplementedError


def ask(
    *,
    requester: Requester,
    question: str,
    entity: Entity,
    period: Span,
    now: datetime,
    key: Key | None = None,
    max_credits: Decimal | None = None,
) -> AskRequest:
    """Answer a question from the entity's calls and e-mails of a period, and charge for it.

    At most 60 calls and 500 e-mails, newest first. With a key the same request again returns the
    first answer (``is_replay``) and charges nothing. The row says what is left in ``remaining``.

    :raises EmptyQuestion: nothing was done.
    :raises AboveMaximum: nothing was done.
    :raises InsufficientCredits: nothing was done.
    :raises InFlight: another request with the key is under way.
    :raises IdempotencyConflict: the key was used with another body.
    :raises CompanyClosed: nothing is asked in a closed company.
    """
    raise NotImplementedError
