"""Help with writing a question: phrases to build it from, examples, hints at what is too broad.

A hint never refuses anything: it says what would be found too often, and what to write instead.
"""

from __future__ import annotations

import re

from trackers import keywords
from trackers.models import Side, TrackerKind
from trackers.questioning import Question

# A question is put together as one of these with what it is about.
PHRASES = {
    "customer-asked-about": "Did the customer ask about {}?",
    "customer-asked-for": "Did the customer ask for {}?",
    "customer-mentioned": "Did the customer mention {}?",
    "customer-objected": "Did the customer object to {}?",
    "customer-complained": "Did the customer complain about {}?",
    "customer-wants": "Does the customer want {}?",
    "rep-explained": "Did our rep explain {}?",
    "rep-asked": "Did our rep ask about {}?",
    "rep-promised": "Did our rep promise {}?",
    "agreed": "Did both sides agree on {}?",
}
EXAMPLES = (
    "Did the customer ask for a discount of more than 10 %?",
    "Did the customer say that a named competitor is cheaper?",
    "Did the customer ask when a missing feature will be there?",
    "Did our rep ask who else has to approve the purchase?",
    "Did our rep agree on a date for the next meeting?",
    "Does the customer want to end the contract or not renew it?",
)
EXAMPLE_PHRASES_WANTED = 10
QUESTION_LENGTH_COMFORTABLE = 300
MEANING_WORDS_MIN = 2  # Beside those that say who and that it is a question.

# Words that say who and how, and not what a question is about.
_ORDINARY = frozenset(
    re.findall(
        r"\w+",
        """
        a about after all also am an and any anybody anyone anything are as at be been both
        by call can conversation could customer customers did do does e for from had has
        have he her him his how i if in is it its mail mention mentioned mentions me my no
        not of on or our prospect rep reps said say says she should so some somebody someone
        something talk talked than that the their them then there they this to us was we
        were what when where which who whom whose why will with would yes you your
        """,
    )
)


def built(phrase: str, subject: str) -> str:
    """Put a question together; empty without a known phrase or a subject."""
    about = subject.strip().rstrip("?.! ")
    return PHRASES[phrase].format(about) if phrase in PHRASES and about else ""


def hints(question: Question, *, example_count: int = 0) -> list[str]:
    """Say what to write otherwise; nothing about a shipped tracker, or where all is well."""
    match question.kind:
        case TrackerKind.KEYWORD:
            return _hints_on_terms(question)
        case TrackerKind.PRETRAINED:
            return []
        case _:
            return _hints_on_question(question, example_count)


def _hints_on_question(question: Question, example_count: int) -> list[str]:
    text = question.question
    found = []
    meaning = {word for word in re.findall(r"\w+", text.casefold()) if word not in _ORDINARY}
    if len(meaning) < MEANING_WORDS_MIN:
        found.append(
            f"“{text}” is broad and may be found in nearly every conversation. Say who did what, "
            f"such as “{EXAMPLES[0]}”"
        )
    if text.count("?") > 1:
        found.append(
            "This asks several things at once. One question a tracker is found more reliably, and "
            "its results say which of them it was."
        )
    if len(text) > QUESTION_LENGTH_COMFORTABLE:
        found.append(
            "This question is long. Keep it to one sentence, and move what counts and what does "
            "not to the additional details."
        )
    if question.side == Side.ANY and re.search(r"\bcustomer|\bprospect", text.casefold()):
        found.append(
            "This asks about the customer and reads everyone's words. Choose “Customer” under "
            "whose words, and our rep's own phrases are not found."
        )
    if example_count < EXAMPLE_PHRASES_WANTED:
        found.append(
            f"The built-in analyser goes by example phrases: there are {example_count}, and with "
            f"{EXAMPLE_PHRASES_WANTED} to 20 it finds more of what you mean."
        )
    return found


def _hints_on_terms(question: Question) -> list[str]:
    broad = [
        term
        for term in question.terms
        if all(
            word.form in _ORDINARY or (len(word.form) == 1 and word.form.isascii())
            for word in keywords.words_of(term)
            if word is not None
        )
    ]
    if not broad:
        return []
    named = " and ".join(f"“{term}”" for term in broad[:3])
    return [f"{named} may be said in nearly every conversation. Write a rarer word or a phrase."]
