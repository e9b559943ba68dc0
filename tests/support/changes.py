"""See which tables a request changed, past every layer that could forget to say so."""

from __future__ import annotations

from django.apps import apps
from django.db import connection

APPS = ("credits", "trackers", "billing", "auth")
TRAIL = {"credits_auditevent", "credits_audittext"}
# Not anybody's act: what periodic jobs note about themselves, how often programs asked, a cache.
UNWATCHED = {
    "credits_jobrun",
    "credits_requesttally",
    "trackers_ingestiontally",
    "credits_usageday",
    "credits_usagesum",
}
# Nor is a row that changes in one of these alone: when a key was last used, what a person has read
# or put away for themselves.
NOTED = ("last_used_at", "guide_read_at", "first_steps_hidden_at")


def _array(names: tuple[str, ...]) -> str:
    return f"ARRAY[{', '.join(repr(name) for name in names)}]::text[]"


class Watch:
    """Notes each table of ours that a row was written to; of the test's own transaction.

    Made before any row is: a table with deferred checks under way takes no trigger.
    """

    def __init__(self) -> None:
        tables = {
            model._meta.db_table
            for model in apps.get_models(include_auto_created=True)
            if model._meta.app_label in APPS
        }
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE watched (name text) ON COMMIT DROP")
            cursor.execute(
                "CREATE FUNCTION watch_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                "  IF TG_OP <> 'UPDATE'"
                f"    OR to_jsonb(NEW) - {_array(NOTED)} <> to_jsonb(OLD) - {_array(NOTED)} THEN"
                "    INSERT INTO watched VALUES (TG_TABLE_NAME);"
                "  END IF;"
                "  RETURN NULL; END $$"
            )
            for table in sorted(tables - UNWATCHED):
                cursor.execute(
                    f"CREATE TRIGGER watch_it AFTER INSERT OR UPDATE OR DELETE ON {table}"
                    " FOR EACH ROW EXECUTE FUNCTION watch_note()"
                )

    def changed(self) -> set[str]:
        """Return the tables changed since the last call, without the trail."""
        return self.written() - TRAIL

    def unaudited(self) -> set[str]:
        """Return the tables changed since the last call if the trail was not one of them."""
        written = self.written()
        return set() if written & TRAIL else written

    def written(self) -> set[str]:
        """Return every table written to since the last call."""
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM watched RETURNING name")
            return {name for (name,) in cursor.fetchall()}
