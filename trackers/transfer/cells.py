"""The cells of one tracker in a file: each read into what ``configuring`` takes, or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from credits.models import Company
from trackers import languages
from trackers.configuring import FilterValue
from trackers.models import FilterField, Team, TeamMember
from trackers.transfer.files import told

VALUES_MAX = 500

# The columns of filters; the second of each pair leaves conversations out.
FILTER_COLUMNS = {
    FilterField.TEAM: ("teams", "teams_excluded"),
    FilterField.USER: ("users", "users_excluded"),
    FilterField.ACCOUNT_TYPE: ("account_types", "account_types_excluded"),
    FilterField.DEAL_STAGE: ("deal_stages", "deal_stages_excluded"),
}
TRUE, FALSE = ("yes", "true", "1"), ("no", "false", "0")


class BadCell(Exception):
    """A cell that cannot be what its column is; the message says why."""


Reader = Callable[[str, Any], Any]


def text(name: str, value: Any) -> str:
    """Return a text, which may be empty."""
    if not isinstance(value, str):
        raise BadCell(f"“{name}” is no text")
    if "\x00" in value:
        raise BadCell(f"“{name}” holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadCell(f"“{name}” holds half a character") from error
    return value.strip()


def code(name: str, value: Any) -> str:
    """Return a code of ours as it is spelt."""
    return text(name, value).upper()


def one_of(codes: Iterable[str]) -> Reader:
    """Return the reader of a cell that is one of our codes: who writes a file sees no list."""
    known = tuple(codes)

    def read(name: str, value: Any) -> str:
        said = code(name, value)
        if said not in known:
            *others, last = known
            raise BadCell(f"“{name}” is “{told(said)}”; it should be {', '.join(others)} or {last}")
        return said

    return read


def small(name: str, value: Any) -> str:
    """Return a code that is in small letters."""
    return text(name, value).lower()


def language(name: str, value: Any) -> str:
    """Return the code of a language; empty for any."""
    said = small(name, value)
    if said and said not in languages.NAMES:
        raise BadCell(f"“{name}” is “{told(said)}”; it should be a code such as en, or empty")
    return said


def truth(name: str, value: Any) -> bool:
    """Return whether a cell says yes."""
    if isinstance(value, bool):
        return value
    said = text(name, value if isinstance(value, str) else str(value)).lower()
    if said in TRUE or said in FALSE:
        return said in TRUE
    raise BadCell(f"“{name}” is neither yes nor no")


def number(name: str, value: Any) -> int:
    """Return a whole number of at most six digits."""
    said = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    said = text(name, said)
    if not (said.isascii() and said.isdigit() and len(said) <= 6):
        raise BadCell(f"“{name}” is no whole number")
    return int(said)


def fraction(name: str, value: Any) -> Decimal | None:
    """Return a number from 0 to 1 with at most six places; None of an empty cell."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    said = text(name, value)
    if not said:
        return None
    if not re.fullmatch(r"(?:0(?:\.[0-9]{1,6})?|1(?:\.0{1,6})?)", said):
        raise BadCell(f"“{name}” is no number from 0 to 1 with at most six places")
    return Decimal(said)


def day(name: str, value: Any) -> date | None:
    """Return a day such as 2027-06-30; None of an empty cell."""
    said = text(name, value.isoformat() if isinstance(value, date) else value)
    if not said:
        return None
    try:
        return datetime.strptime(said, "%Y-%m-%d").date()  # noqa: DTZ007 a day has no zone
    except ValueError as error:
        raise BadCell(f"“{name}” is no day such as 2027-06-30") from error


def several(name: str, value: Any) -> tuple[str, ...]:
    """Return several texts: a list, a list written as JSON, or one text a line."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise BadCell(f"“{name}” begins like a list and is none") from error
    if isinstance(value, str):
        value = value.splitlines()
    if not isinstance(value, list):
        raise BadCell(f"“{name}” is no list of texts")
    if len(value) > VALUES_MAX:
        raise BadCell(f"“{name}” has more than {VALUES_MAX} values")
    found = (text(name, one) for one in value)
    return tuple(dict.fromkeys(one for one in found if one))


def filters(company: Company, cells: Mapping[str, Any]) -> frozenset[FilterValue] | None:
    """Return the filters a row names, by the company's own teams and people; None if it names none.

    A row that names any filter column has all its filters there.
    """
    names = [name for pair in FILTER_COLUMNS.values() for name in pair]
    if all(cells.get(name) is None for name in names):
        return None
    found: set[FilterValue] = set()
    for field, pair in FILTER_COLUMNS.items():
        for name, is_excluded in zip(pair, (False, True), strict=True):
            given = cells.get(name)
            for value in () if given is None else several(name, given):
                found.add(FilterValue(field, _known(company, field, value), is_excluded))
    return frozenset(found)


def _known(company: Company, field: FilterField, value: str) -> Any:
    row: Team | TeamMember | None
    match field:
        case FilterField.TEAM:
            row = Team.objects.filter(company=company, name=value).first()
        case FilterField.USER:
            row = TeamMember.objects.filter(company=company, email=value.lower()).first()
        case _:
            return value
    if row is None:
        raise BadCell(f"the company has no {field.label.lower()} “{told(value)}”")
    return row.pk
