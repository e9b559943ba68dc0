"""Erase conversations: their words go, what they cost stays (SPEC §10).

Each conversation is one transaction, so that a request of any size can be stopped and repeated.
Its row stays with kind, duration class and date, and its scans with their states and charges, so
that ledger, usage and reports are the same before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet

from credits import audit, idempotency, written
from credits.audit import Action
from credits.models import AuditEvent, Company, Membership, User
from credits.rating import LONG_CALL_SECONDS
from trackers import (
    answers,
    brief_erasure,
    contacts,
    copies,
    erased_ids,
    mentions,
    passages,
    requeuing,
    traces,
)
from trackers import erasure_requests as requests
from trackers.batches import batches
from trackers.erasure_requests import BATCH_SIZE, Counts, Request
from trackers.mentions import Person
from trackers.models import (
    Conversation,
    ConversationKind,
    Participant,
    Review,
    Scan,
    ScanState,
    TeamMember,
    Tracker,
    TrackerVersion,
)


def erase(
    *,
    request: Request,
    by: User | None,
    reason: str,
    now: datetime,
    on_done: Callable[[int], object] = lambda count: None,
) -> Counts:
    """Erase what was requested; return what went. Safe to repeat after it was interrupted.

    A scan that runs just now loses its lease: its worker writes nothing, and nothing is charged.
    """
    company = request.company
    key = erased_ids.key_of(company)
    subject = audit.Subject(audit.type_of(Conversation), label=request.what)
    planned = {"conversations": len(request.conversation_ids)}
    audit.record(
        action=Action.STARTED, by=by, company=company, subject=subject, after=planned, reason=reason
    )
    counts = Counts()
    if request.person is not None:
        with transaction.atomic():
            _erase_mentions(company, request.person, counts)
            counts.written += written.erase(company=company, person=request.person)
    for ids in batches(request.conversation_ids, BATCH_SIZE) if request.conversation_ids else [[]]:
        # Copies first: they are found by words, which must still be there if this is repeated.
        _erase_copies(request, ids, now, counts)
        people, customers = _members_of(ids), _contacts_of(ids)
        for pk in ids:
            _erase_one(pk, key, ZoneInfo(company.time_zone), now, counts)
            on_done(1)
        with transaction.atomic():
            _remove_members(set(_unused(people)), counts)
            _remove_contacts(contacts.unused(customers), now, counts)
    with transaction.atomic():
        _remove_members(set(request.member_ids), counts)
        _remove_contacts(request.contact_ids, now, counts)
        audit.record(
            action=Action.ERASED, by=by, company=company, subject=subject, after=counts.figures
        )
    return counts


def forget_person(*, user: User) -> dict[str, int]:
    """Forget a person wherever trackers' tables name them; return what went, by what it is.

    The team members that are their login, or have the same address, become unknown. Where they
    took part in calls, their name and address go; what was said stays. Inside the caller's
    transaction, which removes the person.
    """
    members = TeamMember.objects.filter(Q(user=user) | Q(email__iexact=user.email))
    ids = set(members.values_list("pk", flat=True))
    took_part = Participant.objects.filter(Q(team_member__in=ids) | Q(email__iexact=user.email))
    names = {name for rows in (members, took_part) for name in rows.values_list("name", flat=True)}
    addresses = {user.email, *members.values_list("email", flat=True)}
    person = Person(
        tuple(address for address in addresses if not requests.is_unknown(address)),
        tuple({user.name} | names),
    )
    counts, words = Counts(), person.words
    for company in _companies_of(user, members, took_part):
        _erase_mentions(company, person, counts)
        counts.uploads += copies.remove_uploads(company=company)
        copies.blank_history(company=company, needles=words, names=words)
        copies.forget_answers(company=company, words=words)
        counts.trail += copies.blank_trail(company=company, needles=words, names=words)
        counts.written += written.erase(company=company, person=person, with_common=True)
    # An address is one person's, whoever wrote it down.
    counts.written += written.erase(company=None, person=Person(person.addresses))
    idempotency.forget_answers_saying(company=None, words=person.addresses)
    counts.trail += copies.blank_trail(
        company=None, needles=person.addresses, names=person.addresses
    )
    took_part.update(name="", email="", party_id="")
    _remove_members(ids, counts)
    return {
        "team members made unknown": counts.members,
        "trackers that named them": len(counts.tracker_names),
        "files uploaded and not yet imported": counts.uploads,
        "names, notes and reasons that named them": counts.written,
        "lines of the audit trail that named them": counts.trail,
    }


def _erase_mentions(company: Company, person: Person, counts: Counts) -> None:
    """Take a person out of trackers, and out of what else says what these were."""
    named = mentions.erase(company=company, person=person)
    counts.named_by(named)
    counts.trail += copies.blank_lists_of(company=company, person=person)
    _forget_answers_about(company, named)


def _forget_answers_about(company: Company, trackers: list[Tracker]) -> None:
    """Drop answers that show the trackers: a list in one may say what no search for words finds."""
    idempotency.forget_answers_saying(company=company, words=[str(row.pk) for row in trackers])


def _companies_of(
    user: User, members: QuerySet[TeamMember], took_part: QuerySet[Participant]
) -> list[Company]:
    """Return the companies that know a person: by login, in calls, or for what they did there."""
    acts = AuditEvent.objects.filter(Q(actor_ref=user.public_id) | Q(about_ref=user.public_id))
    known = Company.objects.filter(
        Q(pk__in=Membership.objects.filter(user=user).values("company"))
        | Q(pk__in=members.values("company"))
        | Q(pk__in=took_part.values("company"))
        | Q(pk__in=acts.exclude(company=None).values("company"))
    )
    return list(known.order_by("pk"))


def _erase_one(pk: UUID, key: bytes, zone: ZoneInfo, now: datetime, counts: Counts) -> None:
    """Erase one conversation, whatever is done with it at the same time.

    Scans are locked before the conversation: whoever publishes locks them and then refers to the
    conversation. Scans that come between the two are found once it is locked.
    """
    with transaction.atomic():
        reviewing = _trackers_that_review(pk)
        list(Scan.objects.filter(conversation=pk).select_for_update(no_key=True).order_by("pk"))
        row = Conversation.objects.select_for_update().get(pk=pk)
        if row.erased_at is not None:
            return
        day = _day(row.started_at, zone)
        scans = Scan.objects.filter(conversation=pk)
        queued = list(
            scans.filter(state__in=requeuing.NOT_DONE).order_by("pk").values_list("pk", flat=True)
        )
        counts.results += scans.filter(state=ScanState.DONE).count()
        counts.queued += len(queued)
        requeuing.skip(queued, now=now, reason="")
        scans.update(**traces.blank_scan(), conversation_started_at=day)
        Scan.objects.filter(pk__in=queued).update(reason=requeuing.REASON_ERASED)
        counts.answers += answers.erase_citing([pk], now=now)
        counts.briefs += brief_erasure.erase_reading([pk], now=now)
        for label, number in traces.delete([pk]).items():
            counts.rows[label] = counts.rows.get(label, 0) + number
        # What an analyzer learned of a reviewed phrase holds its words: it learns anew.
        TrackerVersion.objects.filter(tracker__in=reviewing).update(calibration=None)
        Conversation.objects.filter(pk=pk).update(
            **traces.blank_conversation(),
            external_id=erased_ids.digest(key, row.external_id),
            started_at=day,
            arrived_at=_day(row.arrived_at, zone),
            duration_seconds=_duration_class(row),
            # What was listed to be read before is of an earlier text, and is found to be erased.
            text_revision=row.text_revision + 1,
            erased_at=now,
        )
        if row.kind == ConversationKind.CALL:
            counts.calls += 1
        else:
            counts.emails += 1


def _trackers_that_review(pk: UUID) -> list[UUID]:
    """Return the trackers of which a phrase of the conversation was reviewed, locked."""
    reviews = Review.objects.filter(conversation=pk, utterance__isnull=False)
    rows = Tracker.objects.filter(pk__in=reviews.values("tracker")).order_by("pk")
    return [row.pk for row in rows.only("pk").select_for_update(no_key=True)]


def _duration_class(row: Conversation) -> int:
    """Return the longest short call, or the shortest long one: what its price depends on."""
    if row.kind != ConversationKind.CALL:
        return 0
    is_long = row.duration_seconds > LONG_CALL_SECONDS
    return LONG_CALL_SECONDS + 1 if is_long else LONG_CALL_SECONDS


def _day(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _names_of(ids: list[UUID]) -> set[str]:
    """Return what conversations are called: copies may call them so."""
    rows = Conversation.objects.filter(pk__in=ids).values_list("external_id", "title")
    return {name for row in rows for name in row if name}


def _members_of(ids: list[UUID]) -> set[UUID]:
    owners = Conversation.objects.filter(pk__in=ids, owner__isnull=False)
    others = Participant.objects.filter(conversation__in=ids, team_member__isnull=False)
    return {
        *owners.values_list("owner", flat=True),
        *others.values_list("team_member", flat=True),
    }


def _contacts_of(ids: list[UUID]) -> set[UUID]:
    rows = Participant.objects.filter(conversation__in=ids, contact__isnull=False)
    return set(rows.values_list("contact", flat=True))


def _remove_contacts(contact_ids: Iterable[UUID], now: datetime, counts: Counts) -> None:
    """Make contacts unknown, and forget what was asked about them."""
    ids = list(contact_ids)
    counts.answers += answers.erase_about(ids, now=now)
    counts.briefs += brief_erasure.erase_about(ids, now=now)
    counts.contacts += contacts.remove(ids, now=now)


def _unused(member_ids: set[UUID]) -> list[UUID]:
    """Return those of members whom nothing names any more: they were known by what is gone."""
    rows = TeamMember.objects.filter(pk__in=member_ids, user=None)
    rows = rows.exclude(pk__in=Conversation.objects.filter(owner__in=member_ids).values("owner"))
    taking_part = Participant.objects.filter(team_member__in=member_ids)
    return list(rows.exclude(pk__in=taking_part.values("team_member")).values_list("pk", flat=True))


def _remove_members(member_ids: set[UUID], counts: Counts) -> None:
    """Make members unknown. The rows stay: trackers' filters may name them."""
    rows = TeamMember.objects.filter(pk__in=member_ids).select_for_update(no_key=True)
    for member in rows.order_by("pk"):
        if requests.is_removed(member):
            continue
        member.email = requests.unknown_address(member.pk)
        member.name = f"Removed person #{member.pk.hex[-8:]}"
        member.user = None
        member.save()
        counts.members += 1


