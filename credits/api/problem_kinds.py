"""What an error of the API is made of; which there are, ``problems`` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Extra(NamedTuple):
    """A member that problems of one type have besides the common ones, and an example of it."""

    meaning: str
    example: Any
    is_always_there: bool = True


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of error; ``detail`` is an example of the sentence that says what happened."""

    code: str
    status: int
    title: str
    detail: str
    meaning: str
    remedy: str
    extras: dict[str, Extra] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        return self.code.replace("_", "-")


class Problem(Exception):
    """A request that is answered with a problem of a type; ``detail`` says what and what now."""

    def __init__(
        self,
        problem_type: ProblemType,
        detail: str,
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        **extras: Any,
    ) -> None:
        self.type = problem_type
        self.detail = detail
        self.status = status or problem_type.status
        self.headers = headers or {}
        self.extras = extras
        super().__init__(detail)
