"""Analyzers answer tracker questions; the setting ``ANALYZER`` names the one in use."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from trackers.analyzers.base import Analyzer

OFFLINE = "trackers.analyzers.offline.analyzer.OfflineAnalyzer"


def refuse_unusable() -> None:
    """Check that the setting names an analyzer; ours is trusted, because loading it takes long.

    :raises ImproperlyConfigured: if there is no such class, or it is no analyzer or unusable.
    """
    if settings.ANALYZER == OFFLINE:
        return
    hint = "Write the dotted path of an analyser class, or leave it out."
    try:
        found = import_string(settings.ANALYZER)
    # A path that begins with a dot, or has two in a row, is no ImportError.
    except (ImportError, ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            f"TALLYSTICK_ANALYZER is “{settings.ANALYZER}”, which cannot be imported "
            f"({error}). {hint}"
        ) from error
    methods = (getattr(found, name, None) for name in ("calibrate", "evaluate"))
    if not isinstance(found, type) or not all(map(callable, methods)):
        raise ImproperlyConfigured(
            f"TALLYSTICK_ANALYZER is “{settings.ANALYZER}”, which is no analyser. {hint}"
        )
    # One that needs more than is installed says so.
    problem = getattr(found, "problem", lambda: None)()
    if problem is not None:
        raise ImproperlyConfigured(
            f"TALLYSTICK_ANALYZER is “{settings.ANALYZER}”, which cannot be used. {problem}"
        )


@cache
def in_use() -> Analyzer:
    """Return this process's analyzer, made once: loading its weights takes a moment."""
    analyzer: Analyzer = import_string(settings.ANALYZER)()
    return analyzer
