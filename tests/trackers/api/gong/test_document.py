"""The document of these endpoints names what there is, and what is answered is what it names."""

from __future__ import annotations

import pytest
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator

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
