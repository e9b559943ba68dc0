"""No tool ever shows another company's rows: every tool × every id and name that company has.

The same walk in one's own company does find one's own canary.
"""

from __future__ import annotations

import itertools

import pytest

from credits.api.problems import Problem
from credits.models import ApiKey, RequestTally
from credits.origins import Origin
from tests.security import seeding
from tests.support import ai_clients
from trackers.mcp import arguments, calling, tools
from trackers.mcp.authentication import Caller
from trackers.models import Brief, Contact, CustomerAccount, Deal, EntityType

pytestmark = pytest.mark.django_db
OWN, OTHER = "kanari-of-acme", "kanari-of-beta"
NOBODY = "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"
CALLS_MIN = 60
NAMED_BY = {"account": CustomerAccount, "deal": Deal, "brief": Brief}


@pytest.fixture
def companies():
    return seeding.seed("Acme", canary=OWN), seeding.seed(OTHER, canary=OTHER)


@pytest.fixture
def unhurried(settings):
    settings.API_REQUESTS_PER_SECOND = 1000


def rows_of(company, name):
    """Return what an argument of that name may name in a company: ids and names."""
    models = [NAMED_BY[name]] if name in NAMED_BY else [CustomerAccount, Deal, Contact]
    rows = [row for model in models for row in model.objects.filter(company=company)[:2]]
    named = {str(row.pk) for row in rows} | {row.name for row in rows if row.name}
    return sorted(named | {company.slug, str(company.pk)})


def given(tool, company, canary):
    """Yield arguments for a tool that name the company's rows."""
    fields = tool.kind.model_fields
    names = [name for name in fields if name in ("account", "deal", "brief", "entity")]
    for chosen in itertools.product(*(rows_of(company, name) for name in names)):
        told = dict(zip(names, chosen, strict=True)) | {"period": "ALL_CONVERSATIONS"}
        if "question" in fields:
            # What every text of that company says, so that an answer would quote it.
            told["question"] = canary
        if "entity_type" in fields:
            for entity_type in EntityType.values:
                yield told | {"entity_type": entity_type}
            continue
        yield told if names else {}


def walk(key: ApiKey, company, canary):
    """Call every tool with what the company has; return what was said, refusals included."""
    caller = Caller(origin=Origin(door="MCP", request_id="walk-of-tools"), text="", key=key)
    said = []
    for tool in tools.TOOLS:
        for told in given(tool, company, canary):
            try:
                result = calling.call(name=tool.name, given=told, caller=caller)
                said.append((tool.name, told, f"{result.model_dump()} {result.said()}"))
            except Problem as problem:
                said.append((tool.name, told, f"{problem.type.code} {problem.detail}"))
    return said


def test_every_tool_refuses_another_company_s_rows_like_rows_that_are_not_there(
    companies, unhurried
):
    acme, beta = companies
    key = ai_clients.connection(acme).made.key

    said = walk(key, beta, OTHER)

    named = [text for name, told, text in said if told]
    assert len(said) >= CALLS_MIN
    assert {tool.name for tool in tools.TOOLS} == {name for name, *_ in said}
    assert not [one for one in said if OTHER in one[2]]
    assert {text.split()[0] for text in named} == {"not_found"}


def test_the_same_walk_finds_one_s_own(companies, unhurried):
    acme, _ = companies
    key = ai_clients.connection(acme).made.key

    said = walk(key, acme, OWN)

    found = {name for name, _, text in said if OWN in text}
    assert {"ask_account", "ask_deal", "generate_brief"} <= found
    assert not [one for one in said if OTHER in one[2]]
    assert RequestTally.objects.get(company=acme).day_count == len(said)


def test_a_company_is_no_argument_of_any_tool():
    for tool in tools.TOOLS:
        for name in ("company", "company_id", "slug", "tenant"):
            with pytest.raises(Problem, match="There is no argument"):
                arguments.read(tool.kind, {name: "beta"})
