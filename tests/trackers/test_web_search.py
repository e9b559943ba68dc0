"""A SearXNG server's answer becomes pages; anything else is a search that failed."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.credits.test_outbound import saying, serving
from trackers import web_search
from trackers.web_search.base import WebPage, WebSearchFailed
from trackers.web_search.searx import SearxSearch

RESULTS = [
    {"title": "Globex  opens\na plant", "url": "https://news.example/1", "content": "In Hamburg."},
    {"title": "A trap", "url": "javascript:alert(1)", "content": ""},
    {"title": "", "url": "http://plain.example/2"},
    "nonsense",
]


def found(settings, body: bytes, status: int = 200, limit: int = 5):
    settings.WEB_SEARCH_PRIVATE = True
    with serving(saying(body, status)) as (server, url):
        settings.WEB_SEARCH_URL = f"{url}/search"
        pages = SearxSearch().search("Globex news", limit=limit)
    return server.asked, pages


def test_results_become_pages(settings):
    asked, pages = found(settings, json.dumps({"results": RESULTS}).encode())

    assert asked == ["/search?q=Globex+news&format=json"]
    assert pages == [
        WebPage("Globex opens a plant", "https://news.example/1", "In Hamburg."),
        WebPage("plain.example", "http://plain.example/2", ""),
    ]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_something_else_is_a_failed_search(settings, body):
    with pytest.raises(WebSearchFailed, match="not what was expected"):
        found(settings, body)


def test_a_server_that_fails_is_a_failed_search(settings):
    with pytest.raises(WebSearchFailed, match="answered 503"):
        found(settings, b"", 503)


def test_an_address_on_loopback_has_to_be_allowed(settings):
    settings.WEB_SEARCH_URL, settings.WEB_SEARCH_PRIVATE = "http://127.0.0.1:9/", False

    with pytest.raises(WebSearchFailed, match="not on the public internet"):
        SearxSearch().search("Globex", limit=1)


@pytest.mark.parametrize("path", ["nowhere.at.all", "x", ".x", "json.loads"])
def test_a_provider_that_is_none_is_refused_at_the_start(settings, path):
    settings.WEB_SEARCH = path

    with pytest.raises(ImproperlyConfigured, match="TALLYSTICK_WEB_SEARCH is"):
        web_search.refuse_unusable()


def test_by_default_nobody_is_asked(settings):
    assert settings.WEB_SEARCH == ""
    assert not web_search.is_configured()
