"""When two order references are the same order: their one normal form.

People type an order's number from a letter, paste it from a web page, or a program sends it.
What nobody sees, or nobody means, makes no other order.
"""

from __future__ import annotations

import hashlib
import unicodedata

KEY_LENGTH_MAX = 200
_DIGEST_LENGTH = 64
# Shown as nothing, though Unicode counts them as letters or marks: combining grapheme joiner,
# Hangul fillers, Khmer inherent vowels, and the variation selectors.
_UNSEEN = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)


def key_of(reference: str) -> str:
    """Return the normal form of an order reference; empty for one that shows nothing.

    Wide and compatible characters are their plain ones, case does not count, composed and
    decomposed letters are the same, invisible characters are left out, and any white space is one
    space between words. Compared in Python and stored, since PostgreSQL and Python disagree on
    the lower case of some letters. What would be longer than 200 characters ends in a digest.
    """
    seen = "".join(one for one in unicodedata.normalize("NFKC", reference) if not _is_unseen(one))
    # Folding case may leave letters that compose, and composing ones that fold.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", seen).casefold())
    key = " ".join(unicodedata.normalize("NFKC", folded.casefold()).split())
    if len(key) <= KEY_LENGTH_MAX:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return key[: KEY_LENGTH_MAX - _DIGEST_LENGTH] + digest


def _is_unseen(one: str) -> bool:
    kind = unicodedata.category(one)
    return kind == "Cf" or one in _UNSEEN or (kind == "Cc" and not one.isspace())
