"""What an erasure is asked for, found and counted before anything goes (SPEC §10)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.apps import apps
from django.db.models import Q, QuerySet

from credits import written
from credits.models import AuditText, Company
from trackers import answers, brief_erasure, copies, mentions, passages, requeuing, traces
from trackers.batches import batches
from trackers.mentions import Person
from trackers.models import (
    Contact,
    Conversation,
    ConversationKind,
    ImportFile,
    Participant,
    Retention,
    Scan,
    ScanState,
    TeamMember,
    Tracker,
    Utterance,
)
from trackers.passages import Passages
from trackers.rewording import ERASED

BATCH_SIZE = 500
UNKNOWN_DOMAIN = "@removed.invalid"


class NothingToErase(Exception):
    """Nothing of this is stored here; check the spelling and the company."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be erased: conversations by id, members, and the words copies are found by.

    ``what`` says it in the audit trail, without any personal text. ``person`` is who is to be
    forgotten, if it is anybody. ``mention_count`` is of other conversations that only mention the
    address: they are erased if the request says so.
    """

    company: Company
    what: str
    conversation_ids: tuple[UUID, ...]
    member_ids: tuple[UUID, ...] = ()
    contact_ids: tuple[UUID, ...] = ()
    words: tuple[str, ...] = ()
    mention_count: int = 0
    person: Person | None = None


@dataclass(slots=True)
class Counts:
    """What an erasure takes, or took; rows that depend on a conversation by their table."""

    calls: int = 0
    emails: int = 0
    results: int = 0
    queued: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    members: int = 0
    contacts: int = 0
    answers: int = 0
    briefs: int = 0
    uploads: int = 0
    examples: int = 0
    trail: int = 0
    written: int = 0
    tracker_names: tuple[str, ...] = ()
    quoting_names: tuple[str, ...] = ()

    @property
    def conversations(self) -> int:
        return self.calls + self.emails

    def named_by(self, trackers: Iterable[Tracker]) -> None:
        """Note the trackers whose words named the person, as they are called."""
        self.tracker_names = tuple(dict.fromkeys((*self.tracker_names, *map(str, trackers))))

    def quoted_by(self, trackers: Iterable[Tracker]) -> None:
        """Note the trackers whose words quoted what was said, as they are called."""
        self.quoting_names = tuple(dict.fromkeys((*self.quoting_names, *map(str, trackers))))

    def changed_trackers(self, *, is_planned: bool) -> list[str]:
        """Say in sentences which trackers change, or changed: somebody has to look at them."""
        found = []
        if self.tracker_names:
            found.append(_named_in_words(self.tracker_names, is_planned))
        if self.quoting_names:
            found.append(_quoting_in_words(self.quoting_names, is_planned))
        return found

    @property
    def figures(self) -> dict[str, int]:
        """Return the counts by what they are of, for a dialog, a command and the trail."""
        return {
            "calls": self.calls,
            "e-mails": self.emails,
            "results that keep their charge and lose their words": self.results,
            "queued or waiting scans skipped uncharged": self.queued,
            **{_name_of(label): count for label, count in self.rows.items()},
            "team members made unknown": self.members,
            "contacts made unknown": self.contacts,
            "questions that lose their words and answers": self.answers,
            "runs of briefs that lose what they said": self.briefs,
            "example phrases removed from trackers": self.examples,
            "trackers that name the person": len(self.tracker_names),
            "trackers that quote what was said": len(self.quoting_names),
            "names, notes and reasons that name the person": self.written,
            "files uploaded and not yet imported": self.uploads,
        }


def by_external_id(*, company: Company, external_id: str) -> Request:
    """Return what goes with one conversation.

    :raises NothingToErase: the company has none with this id.
    """
    ids = _ids(Conversation.objects.filter(company=company, external_id=external_id))
    return _request(company, "one conversation by its id", ids)


def by_conversations(*, company: Company, ids: Iterable[UUID]) -> Request:
    """Return what goes with chosen conversations.

    :raises NothingToErase: none of them is there, or all are erased already.
    """
    found = _ids(Conversation.objects.filter(company=company, pk__in=list(ids)))
    return _request(company, "chosen conversations", found)


def by_email(*, company: Company, email: str, with_mentions: bool = False) -> Request:
    """Return what goes with an e-mail address: each conversation somebody with it took part in
    or owned, and the team member it names.

    With ``with_mentions``, conversations whose text or subject holds the address go, too.

    :raises NothingToErase: the company has nothing of this address.
    """
    address = email.strip().lower()
    members = TeamMember.objects.filter(company=company, email__iexact=address)
    took_part = Participant.objects.filter(company=company, email__iexact=address)
    people = Contact.objects.filter(company=company, email__iexact=address, removed_at=None)
    names = {
        name
        for rows in (members, took_part, people)
        for name in rows.values_list("name", flat=True)
    }
    rows = Conversation.objects.filter(company=company)
    own = set(
        _ids(
            rows.filter(
                Q(pk__in=took_part.values("conversation"))
                | Q(owner__in=members)
                | Q(
                    pk__in=Participant.objects.filter(team_member__in=members).values(
                        "conversation"
                    )
                )
            )
        )
    )
    turns = Utterance.objects.filter(company=company, text__icontains=address)
    said = set(
        _ids(rows.filter(Q(pk__in=turns.values("conversation")) | Q(title__icontains=address)))
    )
    chosen = own | said if with_mentions else own
    member_ids = tuple(members.order_by("pk").values_list("pk", flat=True))
    contact_ids = tuple(people.order_by("pk").values_list("pk", flat=True))
    person = Person((address,), tuple(sorted(names - {""})))
    found = Request(
        company,
        "an e-mail address",
        tuple(sorted(chosen)),
        member_ids,
        contact_ids,
        tuple(copies.needles(person.words)) or (address,),
        len(said - own),
        person,
    )
    is_known = chosen or member_ids or contact_ids or found.mention_count
    if not (
        is_known
        or _trail_says(company, address)
        or mentions.trackers_that_name(company=company, person=person)
        or written.count_naming(company=company, person=person)
    ):
        raise NothingToErase(NothingToErase.__doc__)
    return found


def by_member(*, company: Company, member_id: UUID) -> Request:
    """Return what goes with a team member.

    :raises NothingToErase: there is no such member.
    """
    member = TeamMember.objects.filter(company=company, pk=member_id).first()
    if member is None or is_removed(member):
        raise NothingToErase(NothingToErase.__doc__)
    return by_email(company=company, email=member.email)


def by_retention(*, company: Company, now: datetime, at_most: int | None = None) -> Request | None:
    """Return the conversations that are older than the company keeps them; None for none.

    The oldest first, ``at_most`` so many.
    """
    rule = Retention.objects.filter(company=company, days__isnull=False).first()
    if rule is None or rule.days is None:
        return None
    rows = older_than(company=company, days=rule.days, now=now).order_by("started_at", "pk")
    ids = tuple(rows.values_list("pk", flat=True)[:at_most])
    return Request(company, f"what is older than {rule.days:,} days", ids) if ids else None


def older_than(*, company: Company, days: int, now: datetime) -> QuerySet[Conversation]:
    """Return the conversations with words that started more than so many days ago."""
    return Conversation.objects.filter(
        company=company, erased_at=None, started_at__lt=now - timedelta(days=days)
    )


def count(request: Request) -> Counts:
    """Say what an erasure would take; nothing is changed."""
    counts = Counts(members=len(request.member_ids), contacts=len(request.contact_ids))
    counts.uploads = ImportFile.objects.filter(company=request.company).count()
    if request.person is not None:
        counts.named_by(mentions.trackers_that_name(company=request.company, person=request.person))
        counts.written = written.count_naming(company=request.company, person=request.person)
    for ids in batches(request.conversation_ids, BATCH_SIZE):
        rows = Conversation.objects.filter(pk__in=ids, erased_at=None)
        counts.calls += rows.filter(kind=ConversationKind.CALL).count()
        counts.emails += rows.filter(kind=ConversationKind.EMAIL).count()
        scans = Scan.objects.filter(conversation__in=ids)
        counts.results += scans.filter(state=ScanState.DONE).count()
        counts.queued += scans.filter(state__in=requeuing.NOT_DONE).count()
        counts.answers += answers.citing(ids)
        counts.briefs += brief_erasure.reading(ids)
        for trace in traces.traces():
            label = trace.model._meta.label_lower
            number = trace.model._base_manager.filter(trace.rows(ids)).distinct().count()
            counts.rows[label] = counts.rows.get(label, 0) + number
    examples, quoted = _quoted(request)
    counts.quoted_by(passages.trackers_that_quote(company=request.company, passages=quoted))
    # What names the person goes with the words of its tracker.
    person = request.person
    counts.examples = sum(person is None or not person.is_named_in(one) for one in examples)
    return counts


def examples_in(request: Request) -> set[str]:
    """Return the examples of trackers that go with what is asked to be erased."""
    return _quoted(request)[0]


def _quoted(request: Request) -> tuple[set[str], Passages]:
    """Return the examples that go, and the passages that trackers quote elsewhere."""
    examples: set[str] = set()
    quoted = Passages()
    for ids in batches(request.conversation_ids, BATCH_SIZE):
        examples |= copies.examples_from(
            company=request.company, conversations=ids, gone=request.conversation_ids
        )
        quoted |= passages.find(
            company=request.company,
            conversations=ids,
            gone=request.conversation_ids,
            person=request.person,
        )
    return examples | quoted.examples, quoted


def is_removed(member: TeamMember) -> bool:
    return member.email == unknown_address(member.pk)


def is_unknown(address: str) -> bool:
    """Tell whether an address stands for somebody who was removed."""
    return address.endswith(UNKNOWN_DOMAIN)


def unknown_address(pk: UUID) -> str:
    return f"removed-{pk.hex}{UNKNOWN_DOMAIN}"


def _ids(rows: QuerySet[Conversation]) -> tuple[UUID, ...]:
    return tuple(rows.filter(erased_at=None).order_by("pk").values_list("pk", flat=True))


def _request(company: Company, what: str, ids: tuple[UUID, ...]) -> Request:
    if not ids:
        raise NothingToErase(NothingToErase.__doc__)
    return Request(company, what, ids)


def _trail_says(company: Company, address: str) -> bool:
    lines = AuditText.objects.filter(Q(event__company=company) | Q(event__company=None))
    found = lines.annotate(said=copies.JsonText("changes")).filter(
        Q(subject_label__icontains=address)
        | Q(actor_name__icontains=address)
        | Q(reason__icontains=address)
        | Q(said__icontains=address)
    )
    return found.exists()


def _name_of(label: str) -> str:
    return str(apps.get_model(label)._meta.verbose_name_plural)


def _named_in_words(names: Sequence[str], is_planned: bool) -> str:
    if is_planned:
        return f"These trackers name the person, whom “{ERASED}” will replace: {_listed(names)}."
    return (
        f"“{ERASED}” replaced the person in these trackers; see what they ask now: "
        f"{_listed(names)}."
    )


def _quoting_in_words(names: Sequence[str], is_planned: bool) -> str:
    if is_planned:
        return (
            f"These trackers quote what was said, which “{ERASED}” will replace: {_listed(names)}."
        )
    return (
        f"“{ERASED}” replaced what was said in these trackers; see what they ask now: "
        f"{_listed(names)}."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)
