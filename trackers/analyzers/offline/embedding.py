"""Static word vectors: loading them without a network, and vectors of texts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from tokenizers import Tokenizer

DIMENSIONS = 256
WEIGHTS_FILE = Path("weights/l2_supercat_256.safetensors")
WEIGHTS_SHA256 = "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5"
TOKENIZER_FILE = Path("tokenizers/l2_supercat_tokenizer_config.json")
TOKENIZER_SHA256 = "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68"
_NORM_MIN = 1e-9


class VectorsUnavailable(Exception):
    """The word vectors cannot be used; reinstall wordllama as pinned in requirements.lock."""


class Embedder:
    """Turns texts into vectors. One text's vector does not depend on its neighbors."""

    def __init__(self, *, table: NDArray[np.float32], tokenizer: Tokenizer) -> None:
        self._table = table
        self._tokenizer = tokenizer

    def sums(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the sum of each text's token vectors, one row a text."""
        # A lone surrogate is legal in a str but not for the tokenizer.
        encodable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encodings = self._tokenizer.encode_batch_fast(encodable, add_special_tokens=False)
        sums = np.zeros((len(encodings), DIMENSIONS), dtype=np.float32)
        for row, encoding in zip(sums, encodings, strict=True):
            # Text by text: one gather for all would not fit the processor's cache.
            np.add.reduce(self._table.take(encoding.ids, axis=0, mode="clip"), axis=0, out=row)
        return sums

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text; zeros for a text without tokens."""
        return unit(self.sums(texts))


def whole(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the unit vector of all the texts read as one."""
    total = sums.sum(axis=0, dtype=np.float64, keepdims=True)
    vector: NDArray[np.float32] = unit(total.astype(np.float32))[0]
    return vector


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    scaled: NDArray[np.float32] = rows / np.maximum(lengths, np.float32(_NORM_MIN))
    return scaled


@lru_cache(maxsize=1)
def load() -> Embedder:
    """Load the vectors shipped inside the wordllama wheel; the second call is free.

    The two files are read from the installed wheel directly. ``WordLlama.load()`` would look for
    the tokenizer in a folder that the wheel does not have and then go to the network, and
    importing the package configures the root logger; neither happens when it is not imported.

    :raises VectorsUnavailable: the package is missing, or a file is not the one measured.
    """
    # The tokenizer's threads warn and stop at every fork of a worker; one core is fast enough.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    folder = _folder()
    _verify(folder / WEIGHTS_FILE, WEIGHTS_SHA256)
    _verify(folder / TOKENIZER_FILE, TOKENIZER_SHA256)
    with safe_open(folder / WEIGHTS_FILE, framework="np") as weights:
        table = weights.get_tensor("embedding.weight").astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Embedder(table=table, tokenizer=tokenizer)


def problem() -> str | None:
    """Say why the vectors cannot be used; None when they can. Meant for a system check."""
    try:
        load()
    except VectorsUnavailable as error:
        return str(error)
    return None


def _folder() -> Path:
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise VectorsUnavailable("The package wordllama is not installed.")
    return Path(spec.origin).parent


def _verify(path: Path, sha256: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VectorsUnavailable(f"{path} cannot be read ({error.strerror}).") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise VectorsUnavailable(f"{path} is not the file that was measured (SHA-256 differs).")
