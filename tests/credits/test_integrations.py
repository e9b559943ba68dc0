"""Integrations: named once, and what they may read is fixed when they are made."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from credits import api_keys, integrations
from credits.integrations import NameMissing, NameTaken, NotAMember, PersonMissing
from credits.models import AuditEvent, Integration, IntegrationContext, IntegrationKind, Membership
from tests.support import api, people
from tests.support.breaking import update_refused_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company()


def make(company, **more):
    given = {"name": "Desk", "kind": IntegrationKind.MCP, "by": api.admin(company)}
    return integrations.create(company=company, **(given | more))


def test_what_an_integration_may_read_never_changes(acme):
    vic, bob = people.vic(acme), people.bob(acme)
    shared = make(acme)
    personal = make(acme, name="Vic's", context=IntegrationContext.PERSONAL, person=vic)
    fixed = "integration_context_is_fixed"

    assert update_refused_by(personal, context="SHARED", person_id=None) == fixed
    assert update_refused_by(personal, person_id=bob.pk) == fixed
    assert update_refused_by(shared, context="PERSONAL", person_id=vic.pk) == fixed
    assert update_refused_by(shared, kind="API") == fixed
    Integration.objects.filter(pk=shared.pk).update(name="Sales desk")


def test_only_a_personal_integration_of_ai_clients_names_a_person(acme):
    vic = people.vic(acme)
    wrong = [
        {"context": "SHARED", "person": vic, "kind": "MCP"},
        {"context": "PERSONAL", "person": None, "kind": "MCP"},
        {"context": "PERSONAL", "person": vic, "kind": "API"},
    ]

    for values in wrong:
        row = Integration(company=acme, name="Wrong", **values)
        assert refused_by_insert(row) == "integration_names_a_person_exactly_when_personal"


def refused_by_insert(row) -> str:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        row.save(force_insert=True)
    return refused.value.__cause__.diag.constraint_name


def test_making_one_is_refused_in_one_sentence(acme):
    stranger = people.vic(people.company("Beta"))
    make(acme)

    for error, values in (
        (NameTaken, {}),
        (NameMissing, {"name": " "}),
        (NameMissing, {"name": "x" * 201}),
        (PersonMissing, {"name": "P", "context": IntegrationContext.PERSONAL}),
        (NotAMember, {"name": "P", "context": IntegrationContext.PERSONAL, "person": stranger}),
    ):
        with pytest.raises(error, match=error.__doc__[:20]):
            make(acme, **values)
    assert Integration.objects.filter(company=acme).count() == 1


def test_making_one_leaves_its_line(acme):
    made = make(acme)

    event = AuditEvent.objects.get(subject_type="credits.integration")
    assert (event.action, event.subject_id) == ("ADDED", str(made.pk))


def test_a_personal_key_opens_only_doors_that_keep_to_its_person(acme):
    vic = people.vic(acme)
    personal = make(acme, context=IntegrationContext.PERSONAL, person=vic)
    made = api.key(acme, integration=personal)
    now = made.key.created_at

    with pytest.raises(api_keys.KeyRefused):
        api_keys.authenticate(text=made.text, address="", now=now)
    found = api_keys.authenticate(text=made.text, address="", now=now, reads_context=True)
    Membership.objects.filter(user=vic).delete()

    assert found == made.key
    with pytest.raises(api_keys.KeyRefused):
        api_keys.authenticate(text=made.text, address="", now=now, reads_context=True)