def _erase_copies(request: Request, ids: list[UUID], now: datetime, counts: Counts) -> None:
    """Erase what was copied from conversations, or says the words of the request."""
    company = request.company
    with transaction.atomic():
        quoted = passages.find(
            company=company,
            conversations=ids,
            gone=request.conversation_ids,
            person=request.person,
        )
        examples = quoted.examples | copies.examples_from(
            company=company, conversations=ids, gone=request.conversation_ids
        )
        if examples:
            rows = Tracker.objects.filter(company=company).order_by("pk")
            list(rows.select_for_update(no_key=True))
            copies.remove_examples(company=company, examples=examples)
        quoting = passages.erase(company=company, passages=quoted)
        counts.quoted_by(quoting)
        _forget_answers_about(company, quoting)
        words = {*request.words, *examples, *quoted.texts, *_names_of(ids)}
        needles = copies.needles(words) or list(request.words)
        counts.examples += len(examples)
        counts.uploads += copies.remove_uploads(company=company)
        copies.blank_history(company=company, needles=needles, names=request.words)
        # By a person's words only: a subject like “Pricing” is in many a question.
        counts.answers += answers.erase_saying(company=company, needles=request.words, now=now)
        counts.briefs += brief_erasure.erase_saying(company=company, needles=request.words, now=now)
        copies.forget_answers(company=company, words=needles)
        counts.trail += copies.blank_trail(company=company, needles=needles, names=request.words)
        counts.trail += _blank_trail_of(ids)


def _blank_trail_of(ids: list[UUID]) -> int:
    """Blank what the trail says of the conversations and their results as its subjects."""
    refs = [str(pk) for pk in ids]
    scans = Scan.objects.filter(conversation__in=ids).values_list("pk", flat=True)
    of_scans = [str(pk) for pk in scans.iterator()]
    return audit.erase_subjects(kind=audit.type_of(Conversation), ids=refs) + audit.erase_subjects(
        kind=audit.type_of(Scan), ids=of_scans
    )
