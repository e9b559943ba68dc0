"""What a question is after, without the words that only make it a question."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.offline import lexicon

_WORD = re.compile(r"[^\W\d_]+")
# "Did the customer ask about the price?" is after the price: nobody says the words before it.
_FRAME_WORDS = lexicon.word_set(
    "did does do is was were has have are the a an any anyone anybody someone somebody customer "
    "customers client buyer prospect caller user person speaker rep reps representative agent "
    "salesperson seller team company we they he she it you your our their there e mail mails email "
    "emails message call conversation meeting ask asks asked asking say says said tell tells told "
    "mention mentions mentioned discuss discusses discussed talk talks talked speak want wants "
    "wanted express expressed question questions about to for whether if that of on with"
)
_ASKING = re.compile(r"\b(?:ask(?:s|ed|ing)?|inquir\w+|questions?|wonder\w*)\b", re.IGNORECASE)


def topic(question: str) -> str:
    """Cut the leading words that frame a question; the whole question when nothing is left."""
    for word in _WORD.finditer(question):
        if word.group().lower() not in _FRAME_WORDS:
            return question[word.start() :]
    return question


def expected_form(question: str, ordinary: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the form of what the question is after: ordinary, but a question where the tracker
    is about somebody asking.
    """
    expected = ordinary.copy()
    if _ASKING.search(question):
        expected[lexicon.FORM_ASKING] = 1.0
    return expected
