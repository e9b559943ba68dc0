"""What the tests of acts and addresses share."""

from __future__ import annotations

import pytest

from tests.support.analyzers import ScriptedAnalyzer
from tests.support.changes import Watch
from trackers import analyzers


@pytest.fixture
def watch(db, settings, tmp_path, monkeypatch):
    """See which tables each request changes; made before any row is."""
    # Five slow hashes a test are a second, and none of them is looked at.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EXPORTS = tmp_path / "exports"
    settings.API_REQUESTS_PER_SECOND = 1000
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    return Watch()
