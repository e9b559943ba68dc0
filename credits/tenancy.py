"""Rows of one company point only to rows of the same company (DESIGN §3, I16).

Django's foreign keys hold one column. A ``TenantKey`` makes no constraint of its own; the
migrations add a composite one, ``FOREIGN KEY (company_id, x_id) REFERENCES t (company_id, id)``,
from the lists below. It is NOT DEFERRABLE, so that a wrong row fails where it is written and
tests that roll back see it too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import migrations, models


class CompositeKey(NamedTuple):
    """One composite foreign key; both tables have a ``company_id``, and a ``within`` if given."""

    table: str
    column: str
    target: str
    deferred: bool = False
    within: str = ""

    @property
    def same(self) -> str:
        """What both rows have in common, by its name: the narrower of the two."""
        return self.within.removesuffix("_id") or "company"

    @property
    def name(self) -> str:
        return f"{self.table}_{self.column}_same_{self.same}"

    @property
    def sql(self) -> str:
        defer = " DEFERRABLE INITIALLY DEFERRED" if self.deferred else ""
        return f'ALTER TABLE {self.table} ADD CONSTRAINT "{self.name}" {self.text}{defer}'

    @property
    def text(self) -> str:
        """What the key says, as PostgreSQL words it; whether it waits for the end is left out."""
        within = f"{self.within}, " if self.within else ""
        return (
            f"FOREIGN KEY (company_id, {within}{self.column}) "
            f"REFERENCES {self.target}(company_id, {within}id)"
        )

    @property
    def reverse_sql(self) -> str:
        return f'ALTER TABLE {self.table} DROP CONSTRAINT "{self.name}"'


class CompanyKey(models.ForeignKey[Any, Any]):
    """The company a row belongs to. Has no index of its own: others begin with the company."""

    def __init__(self, to: Any = "credits.Company", **kwargs: Any) -> None:
        kwargs.setdefault("on_delete", models.PROTECT)
        kwargs.setdefault("db_index", False)
        super().__init__(to, **kwargs)


class TenantKey(models.ForeignKey[Any, Any]):
    """A foreign key between two rows of one company, PROTECT unless said otherwise.

    Without an index of its own: each lookup that needs one says so in ``Meta.indexes``. With
    ``within`` the two rows also have that other key in common. Then the row pointed to vouches for
    what the other key points to, and one check for each row written does for both.
    """

    def __init__(self, to: Any, *, within: str = "", **kwargs: Any) -> None:
        self.within = within
        kwargs.setdefault("on_delete", models.PROTECT)
        kwargs.setdefault("db_index", False)
        kwargs["db_constraint"] = False
        super().__init__(to, **kwargs)


class TenantOneToOne(models.OneToOneField[Any, Any]):
    """The one-to-one form of ``TenantKey``."""

    def __init__(self, to: Any, **kwargs: Any) -> None:
        kwargs.setdefault("on_delete", models.PROTECT)
        kwargs["db_constraint"] = False
        super().__init__(to, **kwargs)


def add_composite_keys(keys: tuple[CompositeKey, ...]) -> migrations.RunSQL:
    """Return the migration operation that adds the keys."""
    return migrations.RunSQL(
        sql=[key.sql for key in keys], reverse_sql=[key.reverse_sql for key in keys]
    )


def target_of_composite_keys(table: str, *, within: str = "") -> models.UniqueConstraint:
    """Return the constraint a row needs so that composite keys can point to it."""
    fields = ["company", within, "id"] if within else ["company", "id"]
    name = f"{table}_{within or 'company'}_and_id"
    return models.UniqueConstraint(fields=fields, name=name)
