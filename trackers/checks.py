"""System checks: what ``manage.py check`` says about the analyzer in use, and a language model."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register  # noqa: A004

from trackers import analyzers


@register("trackers")
def check_analyzer(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Find the offline analyzer that can be used only in part.

    Words alone are a lesser analyzer and no reason to stand still, so that is a warning. One that
    cannot be used at all is refused before any check.
    """
    if settings.ANALYZER != analyzers.OFFLINE:
        return []
    # Imported here: a web process, which checks nothing, need not load what reads the weights.
    from trackers.analyzers.offline import embedding

    if (problem := embedding.problem()) is not None:
        return [
            Warning(
                f"The offline analyser compares words alone, and finds less: {problem}",
                hint="Install wordllama again as pinned in requirements.lock.",
                id="trackers.W001",
            )
        ]
    return []


@register("trackers")
def check_language_model(
    *, app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Find a language model to which texts and the key would go over the internet in the clear."""
    if settings.LLM is None:
        return []
    parts = urlsplit(settings.LLM.base_url)
    if parts.scheme == "https" or _is_near(parts.hostname or ""):
        return []
    return [
        Warning(
            "What people said, and the key, go to the language model unencrypted, and leave your "
            "own network.",
            hint="Write TALLYSTICK_LLM_BASE_URL with https://.",
            id="trackers.W002",
        )
    ]


def _is_near(host: str) -> bool:
    """Tell whether a host is this machine or in a network of one's own, as far as its name says."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan", ".home.arpa"))
    return address.is_private or address.is_loopback
