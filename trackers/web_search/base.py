"""What a web search is: a query in, pages out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class WebSearchFailed(Exception):
    """A search that found nothing out; the message says why, and may be shown to people."""


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page that a search found; untrusted text from elsewhere."""

    title: str
    url: str
    excerpt: str = ""


class WebSearch(Protocol):
    name: str

    def search(self, query: str, *, limit: int) -> list[WebPage]:
        """Return the best pages, at most ``limit``; an empty list is an answer too.

        :raises WebSearchFailed: it could not be asked; nothing is charged.
        """
        ...
