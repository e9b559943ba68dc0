"""An explanation in plain sentences, as the command prints it and the page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credits import amounts, shown
from credits.amounts import ZERO
from credits.explanations import Explanation, Piece
from credits.models import Cause, CreditGrant, EntryKind, LedgerEntry, RateItem, User

PIECES_PRINTED_MAX = 100
_DID = {
    EntryKind.GRANTED: "Added",
    EntryKind.CONSUMED: "Used",
    EntryKind.EXPIRED: "Expired",
    EntryKind.VOIDED: "Voided",
    EntryKind.REFUNDED: "Refunded",
    EntryKind.ADJUSTED: "Adjusted",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain: what it is about, and what is to be said of it."""

    title: str
    sentences: tuple[str, ...]


def steps(found: Explanation) -> list[Step]:
    """Return the links of the chain, in order; those that do not belong to it are left out."""
    made = (
        Step("Entry", tuple(_of_entry(found))),
        Step("Made for", tuple(_of_origin(found))),
        Step("For what", tuple(_of_usage(found))),
        Step("Price", tuple(_of_price(found))),
        Step("Held first", tuple(_of_reservation(found))),
        Step("Lots", tuple(_of_lots(found))),
        Step("Corrections", tuple(_of_corrections(found))),
        Step("Who", tuple(_of_people(found))),
    )
    return [step for step in made if step.sentences]


def lines(found: Explanation) -> Iterator[str]:
    """Yield the whole chain as lines of text, what was read last."""
    for step in steps(found):
        yield f"{step.title}: {step.sentences[0]}"
        for sentence in step.sentences[1:]:
            yield f"  {sentence}"
    sources = found.sources
    if sources.question:
        yield f"Question: {sources.question}"
    if sources.pieces:
        yield f"Read: {read_in_words(found)}"
    for piece in sources.pieces[:PIECES_PRINTED_MAX]:
        yield f"  {piece_in_words(found, piece)}"
        for quote in piece.quotes:
            yield f"    “{quote}”"
    if (hidden := len(sources.pieces) - PIECES_PRINTED_MAX) > 0:
        yield f"  and {hidden:,} more"
    yield "All figures agree." if not found.breaches() else "Some figures do not agree."


def read_in_words(found: Explanation) -> str:
    """Say how many conversations were read, and how many of them an answer cites.

    A tracker answers about each for itself: there is nothing to cite.
    """
    sources, event = found.sources, found.usage
    said = shown.counted(len(sources.pieces), "conversation")
    if not any(piece.verdict for piece in sources.pieces):
        said += f", {sources.cited_count:,} cited"
    charged = 0 if event is None else event.calls + event.emails
    if len(sources.pieces) < charged:
        return f"{said}; which others were read was not kept"
    return said


def piece_in_words(found: Explanation, piece: Piece) -> str:
    """Say what one conversation cost and what was found there."""
    kind = "Call" if piece.kind == "CALL" else "E-mail"
    said = [f"{kind} {piece.conversation_id}", _at(found, piece.started_at)]
    if piece.is_cited and not piece.verdict:
        said.append("cited")
    if piece.title:
        said.append(piece.title)
    if piece.credits is not None:
        said.append(f"{amounts.grouped(piece.credits)} credits")
    if piece.verdict:
        said.append(piece.verdict.lower())
    # A plain yes or no is its verdict.
    if piece.answer and piece.answer.upper() != piece.verdict:
        said.append(piece.answer)
    return ", ".join(said)


def _of_entry(found: Explanation) -> Iterator[str]:
    entry = found.entry
    if entry is None:
        if found.usage is not None:
            yield f"None: this use was free, after entry #{found.usage.after_sequence}."
        return
    yield (
        f"#{entry.sequence} {_done(entry)} on "
        f"{_at(found, entry.occurred_at)}: {amounts.grouped(entry.balance_before)} before, "
        f"{amounts.grouped(entry.balance_after)} after."
    )
    yield f"Cause: {Cause(entry.cause).label.lower()}; written {_at(found, entry.recorded_at)}."
    if entry.grant is not None:
        yield f"About {_grant(found, entry.grant)}."


def _done(entry: LedgerEntry) -> str:
    """Say what an entry did and how much: the word has the sign, but for a correction's."""
    amount = entry.amount
    if entry.kind == EntryKind.ADJUSTED:
        return f"Adjusted by {'+' if amount > ZERO else ''}{amounts.grouped(amount)}"
    return f"{_DID[EntryKind(entry.kind)]} {amounts.grouped(abs(amount))}"


def _of_origin(found: Explanation) -> Iterator[str]:
    made = found.origin
    if made is None:
        return
    yield f"{', '.join((made.name, *made.facts))}."
    for act in made.acts:
        yield f"{act.did.capitalize()} by {act.by.get_full_name()}, {_at(found, act.at)}."


