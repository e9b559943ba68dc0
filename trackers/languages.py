"""Languages: the codes that records and trackers name, and which of them have word forms.

A conversation has the language its record named, never one that was guessed. A language is the
first part of a tag, “pt” of “pt-BR”: regions do not divide trackers.
"""

from __future__ import annotations

import re

from django.conf.locale import LANG_INFO

TAG_LENGTH_MAX = 35
# The first part of a language tag is two or three letters; what follows is a script or a region.
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")

# What a form offers: the languages Django knows by name, without regions and scripts.
NAMES: dict[str, str] = {
    code: info["name"]
    for code, info in sorted(LANG_INFO.items(), key=lambda item: str(item[1].get("name", "")))
    if len(code) <= 3 and "name" in info
}
# Stemmers by language; the words of others match only as they are written.
STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "nb": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
DEFAULT = "en"  # Whose word forms are taken where nobody said the language.


def of_tag(tag: str) -> str | None:
    """Return the language of a tag such as “en”, “pt-BR” or “zh_Hans”; None if it is no tag."""
    if len(tag) > TAG_LENGTH_MAX:
        return None
    found = _TAG.fullmatch(tag.strip())
    return found.group(1).lower() if found else None


def name(code: str) -> str:
    """Return a language's English name; its code where we know none."""
    return NAMES.get(code, code)
