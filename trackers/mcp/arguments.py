"""What each tool is told: read strictly, refused in one sentence, described in few tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from credits import amounts
from credits.api.fields import INSTANT_HINT
from credits.api.problems import INVALID_PARAMETER, UNKNOWN_PARAMETER, Problem, nearest
from trackers.api.charged import CREDITS_HINT
from trackers.models import EntityType
from trackers.periods import Period, PeriodRefused, Span

TEXT_LENGTH_MAX = 2000
NAME_LENGTH_MAX = 254
KEY_LENGTH_MAX = 255
PERIOD_IN_SHORT = {
    "type": "string",
    "description": "As for ask_account",
    "default": Period.LAST_90DAYS.value,
}
# What can be said in pydantic's words at all is said in ours.
SENTENCES = {
    "missing": "This is needed.",
    "string_type": "Send text.",
    "string_too_long": "This is longer than {max_length:,} characters.",
    "string_too_short": "This is empty.",
    "enum": "Choose {expected}.",
}


def _exact(amount: Decimal) -> Decimal:
    exact = amounts.exact(amount)
    if not 0 <= exact <= amounts.ACT_MAX:
        raise ValueError(CREDITS_HINT)
    return exact


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:  # Before the year 1 of UTC, or after 9999.
        raise ValueError(INSTANT_HINT) from error


def _without_null(text: str) -> str:
    if "\x00" in text:
        raise ValueError("This has a character that no text has (NUL).")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("This has half a character in it.") from error
    return text


Clean = AfterValidator(_without_null)
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX), Clean]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX), Clean]
KeyText = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH_MAX), Clean]
Credits = Annotated[Decimal, AfterValidator(_exact)]
Instant = Annotated[datetime, AfterValidator(_in_utc)]


class Arguments(BaseModel):
    """What a tool takes; what it does not take is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    # What the list of tools says of an argument instead of its own schema.
    listed_as: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def about(cls) -> str:
        """Return what the tool calls that which it is asked about."""
        return next((name for name in ("account", "deal") if name in cls.model_fields), "entity")


class Nothing(Arguments):
    """A tool that is told nothing."""


class Timed(Arguments):
    """A span of time, by name or from … to …."""

    period: Period = Period.LAST_90DAYS
    since: Annotated[Instant | None, Field(description="With CUSTOM_RANGE")] = None
    until: Instant | None = None

    def span(self) -> Span:
        """Return the span.

        :raises PeriodRefused: a range without its ends, or ends without a range.
        """
        return Span(self.period, since=self.since, until=self.until)


class Charged(Timed):
    """What every charged tool takes besides."""

    max_credits: Annotated[Credits | None, Field(description="Refuse above this price")] = None
    idempotency_key: Annotated[
        KeyText | None, Field(description="Same key when repeating a call: charged once")
    ] = None


class AskAccount(Charged):
    """A question about an account."""

    question: Text
    account: Annotated[Name, Field(description="Name or id")]


class AskDeal(Charged):
    """A question about a deal."""

    question: Text
    deal: Annotated[Name, Field(description="Name or id")]


class GenerateBrief(Charged):
    """A brief to run, about what it is a template for."""

    listed_as: ClassVar[dict[str, dict[str, Any]]] = {"period": PERIOD_IN_SHORT}

    brief: Annotated[Name, Field(description="Name or id")]
    entity: Annotated[Name, Field(description="Name or id of what it is about")]


class EstimateCost(Timed):
    """An ask or, with a brief, a run of it."""

    # Named once in a list that every client pays for by the token; a wrong name is told the right.
    listed_as: ClassVar[dict[str, dict[str, Any]]] = {"period": PERIOD_IN_SHORT}

    entity_type: EntityType
    entity: Annotated[Name, Field(description="Name or id")]
    brief: Annotated[Name | None, Field(description="To estimate this brief, not a question")] = (
        None
    )
    question: Annotated[
        Text | None, Field(description="Counts an earlier answer given again for 0")
    ] = None


def read(kind: type[Arguments], given: dict[str, Any]) -> Arguments:
    """Return the arguments.

    :raises Problem: naming what is wrong, with one sentence for each.
    """
    known = list(kind.model_fields)
    if unknown := sorted(set(given) - set(known)):
        errors = [
            {"name": _shown(name), "detail": f"There is no such argument.{nearest(name, known)}"}
            for name in unknown[:10]
        ]
        first = _shown(unknown[0])
        raise Problem(
            UNKNOWN_PARAMETER,
            f"There is no argument “{first}”.{nearest(unknown[0], known)}",
            errors=errors,
        )
    try:
        values = kind.model_validate(given)
        if isinstance(values, Timed):
            values.span()
    except ValidationError as error:
        errors = [
            {"name": str(one["loc"][0]) if one["loc"] else "", "detail": _sentence(one)}
            for one in error.errors(include_url=False)
        ]
        raise _invalid(errors) from None
    except PeriodRefused as error:
        raise _invalid([{"name": "period", "detail": str(error)}]) from None
    return values


def schema(kind: type[Arguments]) -> dict[str, Any]:
    """Return the arguments' JSON Schema in as few words as say it: clients pay for each."""
    written = kind.model_json_schema()
    shared = written.get("$defs", {})
    properties = {name: _slim(part, shared) for name, part in written.get("properties", {}).items()}
    slim = {"type": "object", "properties": properties | kind.listed_as}
    if needed := written.get("required"):
        slim["required"] = needed
    return slim


def _slim(part: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Leave out titles, lengths and null; put enumerations in their place."""
    found = dict(part)
    if choices := found.pop("anyOf", None):
        # Credits may come as a number too; what is written is text.
        chosen = next(one for one in choices if one.get("type") in ("string", None))
        found = _slim(chosen, shared) | found
    if reference := found.pop("$ref", None):
        found = _slim(shared[reference.rsplit("/", 1)[-1]], shared) | found
    for name in ("title", "minLength", "maxLength", "pattern", "format"):
        if name == "format" and found.get(name) == "date-time":
            continue
        found.pop(name, None)
    if found.get("default", ...) is None:
        del found["default"]
    if "enum" in found:
        # An enumeration's own docstring, and the type that its values show.
        found.pop("type", None)
        found.pop("description", None)
    return found


def _invalid(errors: list[dict[str, str]]) -> Problem:
    first = errors[0]
    return Problem(INVALID_PARAMETER, f"{first['name']}: {first['detail']}", errors=errors)


def _sentence(error: Any) -> str:
    if sentence := SENTENCES.get(error["type"]):
        return sentence.format(**error.get("ctx", {}))
    said = str(error.get("ctx", {}).get("error", "")) or str(error["msg"])
    return said if said.endswith(".") else f"{said}."


def _shown(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:60]
