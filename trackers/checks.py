"""System checks: what ``manage.py check`` says about the analyzer in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004
from django.utils.module_loading import import_string


@register("trackers")
def check_analyzer(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Find the analyzer that cannot be used, or only in part.

    Words alone are a lesser analyzer and no reason to stand still, so that is a warning.
    """
    try:
        analyzer = import_string(settings.ANALYZER)
    except ImportError as error:
        return [
            Error(
                f"The analyzer “{settings.ANALYZER}” cannot be imported: {error}",
                hint="Set TALLYSTICK_ANALYZER to the dotted path of an analyzer, or leave it out.",
                id="trackers.E001",
            )
        ]
    # Imported here: a web process, which checks nothing, need not load what reads the weights.
    from trackers.analyzers.offline import embedding
    from trackers.analyzers.offline.analyzer import OfflineAnalyzer

    if analyzer is OfflineAnalyzer and (problem := embedding.problem()) is not None:
        return [
            Warning(
                f"The offline analyzer compares words alone, and finds less: {problem}",
                hint="Install wordllama again as pinned in requirements.lock.",
                id="trackers.W001",
            )
        ]
    return []
