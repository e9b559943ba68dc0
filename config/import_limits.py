"""What one upload on the page “Imports” may be; the commands have no such limits."""

from __future__ import annotations

from config.environment import Environment

# The first stores no more of a file than an upload may have.
UPLOAD_HANDLERS = [
    "trackers.uploads.Quota",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]


def read(env: Environment) -> tuple[int, int]:
    """Return the most megabytes and rows of one import by upload."""
    megabytes = env.number(
        "TALLYSTICK_IMPORT_MEGABYTES",
        20,
        "Size of the files of one import by upload, together, in MB; 200 at most.",
        minimum=1,
        maximum=200,
    )
    rows = env.number(
        "TALLYSTICK_IMPORT_ROWS",
        10_000,
        "Conversations, or lines of accounts and deals, that one import by upload may have.",
        minimum=1,
        maximum=1_000_000,
    )
    return megabytes, rows
