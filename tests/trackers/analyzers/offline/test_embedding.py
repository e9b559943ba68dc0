from __future__ import annotations

import socket

import numpy as np
import pytest

from tests.trackers.analyzers.offline.samples import PRICE_QUESTION, calls
from trackers.analyzers.offline import embedding
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.calibration import Mode


@pytest.fixture
def fresh_load():
    embedding.load.cache_clear()
    yield
    embedding.load.cache_clear()


@pytest.mark.usefixtures("fresh_load")
def test_the_vectors_load_with_the_network_cut(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("The analyzer opened a socket.")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)

    assert embedding.problem() is None


@pytest.mark.usefixtures("fresh_load")
@pytest.mark.parametrize("name", ["WEIGHTS_SHA256", "TOKENIZER_SHA256"])
def test_a_file_that_was_not_measured_leaves_words_alone(monkeypatch, name, caplog):
    monkeypatch.setattr(embedding, name, "0" * 64)

    analyzer = OfflineAnalyzer()

    assert analyzer.mode is Mode.WORDS
    assert "SHA-256 differs" in str(embedding.problem())
    assert "compares words alone" in caplog.text
    assert analyzer.calibrate([PRICE_QUESTION], calls(60)).data["mode"] == "WORDS"


@pytest.mark.usefixtures("fresh_load")
def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)

    assert embedding.problem() == "The package wordllama is not installed."


@pytest.mark.usefixtures("fresh_load")
def test_a_missing_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(embedding, "_folder", lambda: tmp_path)

    assert "l2_supercat_256.safetensors cannot be read" in str(embedding.problem())


def test_a_vector_does_not_depend_on_its_neighbors():
    texts = ["What does it cost?", "Hello.", "x" * 2_000, ""]
    embedder = embedding.load()

    together = embedder.vectors(texts)

    for row, text in zip(together, texts, strict=True):
        assert np.array_equal(row, embedder.vectors([text])[0])


def test_a_text_without_tokens_is_the_zero_vector():
    assert not embedding.load().vectors([""]).any()


def test_vectors_equal_those_of_the_library():
    texts = ["What does it cost?", "Our summer party is next week."]
    from wordllama import WordLlama

    library = WordLlama.load(cache_dir=embedding._folder(), disable_download=True)

    found = embedding.load().vectors(texts)

    np.testing.assert_allclose(found, library.embed(texts, norm=True), atol=1e-6)
