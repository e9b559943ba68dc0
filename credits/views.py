"""The pages outside the admin: one that signs a person in by a link."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from credits import sign_in, signing
from credits.audit import Action

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
        response = HttpResponseRedirect(reverse("admin:credits_page"))
    # The address holds the secret; no other site learns it from a link on the page.
    response["Referrer-Policy"] = "no-referrer"
    return response
