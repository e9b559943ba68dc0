"""No purchase comes under another name (I12): not by code, which says what it gives, nor past it.

The fourth and fifth proof of ``test_nothing_buys_by_itself``: whoever gives credits spells out
their source, in all places but two; and a purchase without a person is refused whoever calls.
"""

from __future__ import annotations

import ast
import uuid

import pytest

from config.embedded_postgres import PROJECT
from credits.admin.granting import GrantForm
from credits.models import CreditGrant
from tests.security.test_nothing_buys_by_itself import OURS
from tests.security.test_nothing_buys_by_itself import copied as copied
from tests.support import people
from tests.support.breaking import refused_by

# The page that grants, whose choices are no purchase, and the door to the ledger, which passes on
# what it was given.
UNSPELLED = {"credits/admin/granting.py", "credits/grants.py"}


def unspelled_sources(root) -> set[str]:
    """Return the modules that give credits of a source which is not spelled out where they do.

    Whatever is called: a function may go by another name, and ``Source("PURCHASE")``, a text or
    a variable may be any source. Only ``source=Source.NAME`` says what it is.
    """
    found = set()
    for app in OURS:
        for path in (root / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                words = {word.arg: word.value for word in node.keywords}
                # Credits are given to a company; what else has a source, such as a field, is not.
                is_giving = "source" in words and words.keys() & {"company", "company_id"}
                given = [words["source"]] if is_giving else []
                called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                is_packed = called == "issue" and None in words
                if is_packed or any(not _is_spelled(value) for value in given):
                    found.add(str(path.relative_to(root)))
    return found


def _is_spelled(value: ast.expr) -> bool:
    """Tell whether an expression is ``Source.NAME``."""
    return (
        isinstance(value, ast.Attribute)
        and isinstance(value.value, ast.Name)
        and value.value.id == "Source"
    )


def test_only_two_places_give_credits_of_a_source_that_is_not_spelled_out():
    assert unspelled_sources(PROJECT) == UNSPELLED


def test_the_page_that_grants_offers_no_purchase(db):
    assert [value for value, _ in GrantForm.base_fields["source"].choices] == [
        "ADJUSTMENT",
        "INTRODUCTORY",
    ]


@pytest.mark.parametrize(
    "line",
    [
        'grants.issue(company=acme, source=Source("PURCHASE"), amount=1, by=vera)',
        'grants.issue(company=acme, source="PURCHASE", amount=1, by=vera)',
        'grants.issue(company=acme, source=Source["PURCHASE"], amount=1, by=vera)',
        'give(company=acme, source=getattr(Source, "PURCHASE"), amount=1, by=vera)',
        "ledger.issue(**terms)",
    ],
)
def test_a_planted_source_is_found(copied, line):
    (copied / "trackers" / "tasks_planted.py").write_text(f"def buy():\n    {line}\n")

    assert unspelled_sources(copied) == {"trackers/tasks_planted.py", *UNSPELLED}


def test_the_database_keeps_no_purchase_without_a_person(db):
    acme = people.company()

    refused = refused_by(
        "SELECT ledger_issue(%s, NULL, %s, 'PURCHASE', 10, NULL, NULL, 100, '', '', NULL)",
        [acme.pk, str(uuid.uuid4())],
    )

    assert refused == "grant_of_a_purchase_names_its_person"
    assert not CreditGrant.objects.exists()
