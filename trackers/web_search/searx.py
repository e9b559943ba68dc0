"""Search by a SearXNG server, or any other that answers its JSON: ``?q=…&format=json``."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from credits import outbound
from credits.outbound import AddressRefused, FetchFailed
from trackers.web_search.base import WebPage, WebSearchFailed

QUERY_LENGTH_MAX = 400
TITLE_LENGTH_MAX, URL_LENGTH_MAX, EXCERPT_LENGTH_MAX = 300, 1000, 600


class SearxSearch:
    """Asks the server that ``WEB_SEARCH_URL`` names, such as https://search.example.com/search."""

    name = "searx"

    def __init__(self) -> None:
        if not settings.WEB_SEARCH_URL:
            raise ImproperlyConfigured(
                "TALLYSTICK_WEB_SEARCH_URL is missing: write the address of the search, such as "
                "https://search.example.com/search."
            )

    def search(self, query: str, *, limit: int) -> list[WebPage]:
        """Return the server's first results.

        :raises WebSearchFailed: it did not answer in time, or not as it should.
        """
        asked = urlencode({"q": query[:QUERY_LENGTH_MAX], "format": "json"})
        base = settings.WEB_SEARCH_URL
        url = f"{base}{'&' if urlsplit(base).query else '?'}{asked}"
        try:
            content = outbound.get(url, allow_private=settings.WEB_SEARCH_PRIVATE)
            answer = json.loads(content)
            rows = answer["results"]
        except (AddressRefused, FetchFailed) as error:
            raise WebSearchFailed(f"The web search failed: {error}") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise WebSearchFailed(
                "The web search failed: its answer is not what was expected."
            ) from error
        return list(filter(None, map(_page, rows)))[:limit] if isinstance(rows, list) else []


def _page(row: Any) -> WebPage | None:
    """Return a result as a page; None for one without an address of the web."""
    if not isinstance(row, dict):
        return None
    url, title = _text(row, "url", URL_LENGTH_MAX + 1), _text(row, "title", TITLE_LENGTH_MAX)
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError:
        return None
    if scheme not in ("http", "https") or not host or len(url) > URL_LENGTH_MAX:
        return None
    return WebPage(title or str(host), url, _text(row, "content", EXCERPT_LENGTH_MAX))


def _text(row: dict[str, Any], name: str, length_max: int) -> str:
    value = row.get(name)
    text = value if isinstance(value, str) else ""
    # What PostgreSQL does not store: NUL, and half a character.
    text = text.replace("\x00", "").encode("utf-8", "replace").decode()
    return " ".join(text.split())[:length_max]
