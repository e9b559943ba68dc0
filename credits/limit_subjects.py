"""Find what a limit can be about, by the words that pages, commands and the API are given.

What features there are, other than their kinds, those know who have them (setting
``CREDIT_FEATURES``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from credits import api_keys, limits
from credits.limits import Subject
from credits.models import ApiKey, Company, FeatureType, Integration, LimitSubject

CHOICES_MAX = 500  # Of each kind, in a drop-down.


class UnknownSubject(Exception):
    """There is nothing of that name to limit; the message says what was asked for."""


class NamedFeature(NamedTuple):
    """A feature that is one row of another app, such as a tracker."""

    feature_type: str
    ref: UUID
    name: str


def find(*, company: Company, kind: str, ref: str = "") -> Subject:
    """Return the subject of a kind: ``ref`` is a kind of feature, or a row's id or its name.

    A key is named by its id or by the letters after ``tsk_``. The whole company needs none.

    :raises UnknownSubject: there is none, or several have the name.
    """
    match kind:
        case LimitSubject.COMPANY if ref:
            # Whoever names something does not mean everything.
            raise UnknownSubject(
                f"A limit of COMPANY is about everything, not about “{ref}”; leave it out, or say "
                "what it is."
            )
        case LimitSubject.COMPANY:
            return limits.of_company(company)
        case LimitSubject.FEATURE if ref in FeatureType.values:
            return limits.of_feature(ref)
        case LimitSubject.FEATURE:
            kinds = ", ".join(FeatureType.values)
            raise UnknownSubject(f"There is no feature “{ref}”; choose from {kinds}.")
        case LimitSubject.TRACKER:
            trackers = {one.ref: one for one in features(company)}
            found = _one([(one.ref, one.name) for one in trackers.values()], ref, "tracker")
            return limits.of_tracker(found, name=trackers[found].name)
        case LimitSubject.INTEGRATION:
            rows = {one.pk: one for one in Integration.objects.filter(company=company)}
            return limits.of_integration(rows[_one(_named(rows), ref, "integration")])
        case LimitSubject.API_KEY:
            keys = {one.pk: one for one in ApiKey.objects.filter(company=company)}
            names = [*_named(keys), *((key.pk, key.prefix) for key in keys.values())]
            return limits.of_key(keys[_one(names, ref, "API key")])
    kinds = ", ".join(LimitSubject.values)
    raise UnknownSubject(f"There is no limit of “{kind}”; choose from {kinds}.")


def choices(*, company: Company) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what a company may limit, in groups of (value for ``parse``, name)."""
    trackers = sorted(features(company), key=lambda one: one.name)
    integrations = Integration.objects.filter(company=company).order_by("name")
    keys = api_keys.live(company=company, now=timezone.now()).order_by("name", "pk")
    groups = [
        ("Everything", [(LimitSubject.COMPANY.value, "The whole company")]),
        ("Features", [(f"FEATURE:{one}", one.label) for one in FeatureType]),
        ("Trackers", [(f"TRACKER:{one.ref}", one.name) for one in trackers]),
        ("Integrations", [(f"INTEGRATION:{one.pk}", one.name) for one in integrations]),
        ("API keys", [(f"API_KEY:{key.pk}", f"{key.name} (tsk_{key.prefix}_…)") for key in keys]),
    ]
    return [(heading, rows[:CHOICES_MAX]) for heading, rows in groups if rows]


def parse(value: str, *, company: Company) -> Subject:
    """Return the subject of a value of ``choices``.

    :raises UnknownSubject: it is none of the company's.
    """
    kind, _, ref = value.partition(":")
    return find(company=company, kind=kind, ref=ref)


def features(company: Company) -> list[NamedFeature]:
    """Return the features of a company that have a row of their own."""
    found: list[NamedFeature] = []
    for path in settings.CREDIT_FEATURES:
        ask: Callable[..., list[NamedFeature]] = import_string(path)
        found += ask(company=company)
    return found


def _named(rows: dict[UUID, ApiKey] | dict[UUID, Integration]) -> list[tuple[UUID, str]]:
    return [(row.pk, row.name) for row in rows.values()]


def _one(names: list[tuple[UUID, str]], ref: str, noun: str) -> UUID:
    found = {pk for pk, name in names if ref in (str(pk), name)}
    if len(found) > 1:
        raise UnknownSubject(f"Several are called “{ref}”; name the {noun} by its id.")
    if not found:
        raise UnknownSubject(f"There is no {noun} “{ref}” in this company.")
    return found.pop()