def _of_usage(found: Explanation) -> Iterator[str]:
    event = found.usage
    if event is None:
        return
    yield (
        f"{event.feature_name} ({event.get_feature_type_display()}, {event.get_action_display()}),"
        f" {_at(found, event.occurred_at)}."
    )
    read = [shown.counted(event.calls, "call"), shown.counted(event.emails, "e-mail")]
    if event.web_searches:
        read.append(shown.counted(event.web_searches, "web search", "web searches"))
    begin = "It read" if found.sources.reused is None else "Read for it before:"
    yield f"{begin} {', '.join(read)}. Use {event.pk}."


def _of_price(found: Explanation) -> Iterator[str]:
    event = found.usage
    if event is None or found.card is None:
        return
    is_read = event.calls or event.emails or event.web_searches
    reused = found.sources.reused
    if reused is not None:
        yield (
            f"0.0: the answer of use {reused.usage_id}, {_at(found, reused.answered_at)}, was "
            f"given again, which saved {amounts.grouped(reused.saved)}."
        )
    elif not is_read:
        yield f"{found.arithmetic}: there was nothing to read."
    else:
        yield f"{found.arithmetic}."
    if is_read and not found.lines and reused is None:
        yield "Which of its calls were long, and what had no text, is no longer known."
    rates = ", ".join(
        f"{RateItem(item).label.lower()} {amounts.text(rate)}"
        for item, rate in sorted(found.rates.items())
    )
    since = _at(found, found.card.effective_at)
    yield f"Rate card {found.card.pk}, in force from {since}: {rates}."


def _of_reservation(found: Explanation) -> Iterator[str]:
    held = found.reservation
    if held is None:
        return
    closed = "" if held.closed_at is None else f", {_at(found, held.closed_at)}"
    yield (
        f"{amounts.grouped(held.amount)} on {_at(found, held.opened_at)}; "
        f"{held.get_state_display().lower()}{closed}: {amounts.grouped(held.captured)} charged, "
        f"{amounts.grouped(found.released)} released. Reservation {held.pk}."
    )
    for hold in found.holds:
        yield f"{amounts.grouped(hold.amount)} of {_grant(found, hold.grant)}."


def _of_lots(found: Explanation) -> Iterator[str]:
    for one in found.drawdowns:
        way = "from" if one.amount < ZERO else "to"
        yield f"{amounts.grouped(abs(one.amount))} {way} {_grant(found, one.grant)}."


def _of_corrections(found: Explanation) -> Iterator[str]:
    made = found.correction
    if made is not None:
        by = "the system" if made.by is None else made.by.get_full_name()
        yield f"{made.get_kind_display()} by {by}, {_at(found, made.created_at)}: {made.reason}"
    if found.corrected is not None:
        did = _done(found.corrected)
        yield f"It corrects entry #{found.corrected.sequence}: {did[:1].lower()}{did[1:]}."
    for entry in found.corrections:
        did = _done(entry)
        yield (
            f"Entry #{entry.sequence}: {did[:1].lower()}{did[1:]}, {_at(found, entry.occurred_at)}."
        )
    if found.refunded > ZERO:
        yield f"{amounts.grouped(found.refunded)} came back in all."


def _of_people(found: Explanation) -> Iterator[str]:
    event = found.usage
    if event is not None and event.user_ref is not None:
        yield f"Asked by {_person(event.user_ref)}."
    if found.api_key is not None:
        yield f"With the key “{found.api_key.name}”."
    if found.integration is not None:
        yield f"Through the integration “{found.integration.name}”."
    if event is not None and event.request_id:
        yield f"Request {event.request_id}."
    if found.entry is not None:
        yield f"{_writer(found, found.entry)}."


def _writer(found: Explanation, entry: LedgerEntry) -> str:
    """Say who caused an entry: a person, the key or person that asked, or the system by itself."""
    if entry.actor_ref is not None:
        return f"Written by {_person(entry.actor_ref)}"
    if entry.kind == EntryKind.CONSUMED and found.api_key is not None:
        return f"Written for the request of the key “{found.api_key.name}”"
    if entry.kind == EntryKind.CONSUMED and found.usage is not None and found.usage.user_ref:
        return f"Written for the request of {_person(found.usage.user_ref)}"
    return "Written by the system"


def _person(ref: UUID) -> str:
    person = User.objects.filter(public_id=ref).first()
    return person.get_full_name() if person else f"removed person {ref}"


def _grant(found: Explanation, grant: CreditGrant) -> str:
    last = "" if grant.expires_at is None else f" until {_at(found, grant.expires_at)}"
    usable = f"usable from {_at(found, grant.effective_at)}{last}"
    named = f"“{grant.reference}” " if grant.reference else ""
    return f"{grant.get_source_display()} grant {named}{grant.pk}, {usable}"


def _at(found: Explanation, instant: datetime) -> str:
    return shown.instant_in_words(instant, found.company)
