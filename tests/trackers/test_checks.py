"""What ``manage.py check`` says about the analyzer."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from trackers.analyzers.llm.endpoint import Endpoint
from trackers.analyzers.offline import embedding


@pytest.fixture
def fresh_load():
    embedding.load.cache_clear()
    yield
    embedding.load.cache_clear()


def found() -> dict:
    return {message.id: message for message in run_checks() if message.id.startswith("trackers.")}


def test_an_analyzer_that_can_be_used_gives_no_message():
    assert found() == {}


@pytest.mark.usefixtures("fresh_load")
def test_trackers_w001_weights_that_were_not_measured(monkeypatch):
    monkeypatch.setattr(embedding, "WEIGHTS_SHA256", "0" * 64)

    message = found()["trackers.W001"]

    assert "compares words alone" in message.msg
    assert "SHA-256 differs" in message.msg
    assert "requirements.lock" in message.hint
    call_command("check")


@pytest.mark.usefixtures("fresh_load")
def test_another_analyzer_needs_no_weights(monkeypatch, settings):
    monkeypatch.setattr(embedding, "WEIGHTS_SHA256", "0" * 64)
    settings.ANALYZER = "tests.support.analyzers.ScriptedAnalyzer"

    assert found() == {}


@pytest.mark.parametrize(
    "address",
    [
        "https://models.example.com/v1",
        "http://127.0.0.1:8080/v1",
        "http://localhost:8080/v1",
        "http://[::1]:8080/v1",
        "http://10.1.2.3/v1",
        "http://vllm:8000/v1",
        "http://models.internal/v1",
    ],
)
def test_a_model_near_by_or_over_tls_gives_no_message(settings, address):
    settings.LLM = Endpoint(address, "some-model", "a-key")

    assert found() == {}


@pytest.mark.parametrize("address", ["http://models.example.com/v1", "http://8.8.8.8/v1"])
def test_trackers_w002_texts_that_leave_the_network_in_the_clear(settings, address):
    settings.LLM = Endpoint(address, "some-model", "a-key")

    message = found()["trackers.W002"]

    assert "unencrypted" in message.msg
    assert "a-key" not in f"{message.msg} {message.hint}"
    assert "https://" in message.hint
    call_command("check")
