"""What the log's lines look like."""

from __future__ import annotations

from typing import Any


def to_stderr(*, level: str) -> dict[str, Any]:
    """Return Django's setting: one line an event, which names the request it belongs to."""
    line = "%(asctime)s %(levelname)s %(name)s%(request_id)s %(message)s"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "credits.origins.RequestIdFilter"}},
        "formatters": {"line": {"format": line}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["request_id"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
    }
