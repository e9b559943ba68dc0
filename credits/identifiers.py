"""Keys of rows that Python names before they are written."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a time-ordered UUIDv7, so that an index grows at its end."""
    return uuid7()
