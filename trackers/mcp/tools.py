"""The tools there are: what each is told, what it costs, and which scope a key needs for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from mcp_types import Tool, ToolAnnotations

from credits import amounts, rating
from credits.models import RateItem, Scope
from credits.rating import Rates
from trackers.mcp import acts, arguments, results
from trackers.mcp.arguments import (
    Arguments,
    AskAccount,
    AskDeal,
    EstimateCost,
    GenerateBrief,
    Nothing,
)
from trackers.requesters import Requester

PRICING = "tallystick/pricing"
UNIT = "credit"


@dataclass(frozen=True, slots=True)
class Offered:
    """One tool.

    ``words`` describes it in at most 60 words, {prices} and {search} standing for
    today's. ``scopes``: any one
    of them lets a key call it.
    """

    name: str
    title: str
    words: str
    kind: type[Arguments]
    scopes: tuple[Scope, ...]
    act: Callable[[Requester, Any, datetime], results.Result]
    prices: Callable[[Rates], dict[str, str]] | None = None

    @property
    def is_charged(self) -> bool:
        return self.prices is not None


def listed() -> list[Tool]:
    """Return the tools as clients see them, at the prices in force."""
    rates = rating.rates_at(timezone.now())
    return [_listed(tool, rates) for tool in TOOLS]


def named(name: str) -> Offered | None:
    """Return the tool of that name; None when there is none."""
    return next((tool for tool in TOOLS if tool.name == name), None)


def _listed(tool: Offered, rates: Rates) -> Tool:
    meta: dict[str, Any] | None = None
    if tool.prices is not None:
        meta = {PRICING: {"unit": UNIT} | tool.prices(rates)}
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.words.format(
            prices=_in_words(rates), search=amounts.text(rates.of(RateItem.WEB_SEARCH))
        ),
        input_schema=arguments.schema(tool.kind),
        # A call that spends credits changes something, though it changes no conversation.
        annotations=ToolAnnotations(
            read_only_hint=not tool.is_charged,
            destructive_hint=False if tool.is_charged else None,
            open_world_hint=False,
        ),
        _meta=meta,
    )


def _prices(rates: Rates) -> dict[str, str]:
    return {
        "calls": amounts.text(rates.of(RateItem.CALL_LONG)),
        "short_calls": amounts.text(rates.of(RateItem.CALL_SHORT)),
        "emails": amounts.text(rates.of(RateItem.EMAIL)),
    }


def _prices_with_search(rates: Rates) -> dict[str, str]:
    return _prices(rates) | {"web_searches": amounts.text(rates.of(RateItem.WEB_SEARCH))}


def _in_words(rates: Rates) -> str:
    prices = _prices(rates)
    return (
        f"{prices['calls']} credits a call, {prices['short_calls']} one of up to 10 minutes, "
        f"{prices['emails']} an e-mail"
    )


TOOLS = (
    Offered(
        name="ask_account",
        title="Ask about an account",
        words="Answer a question about a customer account from its calls and e-mails, with "
        "quotes. Uses credits: {prices}; at most 60 calls and 500 e-mails, newest first. Nothing "
        "to read: 0.",
        kind=AskAccount,
        scopes=(Scope.ASK,),
        act=acts.ask_account,
        prices=_prices,
    ),
    Offered(
        name="ask_deal",
        title="Ask about a deal",
        words="Answer a question about a deal from its calls and e-mails, with quotes. Uses "
        "credits: {prices}; at most 60 calls and 500 e-mails, newest first. Nothing to read: 0.",
        kind=AskDeal,
        scopes=(Scope.ASK,),
        act=acts.ask_deal,
        prices=_prices,
    ),
    Offered(
        name="generate_brief",
        title="Run a brief",
        words="Run one of the company's published briefs about an account, deal, contact or lead. "
        "Uses credits: {prices}, for each section that reads them; {search} a web search. A "
        "section that fails costs 0.",
        kind=GenerateBrief,
        scopes=(Scope.BRIEF,),
        act=acts.generate_brief,
        prices=_prices_with_search,
    ),
    Offered(
        name="get_credit_balance",
        title="Read the credit balance",
        words="How many credits the company can spend now. Free.",
        kind=Nothing,
        scopes=(Scope.BALANCE_READ,),
        act=acts.get_credit_balance,
    ),
    Offered(
        name="estimate_cost",
        title="Estimate a cost",
        words="What asking about something, or running a brief on it, would cost now, and what "
        "would be left. Free; nothing is read by an AI.",
        kind=EstimateCost,
        scopes=(Scope.ASK, Scope.BRIEF),
        act=acts.estimate_cost,
    ),
)
