"""Words of a passage: stems, word pairs and the outer form of what is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NUMBER = "#"
FORM_COUNT = 11
FORM_ASKING = slice(0, 2)
FORM_WORDS_MAX = 40


def word_set(text: str) -> frozenset[str]:
    """Split a list of words kept as running text."""
    return frozenset(text.split())


_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[?$€£]")
_SUFFIXES = ("ing", "edly", "ed", "es", "s", "ly")
_STEM_LENGTH_MIN = 3
_NOT_WORDS = frozenset("?$€£")
_CURRENCY = frozenset("$€£")
_NEGATIONS = word_set("not no never cannot nothing nobody none unable unfortunately sorry without")
_INTERROGATIVES = word_set(
    "what how who where when which why is are do does did can could would will has have had "
    "was were should may"
)
_FIRST_PERSONS = word_set("i i'm i've i'd i'll my me mine we we're we've we'd we'll our us")
_SECOND_PERSONS = word_set("you your yours you're you've you'd you'll")
_THIRD_PERSONS = word_set("they them their he she his her it its")
_RESERVATIONS = word_set("but however though although because if")
_PASTS = word_set("was were did had been went got said told gave")
STOP_WORDS = word_set(
    "a an the and or but of to in is it do does did be was were are am been being on for with "
    "that this these those at by from as i you he she they we me my your our their his her its "
    "him them us has have had will would can could should may might shall if so than then there "
    "here what which who whom whose how when where why not no any some about into out up"
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
    found.update(f"{first} {second}" for first, second in pairwise(stemmed))
    return found


def query(text: str) -> list[str]:
    """Name the stems of a question that can find something, each once, in order."""
    words = [word for word in tokens(text) if word not in STOP_WORDS and word not in _NOT_WORDS]
    return list(dict.fromkeys(stems(words)))


def form(words: Sequence[str]) -> NDArray[np.float32]:
    """Describe how something is said rather than what about.

    Asking, refusing and telling use the same topic words; a mean of word vectors loses the
    difference, these few numbers keep some of it. They know English only.
    """
    held = frozenset(words)
    endings = {word[-3:] for word in held}
    return np.array(
        [
            "?" in held,
            bool(words) and words[0] in _INTERROGATIVES,
            "n't" in endings or not held.isdisjoint(_NEGATIONS),
            not held.isdisjoint(_FIRST_PERSONS),
            not held.isdisjoint(_SECOND_PERSONS),
            not held.isdisjoint(_THIRD_PERSONS),
            not held.isdisjoint(_RESERVATIONS),
            any(ending.endswith("ed") for ending in endings) or not held.isdisjoint(_PASTS),
            any(map(str.isdigit, endings)),
            not held.isdisjoint(_CURRENCY),
            2 * min(len(words), FORM_WORDS_MAX) / FORM_WORDS_MAX,
        ],
        dtype=np.float32,
    )
