"""Read our own pages as a test does: figures by ``data-metric``, states by ``data-status``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Page(HTMLParser):
    """The elements of an answer that state a figure or a state, and its visible words."""

    elements: list[dict[str, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._hidden = 0

    def handle_starttag(self, tag, attrs):
        self._hidden += tag in ("script", "style")
        self.elements.append({"tag": tag} | {name: value or "" for name, value in attrs})

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._hidden:
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def all(self, **wanted: str) -> list[dict[str, str]]:
        """Return the elements with these attributes; write ``data_metric`` for data-metric."""
        names = {name.replace("_", "-"): value for name, value in wanted.items()}
        return [one for one in self.elements if names.items() <= one.items()]

    def figure(self, metric: str, **wanted: str) -> str:
        """Return the one value of a metric."""
        (element,) = self.all(data_metric=metric, **wanted)
        return element["data-value"]

    def links(self) -> list[str]:
        return [one["href"] for one in self.all(tag="a") if "href" in one]


def read(answer) -> Page:
    page = Page()
    page.feed(answer.content.decode())
    return page


def words_of_links(answer, href: str) -> list[str]:
    """Return what each link to an address says."""
    html = answer.content.decode()
    return re.findall(rf'<a [^>]*href="{re.escape(href)}"[^>]*>([^<]*)</a>', html)


def confirming_button(answer) -> str:
    """Return what the button says that does what a page shows."""
    (words,) = re.findall(
        r'<button [^>]*name="step" value="confirm"[^>]*>([^<]*)</button>', answer.content.decode()
    )
    return words


def confirmation_of(answer) -> dict[str, str]:
    """Return what pressing that button sends."""
    context = answer.context
    key = str(context["form"]["key"].value())
    return {"key": key, "seen": context["seen"], "step": "confirm"}
