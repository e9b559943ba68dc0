"""System checks: what ``manage.py check`` says about the analyzer in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
