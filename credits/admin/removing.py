"""The act by which staff remove a person for good."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from credits import removal, shown
from credits.admin.acting import Act, ActForm, Done, Plan, reason_field, reason_note
from credits.models import User
from credits.removal import AlreadyRemoved, CannotRemoveSelf
from credits.roles import Act as Allowed

FINAL = (
    "Their name and address go wherever the product names them; this cannot be undone. What they "
    "decided stays, by “Removed person #…”."
)
CALLS = "Calls and e-mails they took part in stay; their company can erase those."


class RemovalForm(ActForm):
    reason = reason_field(
        help_text="Why, in at least 10 characters. It is kept: name nobody, and no address."
    )


class Remove(Act):
    """Deactivate a person and erase their name and address."""

    needs = Allowed.EDIT_COMPANIES
    form_class = RemovalForm
    heading = "Remove this person?"
    button = "Remove the person"
    is_danger = True
    verb = "removed"
    refusals = (AlreadyRemoved, CannotRemoveSelf)

    def __init__(self, *, request: HttpRequest, person: User) -> None:
        super().__init__(request=request, company=None)
        self.person = person

    @property
    def back_url(self) -> str:
        return reverse("admin:credits_user_change", args=[self.person.pk])

    def check(self) -> None:
        if self.person.pk == self.by.pk:
            raise CannotRemoveSelf(CannotRemoveSelf.__doc__)
        if removal.is_removed(self.person):
            raise AlreadyRemoved(AlreadyRemoved.__doc__)

    def before(self, form: ActForm) -> Done | None:
        return Done(self.back_url, "") if removal.is_removed(self.person) else None

    def plan(self, form: ActForm) -> Plan:
        self.check()
        figures = removal.facts(user=self.person)
        return Plan(
            facts=tuple(
                (name[:1].upper() + name[1:], shown.count(number, metric=f"removal-{place}"))
                for place, (name, number) in enumerate(figures.items())
            ),
            notes=(FINAL, CALLS, reason_note(form)),
        )

    def do(self, form: ActForm) -> Done:
        removal.remove(
            user=self.person, by=self.by, reason=form.cleaned_data["reason"], now=self.now
        )
        return Done(self.back_url, "The person is removed.")
