"""Who reads for a company: the built-in analyzer, or the language model its admin switched on.

Off by default. Where it is on and cannot be used, work fails and says so: nothing else ever reads
in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from credits import audit
from credits.audit import Action
from credits.identifiers import new_id
from credits.models import Company, User
from trackers import analyzers, llm_gate, locks
from trackers.analyzers.base import Analyzer
from trackers.analyzers.llm.analyzer import LlmAnalyzer, UnusableAnalyzer
from trackers.analyzers.llm.conversing import PATIENCE_SECONDS, Conversing
from trackers.analyzers.llm.endpoint import Endpoint
from trackers.models import LlmPurpose, LlmSwitch, TrackerKind, TrackerVersion

NOT_SET_UP = (
    "Your company has the language model switched on, and this site has none set up; ask whoever "
    "runs it, or switch the language model off."
)
# Somebody waits for these answers, so that a short outage is waited out.
_AWAITED = (LlmPurpose.ASK, LlmPurpose.BRIEF, LlmPurpose.CONNECTION)


class NotSetUp(Exception):
    """This site has no language model; whoever runs it sets TALLYSTICK_LLM_BASE_URL."""


def is_set_up() -> bool:
    """Tell whether this site has a language model."""
    return settings.LLM is not None


def is_on(company_id: int) -> bool:
    """Tell whether a company switched the language model on."""
    return LlmSwitch.objects.filter(company=company_id, is_on=True).exists()


def switch(*, company: Company, is_on: bool, by: User) -> LlmSwitch:
    """Let a company's texts be sent to the language model, or no longer; from the next reading on.

    :raises NotSetUp: there is none to switch on.
    :raises CompanyClosed: nothing is changed in a closed company.
    """
    if is_on and not is_set_up():
        raise NotSetUp(NotSetUp.__doc__)
    with transaction.atomic():
        locks.keep_open(company.pk)
        setting, _ = LlmSwitch.objects.select_for_update().get_or_create(company=company)
        if setting.is_on != is_on:
            setting.is_on = is_on
            setting.save()
            named = {"model": settings.LLM.model} if is_on and settings.LLM else {}
            audit.record(
                action=Action.CHANGED,
                by=by,
                company=company,
                subject=audit.Subject(audit.type_of(LlmSwitch), label="language model"),
                before={"on": not is_on},
                after={"on": is_on} | named,
            )
    return setting


def analyzer_of(
    company_id: int,
    *,
    purpose: LlmPurpose = LlmPurpose.TRACKER,
    run_ref: UUID | None = None,
    beat: Callable[[], object] | None = None,
) -> Analyzer:
    """Return who reads for a company now.

    ``purpose`` and ``run_ref`` stand on record with each request to a language model, and what
    one run may use is counted by them. ``beat`` is called before each request.
    """
    if not is_on(company_id):
        return analyzers.in_use()
    endpoint: Endpoint | None = settings.LLM
    if endpoint is None:
        return UnusableAnalyzer(NOT_SET_UP)
    gate = llm_gate.DatabaseGate(
        endpoint, company_id=company_id, purpose=purpose, run_ref=run_ref or new_id(), beat=beat
    )
    return analyzer_through(gate)


def analyzer_of_version(version: TrackerVersion, **work: Any) -> Analyzer:
    """Return who reads for a tracker's version now; ``work`` as in ``analyzer_of``.

    A shipped tracker costs nothing, was measured with the analyzer of the site, and stays with it.
    """
    if version.kind != TrackerKind.QUESTION:
        return analyzers.in_use()
    return analyzer_of(version.company_id, **work)


def analyzer_through(gate: llm_gate.DatabaseGate) -> LlmAnalyzer:
    """Return the language model as an analyzer whose requests go through a gate."""
    endpoint = gate.endpoint
    patience = PATIENCE_SECONDS if gate.purpose in _AWAITED else ()
    return LlmAnalyzer(endpoint, Conversing(_client(endpoint), gate, patience_seconds=patience))


@cache
def _client(endpoint: Endpoint) -> Any:
    """Return this process's client, whose connections are kept open between requests."""
    # Imported with the first use: the extra may not be installed.
    from trackers.analyzers.llm.client import Client

    return Client(endpoint)
