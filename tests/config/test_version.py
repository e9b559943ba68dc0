"""The version that the product says it has."""

from __future__ import annotations

import tomllib

from config import settings


def test_the_version_is_that_of_the_project():
    written = tomllib.loads((settings.PROJECT / "pyproject.toml").read_text())

    assert written["project"]["version"] == settings.VERSION
