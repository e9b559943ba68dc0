"""What the audit trail says of signing in and out.

A person's sign-in is on the trail of the company they land in; of several, the first by name, as
the credits page opens it. Vendor people's is on the vendor's.
"""

from __future__ import annotations

from django.http import HttpRequest

from credits import audit, current_company
from credits.audit import Action
from credits.models import Company, User

UNKNOWN = "an unknown e-mail address"


def record_sign_in(request: HttpRequest, action: Action) -> None:
    """Write down that ``request.user`` has just signed in."""
    user = request.user
    assert isinstance(user, User)
    _record(action, user, by=user)


def record_own(request: HttpRequest, action: Action) -> None:
    """Write down what a signed-in person does to their own access."""
    user = request.user
    assert isinstance(user, User)
    # Found anew: the scope of the request may not be known yet, or be of before.
    _record(action, user, by=user, company=current_company.find(request).company)


def record_refusal(request: HttpRequest, *, email: str, reason: str = "") -> None:
    """Write down a sign-in that was refused, for a person we know or for nobody.

    An address that nobody has is not kept: people type their password there by mistake.
    """
    user = User.objects.filter(email=email.strip().lower()).first()
    record_refused_person(user, reason=reason)


def record_refused_person(user: User | None, *, reason: str = "") -> None:
    """Write down a sign-in that was refused to a person, or to nobody known."""
    _record(Action.SIGN_IN_REFUSED, user, by=audit.NOBODY, reason=reason)


def company_of(user: User) -> Company | None:
    """Return the company that a person's sign-ins are on the trail of; None for vendor people."""
    first = user.memberships.select_related("company").order_by("company__name", "company").first()
    return None if first is None else first.company


def _record(
    action: Action,
    user: User | None,
    *,
    by: User | audit.Actor,
    company: Company | None = None,
    reason: str = "",
) -> None:
    subject = audit.Subject("session", label=UNKNOWN)
    if user is not None:
        named = audit.subject_of(user)
        subject = audit.Subject("session", named.id, user.get_full_name())
        company = company or company_of(user)
    audit.record(action=action, by=by, company=company, subject=subject, reason=reason, about=user)
