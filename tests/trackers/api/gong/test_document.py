"""The document of these endpoints names what there is, and what is answered is what it names."""

from __future__ import annotations

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support import conversations, people
from tests.trackers.api.gong import asking
from tests.trackers.api.gong.test_calls import EVERYTHING, EXTENSIVE, post
from trackers.api.gong import documents
from trackers.api.gong.calls import ExtensiveView, TranscriptView
from trackers.api.gong.urls import urlpatterns


@pytest.mark.django_db
def test_it_is_served_to_everybody_and_is_an_openapi_3_1_document():
    answer = Client().get("/docs/v2-schema.json")

    assert answer.status_code == 200
    OpenAPIV31SpecValidator(answer.json()).validate()


def test_it_names_every_operation_there_is_and_no_other():
    there = {
        (method.lower(), f"/v2/{pattern.pattern}")
        for pattern in urlpatterns
        for method in pattern.callback.cls.scopes
    }

    assert set(documents.OPERATIONS) == there
    assert len(there) == len(urlpatterns)


def test_it_reads_what_each_view_reads():
    for pattern in urlpatterns:
        view, path = pattern.callback.cls, f"/v2/{pattern.pattern}"
        if "POST" in view.scopes:
            assert view in (ExtensiveView, TranscriptView)
            continue
        reads = documents.OPERATIONS["get", path][1]
        assert reads is view.parameters
        named = {one["name"] for one in documents.document()["paths"][path]["get"]["parameters"]}
        assert named == set(reads().fields)


@pytest.mark.django_db
def test_it_names_what_is_answered_of_people_whom_the_crm_knows():
    acme = people.company()
    met = [
        {"id": "c", "role": "external", "email": "carl@globex.example", "crm_id": "0033C"},
        {"id": "r", "role": "internal", "email": "rep@acme.example"},
    ]
    conversations.ingest(acme, conversations.record("77", participants=met))
    asked = {"filter": {}, "contentSelector": EVERYTHING}

    answer = post(asking.of(acme), EXTENSIVE, asked).json()

    (objects,) = [one["objects"] for one in answer["calls"][0]["parties"][0]["context"]]
    assert [(one["objectType"], one["objectId"]) for one in objects] == [("Contact", "0033C")]
    document = documents.document()
    responses = document["paths"]["/v2/calls/extensive"]["post"]["responses"]
    shape = responses["200"]["content"]["application/json"]["schema"]
    whole = Draft202012Validator(shape | {"components": document["components"]})
    assert [error.message for error in whole.iter_errors(answer)] == []
