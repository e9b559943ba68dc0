"""The pages outside the admin: one that signs a person in by a link."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.forms import SetPasswordForm
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from unfold.widgets import UnfoldAdminPasswordWidget

from credits import sign_in, signing
from credits.audit import Action
from credits.models import User

BACKEND = "django.contrib.auth.backends.ModelBackend"


# HEAD is refused with the rest: a program that only looks must not use the link up.
@require_GET
@never_cache
def follow_sign_in_link(request: HttpRequest, secret: str) -> HttpResponse:
    """Sign in and go to the credits page, or say in one sentence why not (410)."""
    response: HttpResponse
    try:
        with transaction.atomic():
            user = sign_in.use(secret=secret, now=timezone.now())
            login(request, user, backend=BACKEND)
            signing.record_sign_in(request, Action.SIGNED_IN_BY_LINK)
    except sign_in.LinkRefused as refusal:
        signing.record_refused_person(sign_in.person_of(secret), reason=str(refusal))
        context = {
            **admin.site.each_context(request),
            "title": "Sign-in link",
            "sentence": str(refusal),
        }
        response = TemplateResponse(request, "credits/sign_in_refused.html", context, status=410)
    else:
        is_new = sign_in.CHOOSE_PASSWORD in request.GET and not user.has_usable_password()
        page = "admin:choose_password" if is_new else "admin:credits_page"
        response = HttpResponseRedirect(reverse(page))
    # The address holds the secret; no other site learns it from a link on the page.
    response["Referrer-Policy"] = "no-referrer"
    return response


class FirstPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """A new password, twice, in the look of the other forms."""

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(user, data)
        for field in self.fields.values():
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


@never_cache
def choose_password(request: HttpRequest) -> HttpResponse:
    """Let a person who has no password choose the first; others change theirs, knowing it."""
    user = request.user
    if not isinstance(user, User) or user.has_usable_password():
        raise PermissionDenied
    form = FirstPasswordForm(user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            update_session_auth_hash(request, user)
            sign_in.end_links(user=user, now=timezone.now())
            signing.record_own(request, Action.PASSWORD_CHANGED)
        messages.success(request, "Your password is set. Sign in with it from now on.")
        return HttpResponseRedirect(reverse("admin:credits_page"))
    context = {
        **admin.site.each_context(request),
        "title": "Choose a password",
        "form": form,
    }
    return TemplateResponse(request, "credits/choose_password.html", context)
