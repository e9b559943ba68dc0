"""Words of a passage: stems, word pairs and the outer form of what is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NUMBER = "#"
FORM_COUNT = 7
FORM_WORDS_MAX = 40

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[?$€£]")
_SUFFIXES = ("ing", "edly", "ed", "es", "s", "ly")
_STEM_LENGTH_MIN = 3
_NOT_WORDS = frozenset("?$€£")
_CURRENCY = frozenset("$€£")
_NEGATIONS = frozenset(
    "not no never cannot nothing nobody none unable unfortunately sorry without".split()
)
_INTERROGATIVES = frozenset(
    "what how who where when which why is are do does did can could would will has have had "
    "was were should may".split()
)
_FIRST_PERSONS = frozenset("i i'm i've i'd i'll my me mine we we're we've we'd we'll our us".split())
STOP_WORDS = frozenset(
    "a an the and or but of to in is it do does did be was were are am been being on for with "
    "that this these those at by from as i you he she they we me my your our their his her its "
    "him them us has have had will would can could should may might shall if so than then there "
    "here what which who whom whose how when where why not no any some about into out up".split()
)


def tokens(text: str) -> list[str]:
    """Split into lower-case words, numbers and the signs that change what a sentence does."""
    return _TOKEN.findall(text.lower().replace("\u2019", "'"))


@lru_cache(maxsize=65_536)
def stem(token: str) -> str:
    """Cut an English ending; a number becomes the one sign for any number."""
    if token.isdigit():
        return NUMBER
    for suffix in _SUFFIXES:
        if token.endswith(suffix) and len(token) - len(suffix) >= _STEM_LENGTH_MIN:
            return token[: -len(suffix)]
    return token


def stems(words: Sequence[str]) -> list[str]:
    return [stem(word) for word in words]


def terms(stemmed: Sequence[str]) -> set[str]:
    """Name the stems and the pairs of neighboring stems; pairs keep some of the word order."""
    found = set(stemmed)
    found.update(f"{first} {second}" for first, second in zip(stemmed, stemmed[1:], strict=False))
    return found


def query(text: str) -> list[str]:
    """Name the stems of a question that can find something, each once, in order."""
    words = [word for word in tokens(text) if word not in STOP_WORDS and word not in _NOT_WORDS]
    return list(dict.fromkeys(stems(words)))


def form(words: Sequence[str]) -> NDArray[np.float32]:
    """Describe how something is said rather than what about.

    Asking, refusing and telling use the same topic words; a mean of word vectors loses the
    difference, these seven numbers keep some of it.
    """
    spoken = [word for word in words if word not in _NOT_WORDS]
    return np.array(
        [
            "?" in words,
            bool(spoken) and spoken[0] in _INTERROGATIVES,
            any(word in _NEGATIONS or word.endswith("n't") for word in spoken),
            any(word in _FIRST_PERSONS for word in spoken),
            any(word.isdigit() for word in spoken),
            any(word in _CURRENCY for word in words),
            2 * min(len(spoken), FORM_WORDS_MAX) / FORM_WORDS_MAX,
        ],
        dtype=np.float32,
    )
