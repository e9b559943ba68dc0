"""The acts that erase: one conversation, an address, a team member; and how long all are kept."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from credits import audit, shown
from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan, reason_field, reason_note
from credits.audit import Action
from credits.models import Company
from credits.roles import Act as Allowed
from trackers import erasure, erasure_requests
from trackers.erasure_requests import NothingToErase, Request
from trackers.models import Conversation, Retention, TeamMember
from trackers.models.intake import RETENTION_DAYS_MAX

AT_ONCE_MAX = 2_000  # A page waits for the end; more takes longer than anybody would.
FINAL = (
    "What was said, subjects, participants, quotes and answers go; this cannot be undone. Charges "
    "and states stay, so that ledger and reports do not change."
)
EXAMPLES = (
    "Example phrases of trackers that were said in them go too; in so many they are not counted "
    "here."
)
NOT_AGAIN = "An erased conversation is not imported again."
BACKUPS = "Backups made before still hold it until they are thrown away."


class TooMuchAtOnce(Exception):
    """This is more than a page can wait for; ask whoever runs the server to use the command
    erase_personal_data.
    """


def _reason() -> forms.CharField:
    return reason_field(
        help_text="Why, in at least 10 characters. It is kept: name nobody, and no address."
    )


class ErasureForm(ActForm):
    reason = _reason()


class EmailForm(ErasureForm):
    email = forms.EmailField(
        label="E-mail address",
        widget=UnfoldAdminTextInputWidget,
        help_text="Every conversation that somebody with this address took part in or owned.",
    )
    with_mentions = forms.BooleanField(
        label="Also conversations that only mention the address", required=False
    )
    field_order = ("email", "with_mentions", "reason")


class ErasureAct(acting.Act):
    """Erase what a request finds; subclasses say what that is."""

    needs = Allowed.ERASE_CONVERSATIONS
    form_class = ErasureForm
    button = "Erase"
    is_danger = True
    verb = "erased"
    refusals = (NothingToErase, TooMuchAtOnce)
    company: Company

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_conversation_changelist")

    def found(self, form: ActForm) -> Request:
        raise NotImplementedError

    def plan(self, form: ActForm) -> Plan:
        request = self.found(form)
        if len(request.conversation_ids) > AT_ONCE_MAX:
            raise TooMuchAtOnce(" ".join(str(TooMuchAtOnce.__doc__).split()))
        counts = erasure_requests.count(request)
        facts: list[tuple[str, Any]] = [
            (name[:1].upper() + name[1:], shown.count(number, metric=f"erase-{place}"))
            for place, (name, number) in enumerate(counts.figures.items())
        ]
        notes = [FINAL, NOT_AGAIN, BACKUPS, reason_note(form)]
        if request.mention_count and not form.cleaned_data.get("with_mentions"):
            number = f"{request.mention_count:,}"
            notes.insert(0, f"Conversations that only mention the address, and stay: {number}.")
        notes = [*counts.changed_trackers(is_planned=True), *notes]
        return Plan(facts=tuple(facts), notes=tuple(notes))

    def do(self, form: ActForm) -> Done:
        counts = erasure.erase(
            request=self.found(form),
            by=self.by,
            reason=form.cleaned_data["reason"],
            now=self.now,
        )
        said = f"Erased: {counts.calls:,} calls and {counts.emails:,} e-mails."
        return Done(self.back_url, " ".join([said, *counts.changed_trackers(is_planned=False)]))


class EraseConversation(ErasureAct):
    """Erase one conversation."""

    heading = "Erase this conversation?"

    def __init__(self, *, request: HttpRequest, row: Conversation) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    def check(self) -> None:
        if self.row.erased_at is not None:
            raise NothingToErase("This conversation is erased already.")

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if self.row.erased_at is not None else None

    def found(self, form: ActForm) -> Request:
        return erasure_requests.by_conversations(company=self.company, ids=[self.row.pk])


class EraseEmail(ErasureAct):
    """Erase what an address took part in."""

    form_class = EmailForm
    heading = "Erase by e-mail address"
    refused_fields = {NothingToErase: "email"}  # noqa: RUF012 - as the base has it.

    def found(self, form: ActForm) -> Request:
        values = form.cleaned_data
        return erasure_requests.by_email(
            company=self.company,
            email=values["email"],
            with_mentions=values["with_mentions"],
        )


class EraseMember(ErasureAct):
    """Erase what a team member took part in or owned."""

    heading = "Erase this team member and their conversations?"

    def __init__(self, *, request: HttpRequest, row: TeamMember) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_teammember_changelist")

    def check(self) -> None:
        if erasure_requests.is_removed(self.row):
            raise NothingToErase("This team member is removed already.")

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if erasure_requests.is_removed(self.row) else None

    def found(self, form: ActForm) -> Request:
        return erasure_requests.by_member(company=self.company, member_id=self.row.pk)


class RetentionForm(ActForm):
    days = forms.IntegerField(
        label="Days",
        required=False,
        min_value=1,
        max_value=RETENTION_DAYS_MAX,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
        help_text="Conversations that started more days ago are erased every night. Empty keeps "
        "them for ever.",
    )
    reason = reason_field()


class SetRetention(acting.Act):
    """Set how long a company keeps its conversations."""

    needs = Allowed.ERASE_CONVERSATIONS
    form_class = RetentionForm
    heading = "How long conversations are kept"
    button = "Keep them so long"
    is_danger = True
    verb = "changed"
    company: Company

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_conversation_changelist")

    def fresh(self) -> ActForm:
        form = super().fresh()
        form.initial["days"] = self._days()
        return form

    def plan(self, form: ActForm) -> Plan | None:
        days, before = form.cleaned_data["days"], self._days()
        if days == before:
            form.add_error("days", f"They are kept {in_words(before)} already.")
            return None
        facts, notes = self._erased(days)
        return Plan(
            facts=(
                ("Kept so far", in_words(before)),
                ("Kept from now on", in_words(days)),
                *facts,
            ),
            notes=(*notes, FINAL, NOT_AGAIN, BACKUPS, reason_note(form)),
        )

    def _erased(self, days: int | None) -> tuple[list[tuple[str, Any]], list[str]]:
        """Say in facts and notes what the coming nights erase."""
        old = Conversation.objects.none()
        if days is not None:
            old = erasure_requests.older_than(company=self.company, days=days, now=self.now)
        count = old.count()
        facts = [("Erased in the coming nights", shown.count(count, metric="too-old"))]
        if count > AT_ONCE_MAX:
            return facts, [EXAMPLES]
        ids = tuple(old.values_list("pk", flat=True))
        examples = erasure_requests.examples_in(Request(self.company, "what is old", ids))
        phrases = shown.count(len(examples), metric="too-old-examples")
        return [*facts, ("Example phrases of trackers that go with them", phrases)], []

    def do(self, form: ActForm) -> Done:
        days = form.cleaned_data["days"]
        with transaction.atomic():
            rule, _ = Retention.objects.select_for_update(no_key=True).get_or_create(
                company=self.company
            )
            audit.record(
                action=Action.CHANGED,
                by=self.by,
                company=self.company,
                subject=audit.Subject(
                    audit.type_of(Retention), str(rule.pk), "how long conversations are kept"
                ),
                before={"days": rule.days},
                after={"days": days},
                reason=form.cleaned_data["reason"],
            )
            rule.days = days
            rule.save(update_fields=["days"])
        return Done(self.back_url, f"Conversations are kept {in_words(days)}.")

    def _days(self) -> int | None:
        rule = Retention.objects.filter(company=self.company).first()
        return None if rule is None else rule.days


def in_words(days: int | None) -> str:
    if days is None:
        return "for ever"
    return "1 day" if days == 1 else f"{days:,} days"
