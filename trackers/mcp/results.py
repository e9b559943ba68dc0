"""What tools answer: values for programs, and text for models that ends with what it cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel

from credits import amounts, shown
from credits.api import answers, problems
from credits.api.problems import Problem


class Breakdown(BaseModel):
    """What was read for a request."""

    calls: int
    emails: int
    web_searches: int


class Credits(BaseModel):
    """What a request cost, and what can be spent after it."""

    used: str
    remaining: str
    breakdown: Breakdown


class Result(BaseModel):
    """A tool's answer."""

    def said(self) -> str:
        """Return the answer as text."""
        raise NotImplementedError


class Citation(BaseModel):
    """A call or e-mail that an answer rests on."""

    conversation: str
    kind: str
    title: str
    started_at: str
    quote: str


class Charged(Result):
    """An answer that was paid for; ``cached``: it is an earlier one, and cost nothing again."""

    credits: Credits
    cached: bool

    def body(self) -> str:
        raise NotImplementedError

    def said(self) -> str:
        return f"{self.body()}\n\n{cost_line(self.credits)}"


class Answer(Charged):
    """What was asked, answered from calls and e-mails."""

    answer: str
    is_found: bool
    citations: list[Citation]

    def body(self) -> str:
        sources = dict.fromkeys(
            f"- {one.title or one.kind}, {one.started_at[:10]} ({one.conversation})"
            for one in self.citations
        )
        return "\n".join([self.answer, *(["", "Sources:", *sources] if sources else [])])


class Section(BaseModel):
    """A section of a brief; one that failed or was not available says why and cost 0."""

    title: str
    state: str
    text: list[str]
    reason: str
    citations: list[Citation]
    pages: list[str]
    credits: str

    def lines(self) -> list[str]:
        """Return the section as text, with the words that it rests on."""
        quotes = [
            f"- “{one.quote}” ({one.title or one.kind}, {one.started_at[:10]}, {one.conversation})"
            for one in self.citations
        ]
        pages = [f"Sources: {', '.join(self.pages)}"] if self.pages else []
        return [f"## {self.title}", *(self.text or [self.reason]), *quotes, *pages]


class BriefAnswer(Charged):
    """A brief about something, section by section."""

    brief: str
    about: str
    sections: list[Section]

    def body(self) -> str:
        parts = [f"# {self.brief}: {self.about}"]
        for one in self.sections:
            parts += ["", *one.lines()]
        return "\n".join(parts)


class Balance(Result):
    """What the company has now."""

    as_of: str
    remaining: str
    reserved: str
    available: str

    def said(self) -> str:
        held = f" {shown_amount(self.reserved)} are held for work under way." * (
            Decimal(self.reserved) > 0
        )
        return f"{shown_amount(self.available)} credits can be spent now.{held}"


class Limit(BaseModel):
    """The limit that leaves a request least."""

    limit_source: str
    name: str
    left: str
    window_ends_at: str


class Estimate(Result):
    """What a request would cost, and leave."""

    credits: str
    calls: int
    emails: int
    web_searches: int
    available_before: str
    available_after: str
    enough: bool
    limit: Limit | None

    def said(self) -> str:
        read = _read(self.calls, self.emails, self.web_searches)
        would = f"This would use {shown_amount(self.credits)} credits ({read})"
        if self.enough:
            return f"{would} and leave {shown_amount(self.available_after)}."
        if self.limit is not None and Decimal(self.limit.left) < Decimal(self.available_before):
            left = shown_amount(self.limit.left)
            return f"{would}; the limit for “{self.limit.name}” leaves {left}."
        return f"{would}; only {shown_amount(self.available_before)} can be spent."


def cost_line(credits: Credits) -> str:
    """Return the one line that every charged answer ends with."""
    parts = credits.breakdown
    read = _read(parts.calls, parts.emails, parts.web_searches)
    return (
        f"Used {shown_amount(credits.used)} credits ({read}); "
        f"{shown_amount(credits.remaining)} left."
    )


def of(result: Result) -> CallToolResult:
    """Return a result as the protocol carries it."""
    return CallToolResult(
        content=[TextContent(type="text", text=result.said())],
        structured_content=result.model_dump(mode="json"),
    )


def refused(problem: Problem) -> CallToolResult:
    """Return a refusal: the sentence and the code of REST, and no traceback."""
    values: dict[str, Any] = {
        "code": problem.type.code,
        "status": problem.status,
        "title": problem.type.title,
        "detail": problem.detail,
    }
    is_out = problem.type is problems.INSUFFICIENT_CREDITS
    more = answers.where_to_go() if is_out else {}
    if retry := problem.headers.get("Retry-After"):
        values["retry_after_seconds"] = int(retry)
    return CallToolResult(
        content=[TextContent(type="text", text=problem.detail)],
        structured_content=values | problem.extras | more,
        is_error=True,
    )


def shown_amount(text: str) -> str:
    return amounts.grouped(Decimal(text))


def _read(calls: int, emails: int, web_searches: int) -> str:
    parts = [shown.counted(calls, "call"), shown.counted(emails, "email")]
    if web_searches:
        parts.append(shown.counted(web_searches, "web search", "web searches"))
    return ", ".join(parts)
