"""What people wrote beside the books: names, notes, references and reasons (SPEC §10).

No entry, drawdown or use says a word of it and no hash covers it, so that it can be erased and the
ledger stays what it was. Each app lists its own (setting ``WRITTEN_WORDS``).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

from django.conf import settings
from django.db.models import Model, Q
from django.utils.module_loading import import_string

from credits import erasure
from credits.models import (
    REASON_LENGTH_MIN,
    AlertMail,
    ApiKey,
    Company,
    Correction,
    CreditGrant,
    ExportJob,
    Integration,
    LimitMail,
    RateCard,
    SpendingLimit,
)

# What is left of a reason that has to have some length.
TOO_SHORT = "{} (words were erased)"


class Person(Protocol):
    """Somebody to be forgotten: the addresses and full names to look for."""

    @property
    def words(self) -> tuple[str, ...]: ...

    def without(self, text: str) -> str: ...


@dataclass(frozen=True)
class Written:
    """The columns of a model that people write words into.

    ``company`` is the path to the company, empty where rows belong to none. ``follows`` returns
    what else changes with a row's new words.
    """

    model: type[Model]
    fields: tuple[str, ...]
    company: str = "company"
    follows: Callable[[Any, dict[str, str]], dict[str, str]] | None = None


WORDS = (
    Written(CreditGrant, ("reference", "reason")),
    Written(Correction, ("reason",)),
    Written(ApiKey, ("name",)),
    Written(Integration, ("name",)),
    Written(SpendingLimit, ("name",)),
    Written(ExportJob, ("mail_trouble",)),
    Written(AlertMail, ("trouble",)),
    Written(LimitMail, ("trouble",)),
    Written(Company, ("closing_reason",), company="pk"),
    Written(RateCard, ("note",), company=""),
)


def words() -> Iterator[Written]:
    """Yield what each app lists."""
    for path in settings.WRITTEN_WORDS:
        yield from import_string(path)


def count_naming(*, company: Company, person: Person) -> int:
    """Return how many rows of a company name a person, without changing them."""
    return sum(1 for one in words() if one.company for _ in _naming(one, company, person))


def erase(*, company: Company | None, person: Person, with_common: bool = False) -> int:
    """Take a person out of what was written; return of how many rows.

    Of one company, ``with_common`` also of what belongs to none; without a company, of all.
    Inside the caller's transaction. Who decided what, and when, stays: only words go.
    """
    count = 0
    with erasure.allowed():
        for one in words():
            if company is not None and not one.company and not with_common:
                continue
            for row, changes in _naming(one, company, person, is_locked=True):
                if one.follows is not None:
                    changes |= one.follows(row, changes)
                one.model._default_manager.filter(pk=row.pk).update(**changes)
                count += 1
    return count


def _naming(
    one: Written, company: Company | None, person: Person, *, is_locked: bool = False
) -> Iterator[tuple[Any, dict[str, str]]]:
    """Yield each row that names the person, with its words as they are without."""
    needles = {max(word.split(), key=len) for word in person.words if word.strip()}
    if not needles:
        return
    # Rough, by the longest piece of each word: what is found is looked at closely below.
    said = reduce(
        operator.or_,
        (Q(**{f"{name}__icontains": needle}) for name in one.fields for needle in needles),
    )
    rows = one.model._default_manager.filter(said).order_by("pk")
    if company is not None and one.company:
        rows = rows.filter(**{one.company: company.pk})
    for row in list(rows.select_for_update(no_key=True) if is_locked else rows):
        changes = {
            name: _without(row, name, person)
            for name in one.fields
            if person.without(getattr(row, name)) != getattr(row, name)
        }
        if changes:
            yield row, changes


def _without(row: Any, name: str, person: Person) -> str:
    """Return a text without the person, as long as it may be, and other than its neighbours'."""
    text, length_max = person.without(getattr(row, name)), row._meta.get_field(name).max_length
    if name == "name":
        mark = f" #{row.pk.hex[-8:]}"
        return f"{text[: length_max - len(mark)]}{mark}"
    if name == "reason" and len(text.strip()) < REASON_LENGTH_MIN:
        text = TOO_SHORT.format(text)
    return text[:length_max]
