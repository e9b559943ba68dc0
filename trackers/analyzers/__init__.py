"""Analyzers answer tracker questions; the setting ``ANALYZER`` names the one in use."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from trackers.analyzers.base import Analyzer


@cache
def in_use() -> Analyzer:
    """Return this process's analyzer, made once: loading its weights takes a moment."""
    analyzer: Analyzer = import_string(settings.ANALYZER)()
    return analyzer
