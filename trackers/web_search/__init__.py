"""Web searches of briefs; the setting ``WEB_SEARCH`` names the provider, and by default none.

A search costs credits when it succeeded. Without a provider a section says so and costs 0.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from trackers.web_search.base import WebPage as WebPage
from trackers.web_search.base import WebSearch
from trackers.web_search.base import WebSearchFailed as WebSearchFailed

PAGES_MAX = 5


def is_configured() -> bool:
    """Tell whether there is a provider."""
    return bool(settings.WEB_SEARCH)


def refuse_unusable() -> None:
    """Check that the setting names a provider, where it names any.

    :raises ImproperlyConfigured: if there is no such class.
    """
    if not is_configured():
        return
    hint = "Write the dotted path of a web search class, or leave it out."
    try:
        found = import_string(settings.WEB_SEARCH)
    except (ImportError, ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            f"TALLYSTICK_WEB_SEARCH is “{settings.WEB_SEARCH}”, which cannot be imported "
            f"({error}). {hint}"
        ) from error
    if not isinstance(found, type) or not callable(getattr(found, "search", None)):
        raise ImproperlyConfigured(
            f"TALLYSTICK_WEB_SEARCH is “{settings.WEB_SEARCH}”, which is no web search. {hint}"
        )


@cache
def in_use() -> WebSearch:
    """Return this process's provider, made once; ask ``is_configured`` before."""
    provider: WebSearch = import_string(settings.WEB_SEARCH)()
    return provider
