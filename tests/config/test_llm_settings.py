"""The language model's settings are whole or refused in a sentence, and its key is never shown."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError

from config import llm
from config.environment import Environment

KEY = "a-secret-of-the-operator"
WHOLE = {
    "TALLYSTICK_LLM_BASE_URL": "https://models.example.com/v1",
    "TALLYSTICK_LLM_MODEL": "some-model",
    "TALLYSTICK_LLM_KEY": KEY,
}


def test_without_any_there_is_no_model():
    assert llm.read(Environment({})) is None


def test_the_key_is_in_no_text_that_is_made_of_the_endpoint():
    endpoint = llm.read(Environment(WHOLE))

    assert (endpoint.model, endpoint.key) == ("some-model", KEY)
    assert KEY not in f"{endpoint!r} {endpoint} {endpoint.digest}"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"TALLYSTICK_LLM_BASE_URL": ""}, "TALLYSTICK_LLM_BASE_URL is missing"),
        ({"TALLYSTICK_LLM_MODEL": ""}, "TALLYSTICK_LLM_MODEL is missing"),
        ({"TALLYSTICK_LLM_BASE_URL": "models.example.com"}, "is no address that can be asked"),
        ({"TALLYSTICK_LLM_BASE_URL": "file:///etc/passwd"}, "is no address that can be asked"),
        ({"TALLYSTICK_LLM_BASE_URL": "http://[::1"}, "is no address that can be asked"),
        ({"TALLYSTICK_LLM_BASE_URL": "https://me:word@host/v1"}, "is no address that can be"),
        ({"TALLYSTICK_LLM_BASE_URL": "https://host/v1?key=word"}, "is no address that can be"),
        ({"TALLYSTICK_LLM_KEY": "my wörd"}, "KEY has a space or a letter that no key has"),
        ({"TALLYSTICK_LLM_KEY": "one\nword"}, "KEY has a space or a letter that no key has"),
        ({"TALLYSTICK_LLM_CONCURRENCY": "0"}, "write a whole number from 1 to 64"),
        ({"TALLYSTICK_LLM_TIMEOUT_SECONDS": "soon"}, "write a whole number from 1 to 120"),
    ],
)
def test_half_of_it_or_a_wrong_one_is_refused_in_a_sentence(changes, sentence):
    with pytest.raises(ImproperlyConfigured, match=sentence) as refusal:
        llm.read(Environment(WHOLE | changes))

    assert not {"word", "wörd"} & set(str(refusal.value).split())
    assert "word" not in str(refusal.value)


def test_without_the_extra_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(llm, "find_spec", lambda name: None)

    with pytest.raises(ImproperlyConfigured, match=r"-r requirements-llm\.lock"):
        llm.read(Environment(WHOLE))


def test_a_model_that_is_not_set_up_is_not_measured(settings):
    settings.LLM = None

    with pytest.raises(CommandError, match="There is no language model to measure"):
        call_command("benchmark_trackers", "tests/data/sample", analyzer="llm")


def test_a_model_is_not_measured_by_what_it_does_not_do(settings):
    settings.LLM = llm.read(Environment(WHOLE))

    with pytest.raises(CommandError, match="learns nothing"):
        call_command("benchmark_trackers", "tests/data/sample", analyzer="llm", reviews=30)
